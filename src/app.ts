import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyServerOptions, LogController } from 'fastify';
import type { Redis } from 'ioredis';
import approvals from '../plugins/approvals.ts';
import auditRoutes from '../plugins/audit.ts';
import auth from '../plugins/auth.ts';
import docs from '../plugins/docs.ts';
import engagements from '../plugins/engagements.ts';
import errors from '../plugins/errors.ts';
import events from '../plugins/events.ts';
import exports from '../plugins/exports.ts';
import findings from '../plugins/findings.ts';
import health from '../plugins/health.ts';
import hostGuard from '../plugins/host-guard.ts';
import kill from '../plugins/kill.ts';
import mcp from '../plugins/mcp.ts';
import metricsPlugin, { type Metrics } from '../plugins/metrics.ts';
import operations from '../plugins/operations.ts';
import overload from '../plugins/overload.ts';
import plans from '../plugins/plans.ts';
import principalLimit from '../plugins/principal-limit.ts';
import rateLimit from '../plugins/rate-limit.ts';
import requestContext from '../plugins/request-context.ts';
import runEvents from '../plugins/run-events.ts';
import runHistory from '../plugins/run-history.ts';
import runs from '../plugins/runs.ts';
import scope from '../plugins/scope.ts';
import secrets from '../plugins/secrets.ts';
import securityHeaders from '../plugins/security-headers.ts';
import tools from '../plugins/tools.ts';
import wordlists from '../plugins/wordlists.ts';
import type { Gateway } from './gateway.ts';

