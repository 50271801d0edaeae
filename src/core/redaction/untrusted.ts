/** How a text of a target is cleaned. */
export interface CleanOptions {
  /** Newlines stay (for multi-line banners); without it they become spaces. */
  readonly keepNewlines?: boolean;
}

// What a terminal would act on (ECMA-48): CSI with its parameters, the string sequences OSC, DCS, SOS, PM and APC up to
// their terminator, and the short escapes.
// oxlint-disable no-control-regex -- control characters are the point
const CONTROL_SEQUENCE = /(?:\u001b\[|\u009b)[0-?]{0,256}[ -/]{0,16}[@-~]/g;
const STRING_START = /\u001b[\]PX^_]|[\u009d\u0090\u0098\u009e\u009f]/g;
const STRING_STOP = /\u0007|\u001b\\?|\u009c/g;
const SHORT_ESCAPE = /\u001b[ -/]{0,16}[0-~]/g;
// oxlint-enable no-control-regex
/** Longest content of a string sequence, UTF-16 units. */
const MAX_STRING = 8192;

// Controls, format characters (bidi overrides: CVE-2021-42574; zero width; tag characters that smuggle instructions to
// a model), lone surrogates, and everything that is drawn as nothing (variation selectors, fillers).
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{DI}]/gu;

/**
 * A text that came from a target, made safe to show and to hand to a model: at most `maxLength` UTF-16 units, then a
 * marker that says how many were cut. It stays untrusted: data for a field, never part of a sentence of ours.
 */
export function cleanText(text: string, maxLength: number, options: CleanOptions = {}): string {
  // Cleaning costs no more than the field may hold (a 100 MB banner); eight times, because sequences fall away.
  const bounded = text.slice(0, maxLength * 8 + 1024);
  const kept = withoutStrings(bounded.replace(CONTROL_SEQUENCE, ''))
    .replace(SHORT_ESCAPE, '')
    .replace(/\r\n?|[\u0085\u2028\u2029]/g, '\n')
    .replace(/[\t\v\f]/g, ' ')
    .split('\n')
    .map((part) => part.replace(INVISIBLE, ''))
    .join(options.keepNewlines === true ? '\n' : ' ');
  const skipped = text.length - bounded.length;
  if (kept.length <= maxLength && skipped === 0) return kept;
  // A pair must not be cut into a lone surrogate.
  const start = kept.slice(0, maxLength).replace(/[\ud800-\udbff]$/, '');
  return `${start}…[cut ${kept.length - start.length + skipped} characters]`;
}

/**
 * A string that is never terminated loses its introducer only, by the steps that follow: otherwise one byte of a banner
 * would hide everything after it. Both searches only go forward: a banner of introducers without a terminator must not
 * be searched to its end from each of them (CWE-1333).
 */
function withoutStrings(text: string): string {
  let kept = '';
  let copied = 0;
  let stop = { start: -1, end: -1, ends: false };
  const stops = new RegExp(STRING_STOP);
  for (const { index, 0: introducer } of text.matchAll(STRING_START)) {
    const content = index + introducer.length;
    if (index < copied) continue;
    if (stop.start < content) stop = nextStop(stops, text, content);
    if (!stop.ends || stop.start - content > MAX_STRING) continue;
    kept += text.slice(copied, index);
    copied = stop.end;
  }
  return kept + text.slice(copied);
}

/** The first character that ends a string or breaks it off: an escape that does not terminate begins something else. */
function nextStop(stops: RegExp, text: string, from: number): { start: number; end: number; ends: boolean } {
  stops.lastIndex = from;
  const found = stops.exec(text);
  if (found === null) return { start: Number.POSITIVE_INFINITY, end: text.length, ends: false };
  return { start: found.index, end: stops.lastIndex, ends: found[0] !== '\u001b' };
}

/** Bounds of a tool result. */
export interface ResultLimits {
  /** Characters of one text. */
  readonly maxText: number;
  /** Entries of one list, and properties of one object. */
  readonly maxItems: number;
  readonly maxDepth: number;
}

/** One place where a result was shortened. */
export interface Cut {
  /** Dotted path in the result. */
  readonly path: string;
  readonly kind: 'text' | 'items' | 'depth';
  /** How many characters, entries or levels are missing. */
  readonly omitted: number;
}

/** A result that fits, and what is missing from it: "not listed" is then not "not there". */
export interface CleanedResult {
  readonly value: unknown;
  readonly cuts: readonly Cut[];
}

/** Cleans every text of a parsed result and bounds its lists and depth. The input is not changed. */
export function cleanResult(value: unknown, limits: ResultLimits): CleanedResult {
  const cuts: Cut[] = [];
  return { value: cleanDeep(value, '', { limits, cuts, depth: 0 }), cuts };
}

interface Walk {
  readonly limits: ResultLimits;
  readonly cuts: Cut[];
  readonly depth: number;
}

function cleanDeep(value: unknown, path: string, walk: Walk): unknown {
  if (typeof value === 'string') return cleanField(value, path, walk);
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'boolean' || value === null) return value;
  if (typeof value !== 'object') return undefined;
  if (walk.depth >= walk.limits.maxDepth) {
    walk.cuts.push({ path, kind: 'depth', omitted: 1 });
    return null;
  }
  const inner = { ...walk, depth: walk.depth + 1 };
  if (Array.isArray(value)) {
    return bounded(value, path, walk).map((item, at) => cleanDeep(item, join(path, String(at)), inner) ?? null);
  }
  // A property name may come from the target as well (a header name).
  const entries = bounded(Object.entries(value), path, walk).map(([key, item]) => {
    const name = cleanText(key, 256);
    return [name, cleanDeep(item, join(path, name), inner)] as const;
  });
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
}

function cleanField(text: string, path: string, { limits, cuts }: Walk): string {
  const cleaned = cleanText(text, limits.maxText, { keepNewlines: true });
  if (cleaned.length > limits.maxText) cuts.push({ path, kind: 'text', omitted: text.length - limits.maxText });
  return cleaned;
}

function bounded<T>(items: readonly T[], path: string, { limits, cuts }: Walk): readonly T[] {
  if (items.length <= limits.maxItems) return items;
  cuts.push({ path, kind: 'items', omitted: items.length - limits.maxItems });
  return items.slice(0, limits.maxItems);
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
