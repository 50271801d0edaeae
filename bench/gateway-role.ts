import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics } from '../plugins/metrics.ts';
import { buildApp } from '../src/app.ts';
import { loadConfig } from '../src/config.ts';
import { createKey } from '../src/core/auth/keys.ts';
import { SCOPES } from '../src/core/auth/types.ts';
import { systemClock } from '../src/core/clock.ts';
import type { LogEvent } from '../src/core/log.ts';
import { createRedactor } from '../src/core/redaction/redactor.ts';
import type { AnyTool } from '../src/core/tool/definition.ts';
import { createGateway, type Gateway } from '../src/gateway.ts';
import { chooseScratchParent } from '../src/gateway/scratch-place.ts';
import { launcherPlaceOf } from '../src/core/execution/launcher.ts';
import { executionLimits } from '../src/gateway/tool-settings.ts';
import { createLogger } from '../src/logger.ts';
import { openDataDir } from '../src/store/data-dir.ts';
import { openStore } from '../src/store/store.ts';
import { createMemoryWatch } from './memory-watch.ts';
import type { Role } from './protocol.ts';
import { noopTool } from './tools.ts';

const ROOT = join(import.meta.dirname, '..');

/** The defaults, but for what would refuse a benchmark: rates, sessions, a busy machine, and the risk ceiling that hides tools. */
const CONFIGURATION = `port: 0
policy: { risk: exploit }
rateLimit: { addressPerMinute: 1000000, principalPerMinute: 1000000 }
mcp: { maxSessionsPerPrincipal: 1000 }
health: { maxEventLoopLagMs: 60000 }
`;

/** A whole gateway on a free loopback port. Its log is written to standard output, as in production. */
export async function startGatewayRole(tools: readonly AnyTool[]): Promise<Role> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
  try {
    return await startIn(dataDir, tools);
  } catch (thrown) {
    rmSync(dataDir, { recursive: true, force: true });
    throw thrown;
  }
}

async function startIn(dataDir: string, tools: readonly AnyTool[]): Promise<Role> {
  const configFile = join(dataDir, 'sallyport.yaml');
  writeFileSync(configFile, CONFIGURATION);
  const environment = { SALLYPORT_CONFIG: configFile, SALLYPORT_DATA_DIR: dataDir };
  const load = () => loadConfig({ environment, toolNames: tools.map((tool) => tool.name) });
  const redactor = createRedactor();
  const log = createLogger<LogEvent>({ level: 'info', redactor, destination: process.stdout });
  const directory = await openDataDir(dataDir);
  const scratch = chooseScratchParent({ configured: '', dataDir: directory.path });
  const store = await openStore(dataDir);
  const metrics = createMetrics();
  const gateway = await createGateway({
    loaded: load(),
    load,
    tools,
    dataDir: directory,
    store,
    launcher: launcherPlaceOf(ROOT),
    outbound: { post: async () => undefined, syslog: async () => undefined },
    outboundSecrets: {},
    ownAddresses: [],
    redactor,
    clock: systemClock,
    recorder: metrics.recorder,
    log,
    version: '0.0.0-bench',
  });
  const { key, record } = createKey({ name: 'bench', scopes: SCOPES, clock: systemClock });
  await store.keys.add(record);
  const app = await buildApp(gateway, { maxDescriptors: 4096, metrics, logger: log.fastifyLogger });
  const origin = await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    origin,
    key,
    handlers: {
      hardened: () => timed(() => runHardened(gateway)),
      engine: () => timed(() => runEngine(gateway)),
      plain: () => timed(() => runPlain(gateway)),
      ...createMemoryWatch(),
    },
    close: async () => {
      await app.close();
      await gateway.close();
      directory.close();
      rmSync(scratch, { recursive: true, force: true });
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** The command that a call of the no-op tool leads to, given to the executor by hand. */
async function runHardened(gateway: Gateway): Promise<void> {
  const tool = gateway.registry.get(noopTool.name);
  const execution = await gateway.executor.run(
    {
      runId: randomUUID(),
      binary: programOf(gateway),
      argv: [],
      files: [],
      readBack: [],
      timeoutMs: tool.definition.timeoutMs,
      limits: executionLimits(gateway.config(), tool.definition),
      capability: 'none',
      needs: {},
      reach: { endpoints: [] },
    },
    { onStdout: () => undefined, onStderr: () => undefined, signal: new AbortController().signal },
  );
  if (execution.exitCode !== 0) throw new Error(`the bare run ended with ${JSON.stringify(execution)}`);
}

/** Everything that a call passes behind the doors: input, policy, plan, room, run, answer. */
async function runEngine(gateway: Gateway): Promise<void> {
  await gateway.engine.call({
    tool: noopTool.name,
    input: {},
    principal: { id: 'bench', name: 'bench', scopes: new Set(SCOPES) },
    requestId: randomUUID(),
    signal: new AbortController().signal,
  });
}

/** Without any confinement: no user of its own, no limits, no directory, no look at what is left. */
async function runPlain(gateway: Gateway): Promise<void> {
  const child = spawn(programOf(gateway), [], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.resume();
  child.stderr.resume();
  const [exitCode] = (await once(child, 'close')) as [number | null];
  if (exitCode !== 0) throw new Error(`the plain process ended with ${exitCode}`);
}

function programOf(gateway: Gateway): string {
  const { path, fault } = gateway.registry.get(noopTool.name).availability;
  if (path === undefined) throw new Error(fault ?? 'the no-op program is not installed');
  return path;
}
