import { SallyportError } from '../core/errors.ts';
import { type Answers, type AnswersOptions, createAnswers } from './answers.ts';
import { BodyFault } from './body.ts';
import { headerOf, type McpExchange, type McpReply, rpcReply } from './exchange.ts';
import { idOf, isRecord, methodOf } from './json-rpc.ts';
import { createLegacyLeg, type LegacyLegOptions } from './legacy/legacy-leg.ts';
import { createModernLeg, isModern } from './modern/modern-leg.ts';

/** The /mcp endpoint: both eras of the protocol, the same answers. */
export interface McpEndpoint {
  /**
   * A reply to send, or undefined when the exchange was taken and is answered as a stream. Throws a SallyportError
   * only before it takes the exchange.
   */
  serve(exchange: McpExchange): Promise<McpReply | undefined>;
  /** Everything that is held for clients now; all zero when none is connected and no call runs. */
  counts(): McpCounts;
  /** Ends sessions, streams and the calls behind them. */
  close(): Promise<void>;
}

/** What the endpoint holds. */
export interface McpCounts {
  readonly sessions: number;
  /** Requests that wait for their answer, in both eras. */
  readonly inFlight: number;
  /** Open streams of sessions (GET). */
  readonly streams: number;
  /** Open subscriptions of the newer era. */
  readonly subscriptions: number;
  /** Tool calls that run, whether somebody still waits or not. */
  readonly calls: number;
}

export interface McpEndpointOptions
  extends Omit<AnswersOptions, 'progressIntervalMs'>,
    Omit<LegacyLegOptions, 'answers' | 'sweepMs'> {
  readonly limits: () => McpLimits;
}

type McpLimits = ReturnType<LegacyLegOptions['limits']> & { readonly progressIntervalMs: number };

const SWEEP_MS = 5000;

/** The endpoint over core. */
export function createMcpEndpoint(options: McpEndpointOptions): McpEndpoint {
  const answers: Answers = createAnswers({
    ...options,
    progressIntervalMs: () => options.limits().progressIntervalMs,
  });
  const legacy = createLegacyLeg({ ...options, answers, sweepMs: SWEEP_MS });
  const modern = createModernLeg({ ...options, answers });
  const count = (era: 'legacy' | 'modern' | 'none', method: string) =>
    options.recorder.count('sallyport_mcp_requests_total', { era, method });

  const post = async (exchange: McpExchange): Promise<McpReply | undefined> => {
    mustAccept(exchange, ['application/json', 'text/event-stream']);
    const { body } = exchange;
    const refused = refuseBody(body);
    if (refused !== undefined) {
      count('none', 'other');
      return refused;
    }
    if (!isModern(exchange)) {
      count('legacy', labelOf(body));
      return legacy.serve(exchange);
    }
    count('modern', labelOf(body));
    await modern.serve(exchange);
    return undefined;
  };

  return {
    serve: async (exchange) => {
      if (exchange.httpMethod === 'POST') return post(exchange);
      // The newer era has neither a session to end nor a stream to open by GET.
      if (isNewerVersion(headerOf(exchange, 'mcp-protocol-version')))
        throw new SallyportError('ERR_METHOD_UNSUPPORTED', 'This protocol version has POST only.');
      if (exchange.httpMethod === 'GET') mustAccept(exchange, ['text/event-stream']);
      count('legacy', exchange.httpMethod === 'GET' ? 'stream' : 'end');
      return legacy.serve(exchange);
    },
    counts: () => {
      const older = legacy.counts();
      const newer = modern.counts();
      return { ...older, ...newer, inFlight: older.inFlight + newer.inFlight, calls: answers.counts().calls };
    },
    close: async () => {
      answers.stop();
      await Promise.all([legacy.close(), modern.close()]);
      answers.close();
    },
  };
}

function refuseBody(body: unknown): McpReply | undefined {
  if (body instanceof BodyFault) return rpcReply(400, body.message, { code: body.code });
  // Trap: the older SDK takes batches, which multiply one admitted request (rate limits count HTTP requests).
  if (Array.isArray(body)) return rpcReply(400, 'Batches are not accepted; send one message per request.');
  return methodOf(body) === undefined && !isAnswer(body)
    ? rpcReply(400, 'This is not a JSON-RPC message.', { id: idOf(body) })
    : undefined;
}

/** The client's answer to a question of ours, in the older era. */
function isAnswer(body: unknown): boolean {
  return isRecord(body) && !('method' in body) && idOf(body) !== null && ('result' in body || 'error' in body);
}

const LABELS: ReadonlySet<string> = new Set([
  'initialize',
  'notifications/initialized',
  'notifications/cancelled',
  'ping',
  'server/discover',
  'subscriptions/listen',
  'tools/list',
  'tools/call',
]);

/** The metric label of a message: a closed set, because a client chooses the method. */
function labelOf(body: unknown): string {
  const method = methodOf(body) ?? 'other';
  return LABELS.has(method) ? method : 'other';
}

function isNewerVersion(version: string | undefined): boolean {
  return version !== undefined && /^\d{4}-\d\d-\d\d$/.test(version) && version > '2025-11-25';
}

/** Throws ERR_NOT_ACCEPTABLE unless every media type is accepted (RFC 9110, section 12.5.1). */
function mustAccept(exchange: McpExchange, types: readonly string[]): void {
  const ranges = (exchange.raw.headers.accept ?? '')
    .split(',')
    .map((range) => range.toLowerCase().replace(/\s/g, ''))
    .filter((range) => !/;q=0(\.0*)?(;|$)/.test(range))
    .map((range) => range.split(';')[0]);
  const isAccepted = (type: string) =>
    ranges.some((range) => range === type || range === '*/*' || range === `${type.split('/')[0]}/*`);
  if (!types.every(isAccepted))
    throw new SallyportError('ERR_NOT_ACCEPTABLE', `The Accept header must list ${types.join(' and ')}.`);
}
