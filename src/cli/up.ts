import { join } from 'node:path';
import type { LockHolder } from '../../schemas/stored.ts';
import { startInBackground } from './background.ts';
import { createClient } from './client.ts';
import { type Command, type CommandContext, EXIT, parseOptions, requireNoWords } from './command.ts';
import { readFirstKey, usableFirstKey } from './first-key.ts';
import { DATA_FILES, findAddress, findGateway, waitUntil } from './gateway-process.ts';
import { readTail } from './logs.ts';
import { portFault } from './port-check.ts';
import { describeConfiguration, environmentDifferences } from './running-configuration.ts';
import { loadSettings, type Settings } from './settings.ts';

/** The first start compiles every schema and probes every tool, on any machine. */
const READY_MS = 180_000;

/** `up`: starts the gateway unless it runs, waits until it is ready, and prints how to connect to it. */
export const up: Command = async (context) => {
  const { values, positionals } = parseOptions(context.args, {
    foreground: { type: 'boolean', default: false },
    'no-install': { type: 'boolean', default: false },
  });
  requireNoWords(positionals);
  const settings = await loadSettings(context);
  const running = findGateway(settings.dataDir);
  if (running !== undefined) return describeRunning(context, settings, running);
  return values.foreground ? stay(context) : start(context, settings);
};

/** Nothing is started: says what runs, and that it is not what this shell would have started. */
async function describeRunning(context: CommandContext, settings: Settings, running: LockHolder): Promise<number> {
  const isOver = (): boolean => findGateway(settings.dataDir) === undefined;
  if (!(await waitReady(context, settings, isOver))) {
    context.err(`sallyport: process ${running.pid} runs but is not ready; see 'status' and 'logs'`);
    return EXIT.failed;
  }
  context.out(`The gateway is already running at ${findAddress(settings.dataDir)} (process ${running.pid}).`);
  for (const line of await describeConfiguration(running, context)) context.out(line);
  const differences = environmentDifferences(running, context.environment);
  if (differences.length > 0) {
    context.err(`sallyport: it was started with other variables than this shell has: ${differences.join(', ')}`);
  }
  return EXIT.ok;
}

/** Becomes the gateway: the process that a supervisor started is then the one that it stops. */
async function stay(context: CommandContext): Promise<number> {
  process.chdir(context.root);
  await import('../server.ts');
  return EXIT.ok;
}

async function start(context: CommandContext, settings: Settings): Promise<number> {
  const { config, dataDir } = settings;
  const fault = portFault(config.host, config.port);
  if (fault !== undefined) {
    context.err(`sallyport: port: ${fault}; nothing was started`);
    return EXIT.failed;
  }
  const child = startInBackground({ ...context, dataDir, raw: config.execution.raw.enabled });
  if (await waitReady(context, settings, () => child.ended() !== undefined)) {
    await printConnection(context, dataDir);
    return EXIT.ok;
  }
  const ended = child.ended();
  const outcome = ended === undefined ? `is not ready after ${READY_MS / 1000} s` : `did not start (${ended})`;
  context.err(`sallyport: the gateway ${outcome}. The end of ${join(dataDir, DATA_FILES.log)}:`);
  for (const line of readTail(join(dataDir, DATA_FILES.log), 20, child.logStart)?.lines ?? []) context.err(line);
  return EXIT.failed;
}

async function waitReady(context: CommandContext, settings: Settings, isOver: () => boolean): Promise<boolean> {
  let isReady = false;
  await waitUntil(async () => {
    isReady = await answersReady(context, settings);
    return isReady || isOver() || context.signal.aborted;
  }, READY_MS);
  return isReady;
}

async function answersReady({ root }: CommandContext, { config, dataDir }: Settings): Promise<boolean> {
  const address = findAddress(dataDir);
  if (address === undefined) return false;
  // With client certificates demanded there is none to show; the file is written once it listens.
  if (config.tls.clientCaFile !== '') return true;
  const reply = await createClient(address, { config, root })({ method: 'GET', path: '/health/ready' });
  return reply.kind === 'answer' && reply.status === 200;
}

async function printConnection(context: CommandContext, dataDir: string): Promise<void> {
  const { out } = context;
  const address = findAddress(dataDir) ?? '';
  const gateway = findGateway(dataDir);
  const key = await usableFirstKey(dataDir);
  const shown = key ?? 'YOUR_KEY';
  const server = { type: 'http', url: `${address}/mcp`, headers: { Authorization: `Bearer ${shown}` } };
  out(`The gateway is ready at ${address} (process ${gateway?.pid}, log ${join(dataDir, DATA_FILES.log)}).`);
  for (const line of await describeConfiguration(gateway, context)) out(line);
  if (key === undefined) {
    const why =
      readFirstKey(dataDir) === undefined
        ? 'There is no first-key file'
        : 'The key in first-key is not accepted any more';
    out(`${why}: use a key of yours, or make one with 'sallyport keys create'.`);
  }
  out('\nPaste this into the configuration of an MCP client:\n');
  out(JSON.stringify({ mcpServers: { sallyport: server } }, null, 2));
  out('\nOr ask it with curl:\n');
  out(`curl -sS -H 'Authorization: Bearer ${shown}' ${address}/v1/tools`);
}
