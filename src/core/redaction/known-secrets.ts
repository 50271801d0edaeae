import { spellingsOf } from './spellings.ts';

interface Known {
  readonly spellings: readonly string[];
  holders: number;
}

/** Characters of all secrets together: their spellings take about twenty-five times as much memory. */
const MAX_CHARACTERS = 524_288;
/** Characters that select the candidates at a position. */
const HEAD = 4;
const SLOTS = 65_536;

/** Secrets that are known by their value, and the search for all their spellings in one pass. Bounded in memory. */
export class KnownSecrets {
  /** Spellings by their first characters. */
  private readonly index = new Map<string, string[]>();
  /** How many spellings begin with characters of this slot: most positions of a text are ruled out by it alone. */
  private readonly slots = new Uint32Array(SLOTS);
  private readonly known = new Map<string, Known>();
  private readonly maxSecrets: number;
  private readonly minLength: number;
  private characters = 0;

  constructor(maxSecrets: number, minLength: number) {
    this.maxSecrets = maxSecrets;
    this.minLength = Math.max(minLength, HEAD);
  }

  /** Whether the whole text is a known secret. */
  has(text: string): boolean {
    return this.known.has(text);
  }

  /** Makes a secret known; answers how to let go of it. */
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
      this.count(head, 1);
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
      const left = candidates.toSpliced(at, 1);
      this.count(head, -1);
      if (left.length === 0) this.index.delete(head);
      else this.index.set(head, left);
    }
  }

  private count(head: string, by: 1 | -1): void {
    const slot = slotAt(head, 0);
    this.slots[slot] = (this.slots[slot] ?? 0) + by;
  }

  /** Where secrets stand in a text, in order. Matches that overlap are one range, so that no end of a secret stays. */
  rangesIn(text: string): readonly (readonly [number, number])[] {
    const ranges: [number, number][] = [];
    if (this.index.size === 0) return ranges;
    for (let at = 0; at + HEAD <= text.length; at += 1) {
      if (this.slots[slotAt(text, at)] === 0) continue;
      const end = this.endOfLongest(text, at);
      if (end === undefined) continue;
      const last = ranges.at(-1);
      if (last !== undefined && at <= last[1]) last[1] = Math.max(last[1], end);
      else ranges.push([at, end]);
    }
    return ranges;
  }

  private endOfLongest(text: string, at: number): number | undefined {
    const found = (this.index.get(text.slice(at, at + HEAD)) ?? []).filter((spelling) => text.startsWith(spelling, at));
    return found.length === 0 ? undefined : at + Math.max(...found.map(({ length }) => length));
  }
}

function slotAt(text: string, at: number): number {
  return (text.charCodeAt(at) * 961 + text.charCodeAt(at + 1) * 31 + text.charCodeAt(at + 2)) % SLOTS;
}
