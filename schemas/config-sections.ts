import { Type } from '@sinclair/typebox';
import { allAtStart, atStart, flag, integer, list, section, text } from './config-keys.ts';
import { RiskSchema } from './risk.ts';

// Hard safety tops are the `maximum`s here. A configured value above one is refused at start, never clamped
// (docs/adr/0001-refuse-never-clamp.md).
const HOUR = 3_600_000;
const MIB = 1_048_576;

/** The keys of the top level. */
export const GATEWAY = {
  host: atStart(
    text('Address to listen on. Anything but loopback needs TLS or insecureBehindProxy, and a key.', '127.0.0.1'),
  ),
  port: atStart(integer('TCP port; 0 takes a free one.', { default: 8080, minimum: 0, maximum: 65_535, unit: 'port' })),
  dataDir: atStart(text('Directory of everything durable, relative to the working directory.', './data')),
  allowedHosts: list('Host header names accepted besides the listening address and localhost, without port.', []),
  allowedOrigins: list('Origins accepted from browsers besides our own, as scheme://host[:port].', []),
  trustProxy: atStart(list('Addresses or networks of reverse proxies whose X-Forwarded-For is believed.', [])),
  insecureBehindProxy: atStart(flag('Listen without TLS on a non-loopback address; only with trustProxy set.', false)),
  bootstrapKeyFile: atStart(
    text('File that holds the first API key (for containers). Empty: one is generated on loopback.', ''),
  ),
  bodyLimitBytes: atStart(
    integer('Largest request body.', { default: MIB, minimum: 1024, maximum: 16 * MIB, unit: 'bytes' }),
  ),
  maxConnections: atStart(
    integer('Open connections in all; never more than half of the descriptors that the process may have.', {
      default: 1000,
      minimum: 1,
      maximum: 100_000,
      unit: 'connections',
    }),
  ),
  requestTimeoutMs: atStart(
    integer('Time in which a client must have sent its whole request.', {
      default: 30_000,
      minimum: 1000,
      maximum: 300_000,
      unit: 'ms',
    }),
  ),
  shutdownGraceMs: integer('Time that running calls get at SIGTERM before they are ended.', {
    default: 5000,
    minimum: 0,
    maximum: 300_000,
    unit: 'ms',
  }),
  eventStreams: integer('Open /v1/events streams in all.', {
    default: 100,
    minimum: 1,
    maximum: 10_000,
    unit: 'streams',
  }),
};

/** The keys of `policy`. */
export const POLICY = section('What may be touched. Only the operator writes this.', {
  risk: {
    ...RiskSchema,
    description: 'Risk ceiling: tools and options above it answer ERR_RISK_TOO_HIGH.',
    default: 'active',
  },
  scope: section('Targets in and out of scope.', {
    allow: list('Networks (CIDR), addresses, names and wildcards like *.lab.internal that may be touched.', [
      '10.0.0.0/8',
      '172.16.0.0/12',
      '192.168.0.0/16',
      '*.lab.internal',
    ]),
    deny: list('The same forms; a match here wins over every allow.', []),
  }),
  denyPorts: list('Ports or ranges (502, 20000-20010) that no run may touch.', []),
  allowLoopback: flag(
    'Lets 127.0.0.0/8 and ::1 be in scope when allow lists them. For a lab on this machine only.',
    false,
  ),
});

/** The keys of `resolver`. */
export const RESOLVER = section('How target names are resolved, once, before a run.', {
  servers: list(
    'DNS servers as address or address:port; the first is the default server of dig. Empty: those of the system, read once at start.',
    [],
  ),
  timeoutMs: integer('Limit of one look-up.', { default: 3000, minimum: 100, maximum: 30_000, unit: 'ms' }),
  cacheEntries: integer('Names kept in the cache.', { default: 1000, minimum: 0, maximum: 100_000, unit: 'entries' }),
  cacheTtlMs: integer('Longest time an answer is kept.', { default: 30_000, minimum: 0, maximum: 300_000, unit: 'ms' }),
});

/** The keys of `rateLimit`. */
export const RATE_LIMIT = section('Requests per minute, before and after authentication.', {
  addressPerMinute: integer('Requests of one client address.', {
    default: 600,
    minimum: 1,
    maximum: 1_000_000,
    unit: 'requests/min',
  }),
  authFailuresPerMinute: integer(
    'Failed authentications of one client address before it is shut out for the rest of the minute.',
    { default: 20, minimum: 1, maximum: 10_000, unit: 'requests/min' },
  ),
  principalPerMinute: integer('Requests of one principal.', {
    default: 300,
    minimum: 1,
    maximum: 1_000_000,
    unit: 'requests/min',
  }),
  redisUrlFile: atStart(
    text('File that holds a redis:// or rediss:// URL for counters shared by several gateways. Empty: in memory.', ''),
  ),
});

