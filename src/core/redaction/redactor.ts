import { KnownSecrets } from './known-secrets.ts';
import { MASK, maskPatterns, SECRET_NAMES } from './patterns.ts';

/** Bounds of a redactor. */
export interface RedactorLimits {
  /** Secrets known at once; the one registered first leaves when another comes. */
  readonly maxSecrets?: number;
  /** Shortest value that is searched for inside texts. */
  readonly minLength?: number;
}

/** Masks secrets on every channel: reply, resource, log, metric, export. */
export interface Redactor {
  /**
   * Makes a value known. Answers how to forget it; a value registered twice is forgotten once both have let go.
   * A value that is too short or looks like an address or a number is masked only where it is a whole text: a caller who
   * could register `10.0.0.1` or `open` would hide what it did from the log.
   */
  register(secret: string): () => void;
  redactText(text: string): string;
  /** A copy with every text masked. Bounded in depth and size; cycles, buffers and errors become plain data. */
  redactValue(value: unknown): unknown;
}

const MAX_SECRETS = 1000;
/** Of a longer secret only this much is searched for. */
const MAX_SECRET_LENGTH = 16_384;
const MIN_LENGTH = 6;
const MAX_DEPTH = 32;
const MAX_NODES = 200_000;
/** Makes a redactor. Nothing is global: whoever writes to a channel is handed one. */
export function createRedactor(limits: RedactorLimits = {}): Redactor {
  const secrets = new KnownSecrets(limits.maxSecrets ?? MAX_SECRETS, limits.minLength ?? MIN_LENGTH);
  const redactText = (text: string): string => (secrets.has(text) ? MASK : maskPatterns(maskKnown(text, secrets)));
  return {
    register: (secret) => secrets.register(secret.slice(0, MAX_SECRET_LENGTH)),
    redactText,
    redactValue: (value) => redactDeep(value, { redactText, left: MAX_NODES }, 0),
  };
}

function maskKnown(text: string, secrets: KnownSecrets): string {
  let masked = '';
  let copied = 0;
  for (const [start, end] of secrets.rangesIn(text)) {
    masked += text.slice(copied, start) + MASK;
    copied = end;
  }
  return copied === 0 ? text : masked + text.slice(copied);
}

interface Walk {
  readonly redactText: (text: string) => string;
  left: number;
}

function redactDeep(value: unknown, walk: Walk, depth: number): unknown {
  if (typeof value === 'string') return walk.redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  walk.left -= 1;
  if (depth >= MAX_DEPTH || walk.left < 0) return '[too deep]';
  // As JSON a buffer is a list of numbers: a spelling of a secret that no search would find.
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[binary, ${value.byteLength} bytes]`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) return value.map((item) => redactDeep(item, walk, depth + 1));
  if (value instanceof Set) return [...value].map((item) => redactDeep(item, walk, depth + 1));
  const entries =
    value instanceof Map ? [...value].map(([key, item]) => [String(key), item] as const) : entriesOf(value);
  return Object.fromEntries(
    entries.map(([key, item]) => [
      walk.redactText(key),
      SECRET_NAMES.has(key.toLowerCase()) ? MASK : redactDeep(item, walk, depth + 1),
    ]),
  );
}

function entriesOf(value: object): readonly (readonly [string, unknown])[] {
  const own = Object.keys(value).map((key) => [key, valueOf(value, key)] as const);
  if (!(value instanceof Error)) return own;
  // These are not enumerable, and they are what an error is read for.
  const named = ['name', 'message', 'stack', 'cause'].map((key) => [key, valueOf(value, key)] as const);
  return [
    ...named.filter(([, item]) => item !== undefined),
    ...own.filter(([key]) => !named.some(([name]) => name === key)),
  ];
}

/** A property whose getter throws must not take the log line with it. */
function valueOf(value: object, key: string): unknown {
  try {
    return (value as Record<string, unknown>)[key];
  } catch {
    return '[unreadable]';
  }
}
