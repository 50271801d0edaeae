import { writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Run } from '../../schemas/run-record.ts';
import type { Command, CommandContext } from '../../src/cli/command.ts';
import { ROOT, temporaryDirectory } from './command-line.ts';
import { holdDataDir, listen } from './fake-gateway.ts';

/** What would steer a terminal, forge a line, or reorder what is read. */
export const HOSTILE = 'evil \u001b[2J\u009b1A\u202e\r\nRUN  forged';

/** The answer of a run. */
export const RESULT = {
  runId: '0f9a6c1e-run-1',
  tool: 'dig',
  outcome: 'succeeded',
  complete: false,
  degraded: ['asked for X, did Y'],
  targets: [{ role: 'target', given: 'web.lab.internal', canonical: 'web.lab.internal', addresses: ['10.77.0.10'] }],
  durationMs: 1234,
  stdout: { bytes: 1, truncated: false },
  stderr: { bytes: 0, truncated: false },
  result: { text: HOSTILE },
};

const STREAM = { bytes: 0, truncated: false, keptBytes: 0, sha256: null };

/** The record of a run, with what a test wants otherwise. */
export function recordOf(patch: Partial<Run> = {}): Run {
  return {
    runId: RESULT.runId,
    tool: 'dig',
    toolVersion: '9.20',
    owner: 'key_1',
    engagement: null,
    planDigest: null,
    approval: null,
    requestId: 'request-1',
    state: 'running',
    risk: 'observe',
    createdAt: '2026-11-22T10:00:00.123Z',
    startedAt: '2026-11-22T10:00:01.000Z',
    endedAt: null,
    queuedMs: 900,
    durationMs: 1234,
    timeoutMs: 20_000,
    complete: false,
    error: null,
    progress: null,
    targets: RESULT.targets,
    argv: ['-n', 'web.lab.internal'],
    layers: ['L0'],
    degraded: [],
    exitCode: null,
    stdout: STREAM,
    stderr: STREAM,
    findings: { total: 3, bySeverity: { info: 1, high: 2 } as Run['findings']['bySeverity'] },
    ...patch,
  };
}

/** One request as the fake gateway saw it. */
export interface Seen {
  readonly line: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Answers one request; `count` is how often this route was asked before. */
export type Route = (asked: { response: ServerResponse; seen: Seen; count: number }) => void;

/** Answers with JSON. */
export function json(status: number, body: unknown): Route {
  return ({ response }) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
}

/** The frame of one event. */
export function frame(type: string, data: unknown, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Answers with Server-Sent Events and ends. */
export function stream(...frames: readonly string[]): Route {
  return ({ response }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(`: open\n\n${frames.join('')}`);
  };
}

/** A gateway of such routes (`GET /v1/runs`), and a data directory that leads to it. */
export async function fakeRuns(t: TestContext, routes: Readonly<Record<string, Route>>) {
  const dataDir = temporaryDirectory(t);
  const asked: Seen[] = [];
  const counts = new Map<string, number>();
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://gateway');
    const line = `${request.method} ${pathname}`;
    const body = Buffer.concat(chunks).toString('utf8');
    const seen = { line, query: searchParams, headers: request.headers, body };
    const count = counts.get(line) ?? 0;
    counts.set(line, count + 1);
    asked.push(seen);
    const unknown = json(404, { code: 'ERR_RUN_UNKNOWN', message: 'There is no such run.', requestId: 'request-9' });
    (routes[line] ?? unknown)({ response, seen, count });
  };
  const port = await listen(t, (request, response) => void take(request, response));
  holdDataDir(dataDir, `http://127.0.0.1:${port}`);
  writeFileSync(join(dataDir, 'first-key'), 'the-first-key\n');
  const environment = { SALLYPORT_DATA_DIR: dataDir };
  return { dataDir, port, environment, asked, lines: () => asked.map(({ line }) => line) };
}

/** How a command is called in this process. */
export interface CallOptions {
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly terminal?: number;
  readonly signal?: AbortSignal;
}

/** What a verb gets in this process, with a terminal of so many columns or none, and all that it writes. */
export function contextFor(args: readonly string[], options: CallOptions) {
  const out: string[] = [];
  const err: string[] = [];
  const drawn: string[] = [];
  const isTerminal = options.terminal !== undefined;
  const context: CommandContext = {
    args,
    environment: options.environment,
    root: ROOT,
    cwd: options.cwd ?? '/',
    out: (line) => void out.push(`${line}\n`),
    err: (line) => void err.push(`${line}\n`),
    write: async (bytes) => void out.push(Buffer.from(bytes).toString('utf8')),
    screen: {
      isOutTerminal: isTerminal,
      isErrTerminal: isTerminal,
      columns: () => options.terminal ?? 80,
      draw: (text) => void drawn.push(text),
    },
    signal: options.signal ?? new AbortController().signal,
  };
  return { context, out, err, drawn };
}

/** Calls a verb in this process. */
export async function call(command: Command, args: readonly string[], options: CallOptions) {
  const { context, out, err, drawn } = contextFor(args, options);
  const code = await command(context);
  return { code, stdout: out.join(''), stderr: err.join(''), drawn };
}

/** Whether a text can be shown on a terminal without steering it. */
export function isSafe(text: string): boolean {
  return !/[\p{Cc}\p{Cf}\u2028]/u.test(text.replaceAll('\n', ''));
}

/** Everything that an iteration gives. */
export async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}
