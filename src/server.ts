import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';
import { Redis } from 'ioredis';
import { createMetrics, type Metrics } from '../plugins/metrics.ts';
import type { Config } from '../schemas/config.ts';
import { buildApp } from './app.ts';
import { isLoopback, loadConfig, readEnvironment } from './config.ts';
import { systemClock } from './core/clock.ts';
import { ERRORS } from './core/errors.ts';
import type { LogEvent } from './core/log.ts';
import { launcherPlaceOf } from './core/execution/launcher.ts';
import { readPrivileges } from './core/execution/privileges.ts';
import { readHardLimits } from './core/execution/proc.ts';
import { createRedactor } from './core/redaction/redactor.ts';
import { expandOwnEndpoints } from './core/targets/own-endpoints.ts';
import { loadTools } from './core/tool/discovery.ts';
import { isSelected } from './core/tool/patterns.ts';
import type { Store } from './core/store/types.ts';
import { createGateway, type Gateway, type GatewayParts } from './gateway.ts';
import { brokenSettings } from './gateway/configuration-faults.ts';
import { createLogger } from './logger.ts';
import { createOutbound } from './outbound.ts';
import { type DataDir, openDataDir } from './store/data-dir.ts';
import { ensureFirstKey } from './store/first-key.ts';
import { openStore } from './store/store.ts';
import { VERSION } from './version.ts';

const ROOT = resolve(import.meta.dirname, '..');
const redactor = createRedactor();
const logger = createLogger<LogEvent>({ level: 'info', redactor, destination: process.stdout });

// A reader of our log that went away (`up --foreground | head`) must not end the scans that run.
process.stdout.on('error', () => undefined);

/** The process: configuration → store → gateway → app → listen → signals. */
async function main(): Promise<void> {
  readPrivileges(); // before anything is opened or made: root's files would stay behind
  const allTools = await loadTools(join(ROOT, 'src', 'tools'));
  const environment = readEnvironment();
  const load = () =>
    loadConfig({
      environment,
      toolNames: allTools.map((tool) => tool.name),
      further: (config) => brokenSettings(config, allTools),
    });
  const loaded = load();
  const { config } = loaded;
  logger.setLevel(config.log.level);
  logger.info('config.loaded', { file: loaded.file ?? 'none', port: config.port, host: config.host });

  const dataDir = await openDataDir(resolve(config.dataDir));
  try {
    await start({ loaded, load, dataDir, tools: allTools.filter((tool) => isSelected(tool.name, config.tools)) });
  } catch (thrown) {
    dataDir.close();
    throw thrown;
  }
}

type Start = Pick<GatewayParts, 'loaded' | 'load' | 'tools'> & { readonly dataDir: DataDir };

async function start({ loaded, load, dataDir, tools }: Start): Promise<void> {
  const store = await openStore(dataDir.path);
  try {
    await serveFrom(store, { loaded, load, dataDir, tools });
  } catch (thrown) {
    await store.close();
    throw thrown;
  }
}

async function serveFrom(store: Store, { loaded, load, dataDir, tools }: Start): Promise<void> {
  const { config } = loaded;
  const metrics = createMetrics();
  const redisUrl = config.rateLimit.redisUrlFile === '' ? undefined : readSecretUrl(config.rateLimit.redisUrlFile);
  const gateway = await createGateway({
    loaded,
    load,
    tools,
    dataDir,
    store,
    ownAddresses: redisUrl === undefined ? [] : redisAddress(redisUrl),
    redactor,
    clock: systemClock,
    recorder: metrics.recorder,
    log: logger,
    version: VERSION,
    launcher: launcherPlaceOf(ROOT),
    outbound: createOutbound(),
    outboundSecrets: {
      approvals: readSecret(config.approvals.webhookSecretFile),
      anchor: readSecret(config.audit.anchorWebhookSecretFile),
    },
  });
  const loopback = isLoopback(config.host);
  const { bootstrapKeyFile, host } = config;
  const firstKey = await ensureFirstKey({
    store: store.keys,
    dataDir: dataDir.path,
    bootstrapKeyFile,
    loopback,
    clock: systemClock,
  });
  if (firstKey.kind !== 'present') logger.info('key.created', { ...firstKey });

  const { address, stop } = await serve(gateway, { config, metrics, redisUrl });
  announceOwnPlace(gateway, { host, port: Number(new URL(address).port) });
  const graceMs = () => gateway.config().shutdownGraceMs;
  handleSignals({
    gateway,
    graceMs,
    stop,
    release: async () => {
      await store.close();
      dataDir.close();
    },
    withdraw: () => dataDir.removeAddress(),
  });
  // Last: whoever finds this file finds a gateway that answers.
  dataDir.writeAddress(clientAddress(address));
  logger.info('gateway.started', { address, version: gateway.version, layers: gateway.executor.layers });
}

/** Time that answers which are being written get once everything else has ended. */
const CLOSE_MS = 1000;

