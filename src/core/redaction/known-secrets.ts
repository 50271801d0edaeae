import { spellingsOf } from './spellings.ts';

/** Where something stands in a text: from the first number up to the second. */
export type Range = readonly [number, number];

/** Bounds of a set of known secrets. */
export interface KnownSecretsLimits {
  /** Secrets known at once; the one registered first leaves when another comes. Default: no bound. */
  readonly maxSecrets?: number;
  /** Shortest value that is searched for inside texts; not below 6. */
  readonly minLength?: number;
}

interface Known {
  readonly spellings: readonly string[];
  holders: number;
}

interface Spelled {
  users: number;
  /** Of the longest spelling that begins so. */
  length: number;
}

interface Head {
  users: number;
  /** Bit n: something of HEAD + n characters begins so. Bits stay until the head goes: they cost a look, no more. */
  lengths: number;
}

/** Characters that select what is looked for at a position. Every spelling has as many. */
const HEAD = 6;
/**
 * Characters that are compared. A text that agrees so far with a longer secret is masked as far as that one would
 * reach: so the end of a secret that was cut off is masked too, and the cost per position has a bound.
 */
const COMPARED = 32;
const SLOTS = 16_384;
/** Of a longer secret this much, and its length, tell it from others. */
const MAX_NAME_LENGTH = 512;

/**
 * Secrets that are known by their value, and the search for all their spellings in one pass. Whatever the secrets and
 * the texts are, adding one costs its length, and a search costs at most 27 look-ups per character of the text.
 */
export class KnownSecrets {
  private readonly known = new Map<string, Known>();
  private readonly spelled = new Map<string, Spelled>();
  private readonly heads = new Map<string, Head>();
  /** How many spellings begin with characters of this slot: most positions of a text are ruled out by it alone. */
  private readonly slots = new Uint32Array(SLOTS);
  private readonly maxSecrets: number;
  private readonly minLength: number;

  constructor({ maxSecrets = Number.POSITIVE_INFINITY, minLength = HEAD }: KnownSecretsLimits = {}) {
    this.maxSecrets = maxSecrets;
    this.minLength = Math.max(minLength, HEAD);
  }

  /** Whether the whole text is a known secret. */
  has(text: string): boolean {
    return this.known.has(secretName(text));
  }

  /** Makes a secret known; answers how to let go of it. */
  register(secret: string): () => void {
    if (secret === '') return () => undefined;
    const name = secretName(secret);
    const entry = this.known.get(name) ?? this.add(secret);
    entry.holders += 1;
    // To the end of the queue: what is in use is forgotten last.
    this.known.delete(name);
    this.known.set(name, entry);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      entry.holders -= 1;
      if (entry.holders === 0 && this.known.get(name) === entry) this.forget(name, entry);
    };
  }

  private add(secret: string): Known {
    const isSearched = secret.length >= this.minLength && !/^[\d.:/-]*$/.test(secret);
    const spellings = isSearched ? spellingsOf(secret) : [];
    for (const [oldest, other] of this.known) {
      if (this.known.size < this.maxSecrets) break;
      this.forget(oldest, other);
    }
    for (const spelling of spellings) this.spell(spelling);
    // What is compared is enough to take it out again: long secrets need no memory.
    return { spellings: spellings.map(comparedOf), holders: 0 };
  }

  private spell(spelling: string): void {
    const compared = comparedOf(spelling);
    const spelled = this.spelled.get(compared) ?? { users: 0, length: 0 };
    spelled.users += 1;
    spelled.length = Math.max(spelled.length, spelling.length);
    this.spelled.set(compared, spelled);
    const start = compared.slice(0, HEAD);
    const head = this.heads.get(start) ?? { users: 0, lengths: 0 };
    head.users += 1;
    head.lengths |= 1 << (compared.length - HEAD);
    this.heads.set(start, head);
    this.count(start, 1);
  }

  private forget(name: string, { spellings }: Known): void {
    this.known.delete(name);
    for (const compared of spellings) {
      // Two secrets may share a spelling: it goes with the last of them.
      release(this.spelled, compared);
      const start = compared.slice(0, HEAD);
      release(this.heads, start);
      this.count(start, -1);
    }
  }

  private count(start: string, by: 1 | -1): void {
    const slot = slotAt(start, 0);
    this.slots[slot] = (this.slots[slot] ?? 0) + by;
  }

  /** Where secrets stand in a text, in order. Matches that overlap are one range, so that no end of a secret stays. */
  rangesIn(text: string): readonly Range[] {
    const ranges: [number, number][] = [];
    if (this.heads.size === 0) return ranges;
    for (let at = 0; at + HEAD <= text.length; at += 1) {
      if (this.slots[slotAt(text, at)] === 0) continue;
      const length = this.longestAt(text, at);
      if (length === 0) continue;
      const end = Math.min(at + length, text.length);
      const last = ranges.at(-1);
      if (last !== undefined && at <= last[1]) last[1] = Math.max(last[1], end);
      else ranges.push([at, end]);
    }
    return ranges;
  }

  private longestAt(text: string, at: number): number {
    let lengths = this.heads.get(text.slice(at, at + HEAD))?.lengths ?? 0;
    while (lengths !== 0) {
      const bit = 31 - Math.clz32(lengths);
      const end = at + HEAD + bit;
      const spelled = end > text.length ? undefined : this.spelled.get(text.slice(at, end));
      if (spelled !== undefined) return spelled.length;
      lengths &= ~(1 << bit);
    }
    return 0;
  }
}

function release(from: Map<string, { users: number }>, key: string): void {
  const found = from.get(key);
  if (found === undefined) return;
  found.users -= 1;
  if (found.users === 0) from.delete(key);
}

/** What tells a secret from others; bounded, unlike the secret. */
export function secretName(secret: string): string {
  return secret.length <= MAX_NAME_LENGTH ? secret : `${secret.slice(0, MAX_NAME_LENGTH)}\0${secret.length}`;
}

function comparedOf(spelling: string): string {
  // Copied: a slice would keep the whole spelling in memory.
  return spelling.length <= COMPARED
    ? spelling
    : Buffer.from(spelling.slice(0, COMPARED), 'utf16le').toString('utf16le');
}

function slotAt(text: string, at: number): number {
  const first = text.charCodeAt(at) * 29_791 + text.charCodeAt(at + 1) * 961;
  return (first + text.charCodeAt(at + 2) * 31 + text.charCodeAt(at + 3)) % SLOTS;
}
