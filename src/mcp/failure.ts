import { ERRORS, errorBody, toSallyportError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Redactor } from '../core/redaction/redactor.ts';
import type { RegisteredTool } from '../core/tool/registry-types.ts';
import type { ToolAnswer } from './answers.ts';
import { RPC, RpcFault } from './json-rpc.ts';
import { createOutputCheck } from './output-check.ts';
import { errorText } from './text.ts';

/** What may leave the answers: a fault of ours as it is, anything else as one sentence, its text in the log only. */
export function containFault(log: Log, requestId: string, thrown: unknown): RpcFault {
  if (thrown instanceof RpcFault) return thrown;
  log.error('request.failed', { requestId, code: 'ERR_INTERNAL', err: thrown });
  // The SDKs would send the message of an unknown error to the client.
  return new RpcFault(RPC.internal, errorBody(toSallyportError(thrown), requestId).message);
}

/** Turns what a call threw into its answer, or throws the `RpcFault` that the code's row in ERRORS asks for. */
export type FailureAnswer = (thrown: unknown, requestId: string, tool: RegisteredTool | undefined) => ToolAnswer;

/**
 * The one place where a thrown thing becomes public over MCP. An internal error keeps its cause to the log. A run that
 * ended badly travels whole as `structuredContent`; the error body is in the text and in `_meta`.
 */
export function createFailureAnswer(log: Log, redactor: Pick<Redactor, 'redactValue'>): FailureAnswer {
  const isOutput = createOutputCheck();
  return (thrown, requestId, tool) => {
    if (thrown instanceof RpcFault) throw thrown;
    const error = toSallyportError(thrown);
    const { run, ...details } = error.details ?? {};
    const { details: _withRun, ...bare } = errorBody(error, requestId);
    // A message may quote what the caller sent, and that may be a key.
    const body = redactor.redactValue(Object.keys(details).length === 0 ? bare : { ...bare, details }) as typeof bare;
    const form = ERRORS[error.code].mcp;
    if (form === 'internal') log.error('request.failed', { requestId, code: error.code, cause: error.cause ?? error });
    if (form === 'internal') throw new RpcFault(RPC.internal, body.message, body);
    if (form === 'params') throw new RpcFault(RPC.invalidParams, body.message, body);
    const partial = tool !== undefined && isOutput(tool, run) ? run : undefined;
    return {
      content: [{ type: 'text', text: errorText(body, partial) }],
      ...(partial === undefined ? {} : { structuredContent: partial }),
      isError: true,
      _meta: { 'sallyport/error': body },
    };
  };
}