interface Serving {
  readonly config: Config;
  readonly metrics: Metrics;
  readonly redisUrl: string | undefined;
}

async function serve(gateway: Gateway, { config, metrics, redisUrl }: Serving) {
  const redis = redisUrl === undefined ? undefined : connectRedis(redisUrl);
  const app = await buildApp(gateway, {
    metrics,
    logger: logger.fastifyLogger,
    maxDescriptors: readHardLimits()('Max open files'),
    redis,
    tls: readTls(config),
  });
  const address = await app.listen({ host: config.host, port: config.port });
  const stop = async () => {
    // A client that sent nothing, or half a request, must not keep us from ending: Node waits for it without a limit.
    const cut = setTimeout(() => app.server.closeAllConnections(), CLOSE_MS);
    await app.close();
    clearTimeout(cut);
    redis?.disconnect();
  };
  return { address, stop };
}

/** The content of a file with a secret, masked from here on; undefined when none is named. */
function readSecret(path: string): string | undefined {
  if (path === '') return undefined;
  return readSecretUrl(path);
}

function readSecretUrl(path: string): string {
  const url = readFileSync(path, 'utf8').trim();
  redactor.register(url);
  return url;
}

/** Redis holds our counters: no tool may be pointed at it. A name is left to the scope, which knows no public one. */
function redisAddress(url: string): string[] {
  const { hostname, port } = new URL(url);
  return /^[\d.]+$|^\[/.test(hostname) ? [`${hostname}:${port || '6379'}`] : [];
}

function connectRedis(url: string): Redis {
  const redis = new Redis(url, { connectTimeout: 500, maxRetriesPerRequest: 1, enableOfflineQueue: true });
  // Without a listener an unreachable Redis would end the process; each request that needs it is refused anyway.
  redis.on('error', () => undefined);
  return redis;
}

function readTls({ tls }: Config) {
  if (tls.certFile === '') return undefined;
  return {
    cert: readFileSync(tls.certFile),
    key: readFileSync(tls.keyFile),
    ...(tls.clientCaFile === '' ? {} : { clientCa: readFileSync(tls.clientCaFile) }),
  };
}

function announceOwnPlace(gateway: Gateway, { host, port }: { host: string; port: number }): void {
  const interfaces = Object.values(networkInterfaces()).flatMap((entries) =>
    (entries ?? []).map((entry) => entry.address),
  );
  const hosts = host === 'localhost' ? ['127.0.0.1', '::1'] : [host];
  gateway.listensAt(
    expandOwnEndpoints(
      hosts.map((address) => ({ address, port })),
      interfaces,
    ),
  );
}

/** Where a client on this machine reaches us: a wildcard is no address to connect to. */
function clientAddress(address: string): string {
  return address.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}

interface Stopping {
  readonly gateway: Gateway;
  readonly graceMs: () => number;
  readonly stop: () => Promise<void>;
  readonly release: () => Promise<void>;
  /** Whoever looks for a gateway must not find one that is ending. */
  readonly withdraw: () => void;
}

/** TERM and INT: no new work, running calls get their grace, then their trees end. HUP: the configuration anew. */
function handleSignals({ gateway, graceMs, stop, release, withdraw }: Stopping): void {
  let isStopping = false;
  const end = async (signal: string) => {
    if (isStopping) return;
    isStopping = true;
    withdraw();
    logger.info('gateway.stopped', { signal, active: gateway.executor.active, graceMs: graceMs() });
    // First the calls, then the connections: closing a connection would end the call behind it.
    await gateway.drain(graceMs());
    await gateway.close();
    await stop();
    await release();
    process.exit(0);
  };
  process.on('SIGTERM', () => void end('SIGTERM'));
  process.on('SIGINT', () => void end('SIGINT'));
  process.on('SIGHUP', () => gateway.reload());
  // For whoever has a shell and no key: everything ends.
  process.on('SIGUSR2', () => gateway.permission.killSwitch.engageBySignal());
}

// What a start waits for may hold nothing open itself (threads, files): without this the process could end in between.
const alive = setInterval(() => undefined, 60_000);
try {
  await main();
  clearInterval(alive);
} catch (thrown) {
  const { code, message, details } = describeFailure(thrown);
  logger.error('gateway.stopped', { code, message, details, ...(code === 'ERR_INTERNAL' ? { err: thrown } : {}) });
  process.exit(1);
}

/** Faults of the configuration are for the operator to read; anything unexpected comes with its stack. */
function describeFailure(thrown: unknown): { code: string; message: string; details?: unknown } {
  const { code, details } = (thrown ?? {}) as { code?: unknown; details?: unknown };
  const known = typeof code === 'string' && Object.hasOwn(ERRORS, code) ? code : 'ERR_INTERNAL';
  return { code: known, message: thrown instanceof Error ? thrown.message : 'unknown', details };
}
