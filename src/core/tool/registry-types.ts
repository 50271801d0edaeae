import type { TSchema } from '@sinclair/typebox';
import type { RunOptions } from '../../../schemas/run.ts';
import type { AnyTool } from './definition.ts';

/** What a probe learned of a tool's program. */
export interface ToolAvailability {
  readonly available: boolean;
  /** Real path of the pinned binary. */
  readonly path?: string;
  readonly version?: string;
  /** Why it is not available, and the command that mends it. */
  readonly fault?: string;
  /** Milliseconds since the epoch. */
  readonly probedAt: number;
}

/** One loaded tool with its compiled schemas and its state. */
export interface RegisteredTool {
  readonly definition: AnyTool;
  /** JSON Schema 2020-12 of the arguments over MCP: the tool's input plus the reserved `run`. */
  readonly inputSchema: TSchema;
  /** JSON Schema 2020-12 of the run result. */
  readonly outputSchema: TSchema;
  readonly enabled: boolean;
  readonly availability: ToolAvailability;
  /** Splits MCP arguments into input and run options; both still unchecked. */
  split(args: unknown): { input: unknown; run: RunOptions | undefined };
  /** Validates (never coerces; fills schema defaults) or throws ERR_INPUT_INVALID with every fault in `details.faults`. */
  validate(input: unknown, run: unknown): { input: Record<string, unknown>; run: RunOptions };
}

/** The loaded tools and their states. */
export interface Registry {
  /** All loaded tools, by name. */
  all(): readonly RegisteredTool[];
  /** Tools that may be called now: enabled, available and not above the risk ceiling. */
  offered(): readonly RegisteredTool[];
  /** Throws ERR_TOOL_UNKNOWN. */
  get(name: string): RegisteredTool;
  setEnabled(name: string, enabled: boolean): void;
  setAvailability(name: string, availability: ToolAvailability): void;
  /** Called after every change of a state. Returns the way to stop listening. */
  onChange(listener: (name: string) => void): () => void;
}
