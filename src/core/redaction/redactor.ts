import { MASK, maskPatterns, SECRET_NAMES } from './patterns.ts';
import { spellingsOf } from './spellings.ts';

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

interface Known {
  readonly spellings: readonly string[];
  holders: number;
}

const MAX_SECRETS = 1000;
/** Characters of all secrets together: their spellings take about twenty-five times as much memory. */
const MAX_CHARACTERS = 524_288;
/** Of a longer secret only this much is searched for. */
const MAX_SECRET_LENGTH = 16_384;
const MIN_LENGTH = 6;
const MAX_DEPTH = 16;
const MAX_NODES = 200_000;
/** Characters that select the candidates at a position. */
const HEAD = 4;

/** Makes a redactor. Nothing is global: whoever writes to a channel is handed one. */
export function createRedactor(limits: RedactorLimits = {}): Redactor {
  const secrets = new KnownSecrets(limits.maxSecrets ?? MAX_SECRETS, limits.minLength ?? MIN_LENGTH);
  const redactText = (text: string): string =>
    secrets.has(text) ? MASK : maskPatterns(maskKnown(text, secrets.index));
  return {
    register: (secret) => secrets.register(secret.slice(0, MAX_SECRET_LENGTH)),
    redactText,
    redactValue: (value) => redactDeep(value, { redactText, left: MAX_NODES }, 0),
  };
}

class KnownSecrets {
  /** Spellings by their first characters. */
  readonly index = new Map<string, string[]>();
  private readonly known = new Map<string, Known>();
  private readonly maxSecrets: number;
  private readonly minLength: number;
  private characters = 0;

  constructor(maxSecrets: number, minLength: number) {
    this.maxSecrets = maxSecrets;
    this.minLength = Math.max(minLength, HEAD);
  }

  has(text: string): boolean {
    return this.known.has(text);
  }

  register(secret: string): () => void {
    if (secret === '') return () => undefined;
    const entry = this.known.get(secret) ?? this.add(secret);
    entry.holders += 1;
    // To the end of the queue: what is in use is forgotten last.
    this.known.delete(secret);
    this.known.set(secret, entry);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      entry.holders -= 1;
      if (entry.holders === 0 && this.known.get(secret) === entry) this.forget(secret, entry);
    };
  }

  private add(secret: string): Known {
    const isSearched = secret.length >= this.minLength && !/^[\d.:/-]*$/.test(secret);
    const entry = { spellings: isSearched ? spellingsOf(secret) : [], holders: 0 };
    for (const [oldest, other] of this.known) {
      if (this.known.size < this.maxSecrets && this.characters + secret.length <= MAX_CHARACTERS) break;
      this.forget(oldest, other);
    }
    this.known.set(secret, entry);
    this.characters += secret.length;
    for (const spelling of entry.spellings) {
      const head = spelling.slice(0, HEAD);
      this.index.set(head, [...(this.index.get(head) ?? []), spelling]);
    }
    return entry;
  }

  private forget(secret: string, { spellings }: Known): void {
    this.known.delete(secret);
    this.characters -= secret.length;
    for (const spelling of spellings) {
      const head = spelling.slice(0, HEAD);
      const candidates = this.index.get(head) ?? [];
      const at = candidates.indexOf(spelling);
      // Two secrets may share a spelling: one of the two entries goes.
      const left = at < 0 ? candidates : candidates.toSpliced(at, 1);
      if (left.length === 0) this.index.delete(head);
      else this.index.set(head, left);
    }
  }
}

/** One pass over the text; matches that overlap are masked as one, so that no end of a secret stays. */
function maskKnown(text: string, index: ReadonlyMap<string, readonly string[]>): string {
  if (index.size === 0) return text;
  let masked = '';
  let copied = 0;
  let start = -1;
  let end = -1;
  for (let at = 0; at + HEAD <= text.length; at += 1) {
    const candidates = index.get(text.slice(at, at + HEAD));
    if (candidates === undefined) continue;
    const longest = candidates.reduce(
      (most, each) => (text.startsWith(each, at) ? Math.max(most, each.length) : most),
      0,
    );
    if (longest === 0) continue;
    if (at > end) {
      if (start >= 0) {
        masked += text.slice(copied, start) + MASK;
        copied = end;
      }
      start = at;
    }
    end = Math.max(end, at + longest);
  }
  if (start < 0) return text;
  return masked + text.slice(copied, start) + MASK + text.slice(end);
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
