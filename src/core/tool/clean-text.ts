import { cleanText as clean } from '../redaction/untrusted.ts';

/**
 * A text of a tool's output made safe to show: no terminal escapes, control, format or invisible characters, lines
 * kept, cut at `maxLength` UTF-16 units with a marker that says how much is missing. It stays untrusted: data for a
 * field, never part of a sentence of ours.
 */
export function cleanText(text: string, maxLength: number): string {
  return clean(text, maxLength, { keepNewlines: true });
}

/** The first `maxLength` UTF-16 units of a text, or one less where that would leave half of a surrogate pair. */
export function startOf(text: string, maxLength: number): string {
  return text.slice(0, maxLength).replace(/[\ud800-\udbff]$/, '');
}
