import type { RunOptions, RunResult } from '../../../schemas/run.ts';
import type { Principal } from '../auth/types.ts';
import type { ToolEvent } from '../tool/definition.ts';

/** One call of one tool by one principal. */
export interface CallRequest {
  readonly tool: string;
  /** Unchecked: the engine validates it against the tool's schema. */
  readonly input: unknown;
  /** Unchecked reserved options. */
  readonly run?: RunOptions | undefined;
  readonly principal: Principal;
  readonly requestId: string;
  /** Aborting it takes the call out of the queue or ends the process tree. */
  readonly signal: AbortSignal;
  readonly onEvent?: (event: ToolEvent) => void;
}

/**
 * The run engine as every channel sees it.
 * Resolves only for outcome `succeeded`. Everything else throws a SallyportError; when a process ran, its
 * `details.run` is the whole RunResult with whatever was known (partial result kept).
 */
export interface RunEngine {
  call(request: CallRequest): Promise<RunResult>;
}