/** The keys of `health`. */
export const HEALTH = section('Background health checks.', {
  intervalMs: integer('Time between two rounds.', { default: 15_000, minimum: 250, maximum: 300_000, unit: 'ms' }),
  timeoutMs: integer('Limit of one check.', { default: 5000, minimum: 100, maximum: 60_000, unit: 'ms' }),
  staleAfterMs: integer('Age at which a result counts as failing.', {
    default: 60_000,
    minimum: 1000,
    maximum: HOUR,
    unit: 'ms',
  }),
  maxEventLoopLagMs: integer('Event-loop delay (99th percentile of an interval) at which the gateway is not ready.', {
    default: 1000,
    minimum: 10,
    maximum: 60_000,
    unit: 'ms',
  }),
  minFreeDiskBytes: integer('Free space of the data directory below which health is degraded.', {
    default: 256 * MIB,
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    unit: 'bytes',
  }),
});

/** The keys of `mcp`. */
export const MCP = section('The /mcp endpoint.', {
  sessionIdleMs: integer('Idle time after which a session of the older era ends.', {
    default: 1_800_000,
    minimum: 1000,
    maximum: 24 * HOUR,
    unit: 'ms',
  }),
  sessionMaxMs: integer('Absolute life of a session.', {
    default: 12 * HOUR,
    minimum: 1000,
    maximum: 7 * 24 * HOUR,
    unit: 'ms',
  }),
  maxSessions: integer('Sessions in all.', { default: 1000, minimum: 1, maximum: 100_000, unit: 'sessions' }),
  maxSessionsPerPrincipal: integer('Sessions of one principal.', {
    default: 50,
    minimum: 1,
    maximum: 10_000,
    unit: 'sessions',
  }),
  progressIntervalMs: integer('Shortest time between two progress notifications of one call.', {
    default: 1000,
    minimum: 50,
    maximum: 60_000,
    unit: 'ms',
  }),
});

/** The keys of `tools.<name>`. */
export const TOOL = () =>
  section('Overrides of one tool; 0 keeps the tool’s own value. Checked against the tool’s tops at start.', {
    enabled: flag(
      'Whether the tool is offered. A switch at run time is remembered and wins until this key is changed while it runs.',
      true,
    ),
    timeoutMs: integer('Default and longest wall-clock limit of a run.', {
      default: 0,
      minimum: 0,
      maximum: HOUR,
      unit: 'ms',
    }),
    concurrency: integer('Runs of this tool at once.', { default: 0, minimum: 0, maximum: 16, unit: 'runs' }),
    maxQueued: integer('Runs of this tool that may wait.', {
      default: 256,
      minimum: 0,
      maximum: 10_000,
      unit: 'runs',
    }),
    stdoutBytes: integer('Cap of standard output.', {
      default: 8 * MIB,
      minimum: 1024,
      maximum: 64 * MIB,
      unit: 'bytes',
    }),
    stderrBytes: integer('Cap of standard error.', {
      default: 262_144,
      minimum: 1024,
      maximum: 8 * MIB,
      unit: 'bytes',
    }),
    breakerFailures: integer('Consecutive failures that open the circuit.', {
      default: 5,
      minimum: 1,
      maximum: 100,
      unit: 'failures',
    }),
    breakerOpenMs: integer(
      'First time the circuit stays open; doubles at each failed probe up to breakerMaxOpenMs, with jitter.',
      { default: 10_000, minimum: 100, maximum: HOUR, unit: 'ms' },
    ),
    breakerMaxOpenMs: integer('Longest time the circuit stays open.', {
      default: 300_000,
      minimum: 100,
      maximum: HOUR,
      unit: 'ms',
    }),
  });

/** The keys of `tls`. */
export const TLS = section(
  'TLS of the listener.',
  allAtStart({
    certFile: text('PEM certificate chain.', ''),
    keyFile: text('PEM private key.', ''),
    clientCaFile: text('PEM authorities of client certificates; set: a client certificate is required.', ''),
  }),
);

/** The keys of `log`. */
export const LOG = section('Logging, JSON lines on standard output.', {
  level: Type.Union(
    (['debug', 'info', 'warn', 'error'] as const).map((level) => Type.Literal(level)),
    { description: 'Lowest level written.', default: 'info' },
  ),
});

/** The keys of `wordlists`. */
export const WORDLISTS = section('Word lists offered by name.', {
  directories: list('Directories searched recursively; absolute.', [
    '/usr/share/dirb/wordlists',
    '/usr/share/nmap/nselib/data',
    '/usr/share/sqlmap/data/txt',
  ]),
});

/** The keys of `tools` that belong to no single tool. */
export const TOOL_CHOICE = allAtStart({
  include: list('Tool names or * patterns to load.', ['*']),
  exclude: list('Tool names or * patterns left out.', []),
});
