import { estimateTokens } from './tokens.ts';

// Controls, format characters (bidi overrides: CVE-2021-42574, tag characters), and what is drawn as nothing.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{DI}]/gu;

/**
 * Shows characters that terminals and models obey without anybody seeing them, as JSON escapes: a banner must not
 * carry hidden text. Inside JSON the value stays the same.
 */
export function visible(text: string): string {
  return text.replace(HIDDEN, escaped);
}

/** The same for every text in a value, where line feeds may stay because JSON escapes them. */
export function visibleValue(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(HIDDEN, (hidden) => (hidden === '\n' ? hidden : escaped(hidden)));
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(visibleValue);
  return Object.fromEntries(Object.entries(value).map(([name, child]) => [visible(name), visibleValue(child)]));
}

/** The beginning of a text, not ending in half a character. */
export function startOf(text: string, chars: number): string {
  return text.slice(0, chars).replace(/[\ud800-\udbff]$/, '');
}

/** The text, or as much of its beginning as a number of tokens holds. */
export function withinTokens(text: string, tokens: number): string {
  let kept = text;
  for (let size = estimateTokens(kept); size > tokens && kept.length > 1; size = estimateTokens(kept))
    kept = `${startOf(kept, Math.min(kept.length - 2, Math.floor((kept.length * tokens) / size) - 3))}…`;
  return kept;
}

function escaped(hidden: string): string {
  return hidden
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}
