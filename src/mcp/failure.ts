import type { RunResult } from '../../schemas/run.ts';
import { ERRORS, errorBody, toSallyportError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Redactor } from '../core/redaction/redactor.ts';
import type { AnyTool } from '../core/tool/definition.ts';
import { isRecord, RPC, RpcFault } from './json-rpc.ts';
import type { OutputCheck } from './output-check.ts';
import { type AnswerFrame, structuredResult, type ToolAnswer } from './run-answer.ts';
import { tokensOf } from './shorten.ts';
import { errorText } from './text.ts';

/** What may leave the answers: a fault of ours as it is, anything else as one sentence, its text in the log only. */
export function containFault(log: Log, requestId: string, thrown: unknown): RpcFault {
  if (thrown instanceof RpcFault) return thrown;
  log.error('request.failed', { requestId, code: 'ERR_INTERNAL', err: thrown });
  // The SDKs would send the message of an unknown error to the client.
  return new RpcFault(RPC.internal, errorBody(toSallyportError(thrown), requestId).message);
}

/** Which call failed. */
export interface FailedCall {
  readonly requestId: string;
  readonly tokens: number;
  /** Absent when no security tool was named. */
  readonly tool?: AnyTool | undefined;
  /** What is known of a run's findings, for a result that has no room. */
  readonly brief: (run: RunResult) => Promise<Pick<AnswerFrame, 'findings' | 'next'>>;
}

/** Turns what a call threw into its answer, or throws the `RpcFault` that the code's row in ERRORS asks for. */
export type FailureAnswer = (thrown: unknown, call: FailedCall) => Promise<ToolAnswer>;

/** What failures are told with. */
export interface FailureParts {
  readonly log: Log;
  readonly redactor: Pick<Redactor, 'redactValue'>;
  readonly isOutput: OutputCheck;
}

/**
 * The one place where a thrown thing becomes public over MCP. An internal error keeps its cause to the log. What a run
 * that ended badly did find travels as `structuredContent`; the error body is in the text and in `_meta`.
 */
export function createFailureAnswer({ log, redactor, isOutput }: FailureParts): FailureAnswer {
  return async (thrown, call) => {
    if (thrown instanceof RpcFault) throw thrown;
    const { requestId, tool, tokens } = call;
    const error = toSallyportError(thrown);
    const { run, ...details } = error.details ?? {};
    const { details: _withRun, ...bare } = errorBody(error, requestId);
    // A message may quote what the caller sent, and that may be a key.
    const body = redactor.redactValue(Object.keys(details).length === 0 ? bare : { ...bare, details }) as typeof bare;
    const form = ERRORS[error.code].mcp;
    if (form === 'internal') log.error('request.failed', { requestId, code: error.code, cause: error.cause ?? error });
    if (form === 'internal') throw new RpcFault(RPC.internal, body.message, body);
    if (form === 'params') throw new RpcFault(RPC.invalidParams, body.message, body);
    const rest = { isError: true, _meta: { 'sallyport/error': body } } as const;
    // SDK clients validate it even when `isError` is set, and throw the whole answer away when it does not fit.
    if (tool === undefined || !isRecord(run) || !isOutput(tool, run))
      return { content: [{ type: 'text', text: errorText(body, undefined, { tokens }) }], ...rest };
    const partial = run as unknown as RunResult;
    const frame = { tokens, ...(await call.brief(partial)), fits: (value: unknown) => isOutput(tool, value) };
    const structuredContent = structuredResult(partial, frame);
    const left = { tokens: tokens - tokensOf(structuredContent), findings: frame.findings?.lines, next: frame.next };
    return { content: [{ type: 'text', text: errorText(body, partial, left) }], structuredContent, ...rest };
  };
}
