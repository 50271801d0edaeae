import { type Logger as Pino, pino, stdTimeFunctions } from 'pino';

/** What masks secrets; the gateway's one redactor fits. */
export interface LogRedactor {
  /** Masks values, never names of fields or our own ids, codes and events. */
  redactLogged(value: unknown): unknown;
}

/** What the logger needs. */
export interface LoggerInput {
  readonly level: string;
  readonly redactor: LogRedactor;
  /** Where the lines go: standard output, or standard error when standard output carries a protocol. */
  readonly destination: { write(line: string): void };
}

/** Writes events of a closed list as JSON lines. Fields are data: nothing in them can end a line or forge a key. */
export interface Logger<Event extends string> {
  info(event: Event, fields?: Record<string, unknown>): void;
  warn(event: Event, fields?: Record<string, unknown>): void;
  error(event: Event, fields?: Record<string, unknown>): void;
  /** The same with fields on every line. */
  child(fields: Record<string, unknown>): Logger<Event>;
  /** Changes the lowest level written, here and in every child. */
  setLevel(level: string): void;
  /** For Fastify's `loggerInstance`. */
  readonly fastifyLogger: Pino;
}

/** Makes the logger. What it writes passes the redactor twice: fields before they are text, then the whole line. */
export function createLogger<Event extends string>({ level, redactor, destination }: LoggerInput): Logger<Event> {
  const root = pino(
    {
      base: null,
      level,
      timestamp: stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => safeFields(fields, redactor),
      },
      serializers: { req: requestFields, res: replyFields, err: (error: unknown) => redactor.redactLogged(error) },
      hooks: { streamWrite: (line) => visible(redactLine(line, redactor)) },
    },
    destination,
  );
  return wrap<Event>(root, redactor);
}

function wrap<Event extends string>(logger: Pino, redactor: LogRedactor): Logger<Event> {
  return {
    info: (event, fields) => logger.info({ ...renamed(fields), event }),
    warn: (event, fields) => logger.warn({ ...renamed(fields), event }),
    error: (event, fields) => logger.error({ ...renamed(fields), event }),
    child: (fields) => wrap(logger.child(safeFields(renamed(fields), redactor)), redactor),
    setLevel: (level) => {
      logger.level = level;
    },
    fastifyLogger: logger,
  };
}

/** A field named like ours keeps its value under another name: it must not pass for the event of the line. */
function renamed(fields: Record<string, unknown> = {}): Record<string, unknown> {
  if (!Object.hasOwn(fields, 'event')) return fields;
  const { event, ...rest } = fields;
  return { ...rest, data_event: event };
}

/** Keys that pino writes itself: a second one of the same name would win in most JSON readers. */
const OWN_KEYS = new Set(['level', 'time', 'msg']);
/** Keys with a serializer, which reads a few named properties: walking a whole request would be slow and say too much. */
const SERIALIZED = new Set(['req', 'res', 'err']);

function safeFields(fields: Record<string, unknown>, redactor: LogRedactor): Record<string, unknown> {
  const entries = Object.entries(fields);
  const plain = Object.fromEntries(
    entries.filter(([key]) => !SERIALIZED.has(key)).map(([key, value]) => [named(key), value]),
  );
  const masked = redactor.redactLogged(plain) as Record<string, unknown>;
  return { ...masked, ...Object.fromEntries(entries.filter(([key]) => SERIALIZED.has(key))) };
}

function named(key: string): string {
  return OWN_KEYS.has(key) ? `data_${key}` : key;
}

/**
 * The same JSON with everything escaped that a terminal or a reader's eye would act on (C1 controls, direction marks,
 * line separators): JSON itself escapes C0 only, and a caller's text must not act when somebody looks at the log.
 */
function visible(line: string): string {
  return line.replace(
    /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * What the fields' pass has not seen: messages, texts of errors, fields bound by others. Value by value, because masking
 * inside JSON text could break its quoting and would miss what is quoted twice.
 */
function redactLine(line: string, redactor: LogRedactor): string {
  return `${JSON.stringify(redactor.redactLogged(JSON.parse(line)))}\n`;
}

/** The only request headers that are ever logged. Authorization and cookies are not among them. */
const LOGGED_HEADERS = [
  'host',
  'user-agent',
  'content-type',
  'content-length',
  'accept',
  'mcp-protocol-version',
] as const;

interface LoggedRequest {
  readonly method?: string;
  readonly url?: string;
  readonly ip?: string;
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>;
}

/** Method, path and allowed headers. The query stays out: callers put tokens there. */
function requestFields(request: LoggedRequest | undefined): Record<string, unknown> {
  const headers = LOGGED_HEADERS.flatMap((name) => {
    const value = request?.headers?.[name];
    return value === undefined ? [] : [[name, String(value).slice(0, 256)] as const];
  });
  return {
    method: request?.method,
    path: request?.url?.replace(/\?.*$/s, '').slice(0, 1024),
    address: request?.ip,
    headers: Object.fromEntries(headers),
  };
}

function replyFields(reply: { readonly statusCode?: number } | undefined): Record<string, unknown> {
  return { status: reply?.statusCode };
}
