import { SallyportError } from '../core/errors.ts';
import { shorten, tokensOf, type Shortened } from './shorten.ts';
import { startOf } from './visible.ts';

/** One part of a result: some entries of a list, some characters of a text, or a value as a whole. */
export interface ResultPart {
  readonly value: unknown;
  /** Entries or characters of the whole part; absent for what is neither a list nor a text. */
  readonly total?: number;
  /** Where the next part begins; absent at the end. */
  readonly nextOffset?: number;
  readonly shortened: readonly Shortened[];
}

/** The part of a result at a dotted path, from an offset, in a number of tokens. Throws ERR_INPUT_INVALID. */
export function partOf(result: unknown, at: { path: string; offset: number }, tokens: number): ResultPart {
  const found = at.path === '' ? { value: result } : find(result, at.path);
  if (found === undefined) throw refuse('/path', 'names nothing in this result');
  const { value } = found;
  if (!Array.isArray(value) && typeof value !== 'string') {
    if (at.offset > 0) throw refuse('/offset', 'is for lists and texts');
    return shorten(value, tokens) ?? { value: null, shortened: [{ path: '', kind: 'items', omitted: 1 }] };
  }
  if (at.offset > 0 && at.offset >= value.length) throw refuse('/offset', `must be below ${value.length}`);
  return typeof value === 'string' ? textPart(value, at.offset, tokens) : listPart(value, at.offset, tokens);
}

/** A name in a result may hold dots itself (a header), so every way to read the path is tried. */
function find(value: unknown, path: string): { value: unknown } | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  // Own properties only: `__proto__` and `length` name nothing (CWE-1321).
  for (const [name, child] of Object.entries(value)) {
    if (name === path) return { value: child };
    const found = path.startsWith(`${name}.`) ? find(child, path.slice(name.length + 1)) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function listPart(list: readonly unknown[], offset: number, tokens: number): ResultPart {
  const kept: unknown[] = [];
  let room = tokens;
  for (const item of list.slice(offset)) {
    const whole = shorten(item, room);
    if (whole === undefined || whole.shortened.length > 0) break;
    room -= tokensOf(item) + 1;
    kept.push(item);
  }
  if (kept.length === 0 && list.length > 0) return paged(list.length, offset + 1, single(list[offset], tokens));
  return paged(list.length, offset + kept.length, { value: kept, shortened: [] });
}

/** An entry that is too large alone: shortened, so that a reader can go on behind it. */
function single(item: unknown, tokens: number): ResultPart {
  const short = shorten([item], tokens);
  return short ?? { value: [null], shortened: [{ path: '*', kind: 'items', omitted: 1 }] };
}

function textPart(text: string, offset: number, tokens: number): ResultPart {
  let kept = startOf(text.slice(offset), tokens * 4);
  for (let size = tokensOf(kept); size > tokens && kept.length > 2; size = tokensOf(kept))
    kept = startOf(kept, Math.max(2, Math.floor((kept.length * tokens) / size) - 2));
  return paged(text.length, offset + kept.length, { value: kept, shortened: [] });
}

function paged(total: number, end: number, part: ResultPart): ResultPart {
  return { ...part, total, ...(end < total ? { nextOffset: end } : {}) };
}

function refuse(path: string, message: string): SallyportError {
  return new SallyportError('ERR_INPUT_INVALID', `The input does not fit the tool: ${path} ${message}.`, {
    details: { faults: [{ path, message }] },
  });
}