/** What an app needs besides its gateway; everything arrives as an argument. */
export interface AppParts {
  readonly metrics: Metrics;
  /** Fastify's own few lines go through the same redaction as ours. */
  readonly logger: FastifyServerOptions['loggerInstance'];
  /** Shared rate-limit counters; in memory when absent. */
  readonly redis?: Redis | undefined;
  /** Descriptors that this process may have open. */
  readonly maxDescriptors: number;
  /** PEM texts; plain HTTP when absent. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer; readonly clientCa?: Buffer } | undefined;
}

/** Builds the HTTP side without listening. The order of registration is the way of a request, top to bottom. */
export async function buildApp(gateway: Gateway, parts: AppParts): Promise<FastifyInstance> {
  const { log, recorder, registry } = gateway;
  const { audit } = gateway.permission;
  const app = newServer(gateway, parts);
  // Connections without a key must not use up the descriptors that tools, logs and the store need.
  app.server.maxConnections = Math.min(gateway.config().maxConnections, Math.floor(parts.maxDescriptors / 2));
  // JSON is the only thing read here; text would reach the routes as an unparsed string.
  app.removeContentTypeParser('text/plain');

  // id and log line, then how errors look, what is measured and what every answer carries
  await app.register(requestContext, { log });
  await app.register(errors, { log, redactor: gateway.redactor });
  await app.register(metricsPlugin, { metrics: parts.metrics });
  await app.register(securityHeaders);
  // right host and origin? overloaded? too many from this address? who is calling? too many of theirs?
  await app.register(hostGuard, {
    allowedHosts: gateway.allowedHosts,
    allowedOrigins: gateway.allowedOrigins,
    log,
    recorder,
  });
  await app.register(overload, { maxEventLoopLagMs: () => gateway.config().health.maxEventLoopLagMs });
  await app.register(rateLimit, { limits: () => gateway.config().rateLimit, redis: parts.redis, log, recorder });
  await app.register(auth, { authenticator: gateway.authenticator, log, recorder });
  await app.register(principalLimit);
  // which operation
  await app.register(docs, { version: gateway.version });
  await app.register(health, { health: gateway.health, executor: gateway.executor });
  await app.register(tools, { registry, views: gateway.views, setEnabled: gateway.setToolEnabled, audit, log });
  await registerPolicy(app, gateway);
  await registerRuns(app, gateway);
  await app.register(operations, {
    startedAt: gateway.startedAt,
    clock: gateway.clock,
    stats: gateway.stats,
    shownConfig: gateway.shownConfig,
  });
  await app.register(events, { bus: gateway.events, maxStreams: () => gateway.config().eventStreams, recorder });
  await app.register(secrets, { secrets: gateway.secrets, audit, log });
  await app.register(wordlists, { wordlists: gateway.wordlists });
  await registerMcp(app, gateway);
  return app;
}

/** The same over MCP. */
async function registerMcp(app: FastifyInstance, gateway: Gateway): Promise<void> {
  const { log, recorder, permission } = gateway;
  await app.register(mcp, {
    registry: gateway.registry,
    runs: gateway.engine,
    history: gateway.history,
    policy: { planner: gateway.planner, scopeOf: gateway.scopeOf },
    permits: { allows: gateway.permits, onChange: (listener) => permission.engagements.onChange(listener) },
    approvals: permission.approvals,
    inlineWaitMs: () => gateway.config().runs.inlineWaitMs,
    log,
    clock: gateway.clock,
    recorder,
    version: gateway.version,
    redactor: gateway.redactor,
    limits: () => gateway.config().mcp,
  });
}

/** What may run, who said so, what would run, and what happened. */
async function registerPolicy(app: FastifyInstance, gateway: Gateway): Promise<void> {
  const { desk, approvals: consent, killSwitch, audit } = gateway.permission;
  await app.register(engagements, { desk });
  await app.register(scope, { scopeOf: gateway.scopeOf });
  await app.register(plans, { registry: gateway.registry, planner: gateway.planner });
  await app.register(approvals, { approvals: consent });
  await app.register(kill, { killSwitch });
  await app.register(auditRoutes, { audit, version: gateway.version });
}

/** Starting a run, and everything that is known of runs afterwards. */
async function registerRuns(app: FastifyInstance, gateway: Gateway): Promise<void> {
  const { history, config, recorder, log } = gateway;
  await app.register(runs, {
    registry: gateway.registry,
    engine: gateway.engine,
    inlineWaitMs: () => config().runs.inlineWaitMs,
  });
  await app.register(runHistory, { history });
  await app.register(runEvents, { history, limits: () => config().runs, recorder, log });
  await app.register(findings, { history });
  await app.register(exports, { history });
}

const HEADERS_MS = 15_000;
const CHECK_MS = 5000;

/** Fastify's types make an HTTPS server another type; what plugins see of it is the same. */
function newServer(gateway: Gateway, { logger, tls }: AppParts): FastifyInstance {
  const config = gateway.config();
  const options: FastifyServerOptions = {
    ...(logger === undefined ? { logger: false } : { loggerInstance: logger }),
    logController: new LogController({ disableRequestLogging: true }),
    // Ids are ours: a caller's id in our log would let it forge the trail of somebody else's request.
    requestIdHeader: false,
    genReqId: () => randomUUID(),
    bodyLimit: config.bodyLimitBytes,
    trustProxy: config.trustProxy.length === 0 ? false : [...config.trustProxy],
    return503OnClosing: true,
    requestTimeout: config.requestTimeoutMs,
    clientErrorHandler,
    forceCloseConnections: 'idle',
    // Reject, never repair: Fastify's defaults would turn "5" into 5 and drop what it does not know.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: true, allErrors: true } },
    routerOptions: { ignoreTrailingSlash: false, caseSensitive: true },
  };
  const limits = {
    headersTimeout: Math.min(HEADERS_MS, config.requestTimeoutMs),
    connectionsCheckingInterval: CHECK_MS,
  };
  if (tls === undefined) return Fastify({ ...options, http: limits } as FastifyServerOptions);
  const { cert, key, clientCa } = tls;
  const https = {
    ...limits,
    cert,
    key,
    minVersion: 'TLSv1.2',
    ...(clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
  } as const;
  return Fastify({ ...options, https } as FastifyServerOptions);
}

const BROKEN: Readonly<Record<string, readonly [status: string, code: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'ERR_INPUT_INVALID', 'The headers are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'ERR_INPUT_INVALID', 'The request did not come in time.'],
};

/** Answers what never became a request with our error body, and closes. */
function clientErrorHandler(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const [status, code, message] = BROKEN[error.code ?? ''] ?? [
    '400 Bad Request',
    'ERR_INPUT_INVALID',
    'This is no HTTP request.',
  ];
  const body = JSON.stringify({ code, message, requestId: randomUUID() });
  const head = `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}`;
  socket.end(`${head}\r\nConnection: close\r\n\r\n${body}`);
}
