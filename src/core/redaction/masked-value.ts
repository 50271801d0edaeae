import { MASK, maskPatterns, SECRET_NAMES } from './patterns.ts';

/** How the texts of a value are masked. */
export interface TextMasks {
  readonly text: (text: string) => string;
  /** Names of properties whose texts are ours (codes, ids): `structuralText` masks them instead. */
  readonly structural?: ReadonlySet<string>;
  readonly structuralText?: (text: string) => string;
}

interface Walk extends TextMasks {
  left: number;
}

const MAX_DEPTH = 32;
const MAX_NODES = 200_000;

/**
 * A copy with every text masked. Bounded in depth and size; cycles, buffers and errors become plain data. Names of
 * properties are masked by form only (a key of ours used as a name): names are in our schemas, and a secret that is equal
 * to one (`message`) would take the property out of the answer.
 */
export function maskValue(value: unknown, masks: TextMasks): unknown {
  return maskDeep(value, { ...masks, left: MAX_NODES }, 0);
}

function maskDeep(value: unknown, walk: Walk, depth: number): unknown {
  if (typeof value === 'string') return walk.text(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  walk.left -= 1;
  if (depth >= MAX_DEPTH || walk.left < 0) return '[too deep]';
  // As JSON a buffer is a list of numbers: a spelling of a secret that no search would find.
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[binary, ${value.byteLength} bytes]`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) return value.map((item) => maskDeep(item, walk, depth + 1));
  if (value instanceof Set) return [...value].map((item) => maskDeep(item, walk, depth + 1));
  const entries =
    value instanceof Map ? [...value].map(([key, item]) => [String(key), item] as const) : entriesOf(value);
  return Object.fromEntries(
    entries.map(([key, item], at) => [maskName(key, at), maskProperty(key, item, { walk, depth })]),
  );
}

function maskName(name: string, at: number): string {
  const masked = maskPatterns(name);
  // Numbered: the second of two masked names must not replace the first.
  return masked === name ? name : `${masked} ${at}`;
}

function maskProperty(name: string, item: unknown, { walk, depth }: { walk: Walk; depth: number }): unknown {
  if (SECRET_NAMES.has(name.toLowerCase())) return MASK;
  if (typeof item === 'string' && walk.structural?.has(name) === true) return (walk.structuralText ?? walk.text)(item);
  return maskDeep(item, walk, depth + 1);
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
