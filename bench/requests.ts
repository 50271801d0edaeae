import autocannon from 'autocannon';
import { jsonHeaders, modernRequest, openSessions, type RawRequest, sessionRequest } from './clients.ts';
import type { Measured, Processes } from './processes.ts';
import type { Answer } from './protocol.ts';
import type { Sizes } from './sizes.ts';
import { ratios, ratioText, spreadText, type Table } from './statistics.ts';

/** One request that the gateway answers without starting anything. */
interface Case {
  readonly name: string;
  readonly path: string;
  readonly status: number;
  /** What the answer must hold, so that a wrong answer is not measured as a fast one. */
  readonly proof: string;
  /** The request of one connection: a session takes one request with one id at a time. */
  readonly of: (connection: number) => RawRequest;
}

/** What one side did in one measurement. */
interface Load {
  readonly perSecond: number;
  /** CPU time of the server for one request, microseconds. */
  readonly cpuUs: number;
}

/** An address of the documentation range (RFC 5737): out of scope by the defaults, and nothing is sent to it. */
const OUT_OF_SCOPE = { targets: ['203.0.113.7'] };
const REFUSED = 'ERR_TARGET_OUT_OF_SCOPE';
const WARM_UP_SECONDS = 0.5;
const SAMPLE_MS = 50;

/** Refused calls and tool lists, against a bare Fastify route that answers the same JSON. */
export async function measureRequests(processes: Processes, sizes: Sizes): Promise<Table> {
  const gateway = await processes.start('lists');
  const bare = await processes.start('bare');
  const sessions = await openSessions(gateway, Math.max(...sizes.connections));
  const cases = makeCases(gateway, sessions);
  const answers = await Promise.all(cases.map((each) => record(gateway, each)));
  await bare.ask('answers', { answers });
  const rows: string[][] = [];
  for (const [at, each] of cases.entries()) {
    const bytes = Buffer.byteLength(answers[at]?.json ?? '');
    for (const connections of sizes.connections) {
      const pair = await measurePair({ gateway, bare, each, at, connections, sizes });
      rows.push([`${each.name}, ${bytes} bytes`, String(connections), ...pair]);
    }
  }
  await gateway.stop();
  await bare.stop();
  return {
    title: '(b) answers without a process, against a bare Fastify route with the same JSON',
    head: [
      'row',
      'connections',
      'gateway',
      'bare route',
      'requests/s, bare ÷ gateway',
      'CPU per request, gateway ÷ bare',
    ],
    rows,
  };
}

function makeCases(gateway: Measured, sessions: readonly string[]): readonly Case[] {
  const session = (connection: number) => sessions[connection % sessions.length] ?? '';
  const call = { method: 'tools/call', params: { name: 'nmap', arguments: OUT_OF_SCOPE } };
  const list = { method: 'tools/list' };
  const mcp = { path: '/mcp', status: 200 };
  const rest: RawRequest = { headers: jsonHeaders(gateway), body: JSON.stringify({ input: OUT_OF_SCOPE }) };
  return [
    { name: 'refused call, REST', path: '/v1/tools/nmap/runs', status: 403, proof: REFUSED, of: () => rest },
    {
      ...mcp,
      name: 'refused call, MCP session',
      proof: REFUSED,
      of: (at) => sessionRequest(gateway, session(at), call),
    },
    { ...mcp, name: 'refused call, MCP 2026-07-28', proof: REFUSED, of: () => modernRequest(gateway, call) },
    {
      ...mcp,
      name: 'tools/list, MCP session',
      proof: '"sqlmap"',
      of: (at) => sessionRequest(gateway, session(at), list),
    },
    { ...mcp, name: 'tools/list, MCP 2026-07-28', proof: '"sqlmap"', of: () => modernRequest(gateway, list) },
  ];
}

/** The gateway's own answer; of an event stream its one message. */
async function record(gateway: Measured, each: Case): Promise<Answer> {
  const { headers, body } = each.of(0);
  const response = await fetch(new URL(each.path, gateway.origin), { method: 'POST', headers, body });
  const text = await response.text();
  const json = response.headers.get('content-type')?.includes('event-stream')
    ? (text.split('\n').findLast((line) => line.startsWith('data: ')) ?? '').slice('data: '.length)
    : text;
  if (response.status !== each.status || !json.includes(each.proof)) {
    throw new Error(`${each.name}: unexpected answer ${response.status} ${text.slice(0, 300)}`);
  }
  return { status: response.status, json };
}

interface Pair {
  readonly gateway: Measured;
  readonly bare: Measured;
  readonly each: Case;
  readonly at: number;
  readonly connections: number;
  readonly sizes: Sizes;
}

async function measurePair({ gateway, bare, each, at, connections, sizes }: Pair): Promise<string[]> {
  const same = { each, connections };
  const loadGateway = (seconds: number) => load(gateway, { ...same, path: each.path, seconds });
  const loadBare = (seconds: number) => load(bare, { ...same, path: `/${at}`, seconds });
  const warmUp = Math.min(WARM_UP_SECONDS, sizes.seconds);
  await loadGateway(warmUp);
  await loadBare(warmUp);
  const ours: Load[] = [];
  const theirs: Load[] = [];
  for (let round = 0; round < sizes.rounds; round += 1) {
    ours.push(await loadGateway(sizes.seconds));
    theirs.push(await loadBare(sizes.seconds));
  }
  const rate = (loads: readonly Load[]) => loads.map(({ perSecond }) => perSecond);
  const cpu = (loads: readonly Load[]) => loads.map(({ cpuUs }) => cpuUs);
  return [
    spreadText(cpu(ours), 'µs CPU'),
    spreadText(cpu(theirs), 'µs CPU'),
    ratioText(ratios(rate(theirs), rate(ours))),
    ratioText(ratios(cpu(ours), cpu(theirs))),
  ];
}

interface LoadRequest {
  readonly each: Case;
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
}

async function load(server: Measured, { each, path, connections, seconds }: LoadRequest): Promise<Load> {
  let connection = 0;
  const before = await server.ask('cpu', {});
  const result = await autocannon({
    url: new URL(path, server.origin).href,
    connections,
    duration: seconds,
    sampleInt: SAMPLE_MS,
    method: 'POST',
    setupClient: (client) => client.setRequests([{ method: 'POST', path, ...each.of(connection++) }]),
  });
  const cpuMs = (await server.ask('cpu', {})) - before;
  const answers = Object.entries(result.statusCodeStats ?? {});
  const right = answers.reduce((sum, [status, { count = 0 }]) => sum + (Number(status) === each.status ? count : 0), 0);
  if (right === 0 || result.errors > 0 || answers.length > 1) {
    throw new Error(`${each.name}: ${result.errors} errors, answers ${JSON.stringify(result.statusCodeStats)}`);
  }
  return { perSecond: right / result.duration, cpuUs: (cpuMs * 1000) / right };
}
