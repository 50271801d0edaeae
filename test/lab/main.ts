/**
 * The lab for people: `./sallyport lab up [--port N] | down | status`.
 * `up` leaves a process behind that owns the lab; `down` ends it and removes everything. Needs root.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { until } from './command.ts';
import { startLabWithGateway } from './gateway.ts';
import { sweep } from './lab.ts';
import { OUTSIDE, PASSWORD, SECOND, TARGET } from './layout.ts';
import { startTimeOf } from './record.ts';
import { whyNoLab } from './requirements.ts';

const DIRECTORY = '/run/sallyport-lab';
const USAGE = 'usage: ./sallyport lab up [--port N] | down | status';
const options = {
  port: { type: 'string', default: '0' },
  state: { type: 'string', default: `${DIRECTORY}/up` },
} as const;
const { positionals, values } = readArguments();
/** Where the running lab is noted. Another place (`--state`) makes another lab, beside the first. */
const STATE = `${values.state}.state`;
const LOG = `${values.state}.log`;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Wrong usage ends here, before anything is looked for or made. */
function readArguments() {
  try {
    const parsed = parseArgs({ allowPositionals: true, options });
    const { port } = parsed.values;
    if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw new Error(`--port takes a port, not '${port}'`);
    if (parsed.positionals.length > 1) throw new Error(`unexpected argument '${parsed.positionals[1]}'`);
    return parsed;
  } catch (thrown) {
    print(`${thrown instanceof Error ? thrown.message : String(thrown)}\n${USAGE}`);
    process.exit(2);
  }
}

interface State {
  readonly pid: number;
  readonly startedAt: string | undefined;
  readonly url: string;
  readonly key: string;
  readonly user: string;
  readonly attacker: string;
}

async function up(port: number): Promise<void> {
  const before = runningState();
  if (before === undefined) {
    mkdirSync(DIRECTORY, { recursive: true, mode: 0o700 });
    rmSync(STATE, { force: true });
    const log = openSync(LOG, 'w', 0o600);
    const argv = [fileURLToPath(import.meta.url), 'serve', '--port', String(port), '--state', values.state];
    const owner = spawn(process.execPath, argv, { detached: true, stdio: ['ignore', log, log] });
    owner.unref();
    await until('its owner to be ready', () => {
      if (owner.exitCode !== null) throw new Error(`the lab did not start: ${readFileSync(LOG, 'utf8').slice(-2000)}`);
      return runningState() !== undefined;
    });
  }
  describe();
  const { port: own } = new URL(before?.url ?? 'http://localhost');
  if (before !== undefined && port !== 0 && String(port) !== own) {
    print(`\nIt was up already and keeps its port ${own}, not ${port}; 'lab down' first to change it.`);
  }
}

async function serve(port: number): Promise<void> {
  const end = Promise.withResolvers<void>();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => end.resolve());
  const both = await startLabWithGateway({ localPort: port });
  const { lab, gateway } = both;
  const state: State = {
    pid: process.pid,
    startedAt: startTimeOf(process.pid),
    url: gateway.url,
    key: gateway.key,
    user: lab.user.name,
    attacker: lab.attacker,
  };
  writeFileSync(STATE, JSON.stringify(state), { mode: 0o600 });
  await end.promise;
  rmSync(STATE, { force: true });
  await both.stop();
}

async function down(): Promise<void> {
  const state = runningState();
  if (state !== undefined) {
    process.kill(state.pid, 'SIGTERM');
    await until('its owner to end', () => startTimeOf(state.pid) !== state.startedAt, 60_000);
  }
  await sweep();
  rmSync(STATE, { force: true });
  rmSync(LOG, { force: true });
  print(state === undefined ? 'The lab was not up.' : 'The lab is gone.');
}

function runningState(): State | undefined {
  try {
    const state = JSON.parse(readFileSync(STATE, 'utf8')) as State;
    return startTimeOf(state.pid) === state.startedAt ? state : undefined;
  } catch {
    return undefined;
  }
}

function describe(): void {
  const state = runningState();
  if (state === undefined) return print('The lab is down. Start it with: ./sallyport lab up');
  const headers = { Authorization: `Bearer ${state.key}` };
  const client = { mcpServers: { 'sallyport-lab': { type: 'http', url: `${state.url}/mcp`, headers } } };
  return print(`The lab is up; the gateway in it answers at ${state.url}

In scope: ${TARGET} (web.lab.internal), ${SECOND} (db.lab.internal). Out of scope: ${OUTSIDE}.
Log-in for ssh and ftp: ${state.user} / ${PASSWORD}; for http://${TARGET}/private/: admin / ${PASSWORD}.

MCP client configuration:
${JSON.stringify(client, null, 2)}

curl -s ${state.url}/v1/tools/nmap/runs -H 'Authorization: Bearer ${state.key}' \\
  -H 'Content-Type: application/json' -d '{"input":{"targets":["${TARGET}"],"ports":"22,80"}}'

A shell beside the gateway: ip netns exec ${state.attacker} sh
Remove everything: ./sallyport lab down`);
}

const why = whyNoLab();
const verbs: Readonly<Record<string, () => void | Promise<void>>> = {
  up: () => up(Number(values.port)),
  serve: () => serve(Number(values.port)),
  down,
  status: describe,
};
const verb = verbs[positionals[0] ?? ''];
if (verb === undefined) {
  print(USAGE);
  process.exitCode = 2;
} else if (why !== undefined) {
  print(`No lab here: ${why}.`);
  process.exitCode = 1;
} else {
  await verb();
}
