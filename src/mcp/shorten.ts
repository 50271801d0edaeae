import { estimateTokens } from './tokens.ts';
import { startOf, visible } from './visible.ts';

/** What was left out of one answer, and can be read by its path. */
export interface Shortened {
  /** Dotted path; `*` stands for every entry of a list. */
  readonly path: string;
  readonly kind: 'text' | 'items';
  /** Characters or entries, over everything that the path stands for. */
  readonly omitted: number;
}

/** A value that fits, and what is missing from it. */
export interface ShortValue {
  readonly value: unknown;
  readonly shortened: readonly Shortened[];
}

/** From nearly everything to almost nothing; the first that fits is taken. */
const RUNGS = [
  { items: 400, chars: 4000 },
  { items: 200, chars: 2000 },
  { items: 100, chars: 1000 },
  { items: 60, chars: 500 },
  { items: 40, chars: 300 },
  { items: 25, chars: 200 },
  { items: 15, chars: 150 },
  { items: 10, chars: 120 },
  { items: 6, chars: 100 },
  { items: 4, chars: 80 },
  { items: 2, chars: 60 },
  { items: 1, chars: 40 },
  { items: 1, chars: 16 },
] as const;

/** No text has more characters than this for one token of the estimate. */
const MAX_CHARS_PER_TOKEN = 8;

/** The value within a number of tokens, the list of what is missing included; undefined when nothing of it fits. */
export function shorten(value: unknown, tokens: number): ShortValue | undefined {
  for (const rung of [WHOLE, ...RUNGS]) {
    const walk: Walk = { ...rung, left: tokens * MAX_CHARS_PER_TOKEN, missing: new Map() };
    const short = shortenDeep(value, '', walk);
    if (walk.left < 0) continue;
    const shortened = [...walk.missing.values()];
    if (tokensOf(short) + (shortened.length === 0 ? 0 : tokensOf(shortened)) <= tokens)
      return { value: short, shortened };
  }
  return undefined;
}

/** Tokens of a value as JSON in which nothing is hidden: as a text has it, which is the longer form. */
export function tokensOf(value: unknown): number {
  return estimateTokens(visible(JSON.stringify(value) ?? ''));
}

const WHOLE = { items: Number.POSITIVE_INFINITY, chars: Number.POSITIVE_INFINITY };

interface Walk {
  readonly items: number;
  readonly chars: number;
  /** Characters that may still be taken: a result of megabytes must not be written out to learn that it is too large. */
  left: number;
  readonly missing: Map<string, Shortened>;
}

function shortenDeep(value: unknown, path: string, walk: Walk): unknown {
  walk.left -= typeof value === 'string' ? Math.min(value.length, walk.chars) : 1;
  if (walk.left < 0) return null;
  if (typeof value === 'string') {
    if (value.length <= walk.chars) return value;
    const start = startOf(value, walk.chars);
    note(walk, { path, kind: 'text', omitted: value.length - start.length });
    return `${start}…`;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (!Array.isArray(value)) return shortenObject(value, path, walk);
  const kept = value.slice(0, walk.items);
  if (kept.length < value.length) note(walk, { path, kind: 'items', omitted: value.length - kept.length });
  return kept.map((child) => shortenDeep(child, join(path, '*'), walk));
}

/** Every property stays: a schema asks for them, and one that is missing would read as "there is none". */
function shortenObject(value: object, path: string, walk: Walk): unknown {
  return Object.fromEntries(
    Object.entries(value).map(([name, child]) => {
      walk.left -= name.length;
      return [name, shortenDeep(child, join(path, name), walk)];
    }),
  );
}

function note({ missing }: Walk, cut: Shortened): void {
  const key = `${cut.kind} ${cut.path}`;
  missing.set(key, { ...cut, omitted: cut.omitted + (missing.get(key)?.omitted ?? 0) });
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
