/** How the texts of a finding are made safe before they are stored. */
export interface FindingText {
  /** Without control, format and invisible characters and terminal escapes, bounded by `maxLength` and a marker. */
  clean(text: string, maxLength: number): string;
  /** A copy with every secret masked. */
  mask<T>(value: T): T;
}

/**
 * What is cleaned beyond a field's bound before it is masked and cut: a secret that lies across the bound must be seen
 * as a whole, or its first half would stay.
 */
export const MASK_MARGIN = 4096;

/** A field of one line: cleaned, masked, at most `maxLength` UTF-16 units with its marker; '' for what is no text. */
export function lineField(value: unknown, maxLength: number, text: FindingText): string {
  if (typeof value !== 'string') return '';
  return cutText(maskedText(value, maxLength, text).replace(/\n/g, ' '), maxLength, value.length);
}

/** The same with the lines that `clean` keeps. */
export function blockField(value: unknown, maxLength: number, text: FindingText): string {
  return typeof value === 'string' ? cutText(maskedText(value, maxLength, text), maxLength, value.length) : '';
}

/**
 * At most `maxLength` UTF-16 units, or the marker alone where it does not fit in; what is longer ends with the marker,
 * which says how much of `whole` is missing.
 */
export function cutText(text: string, maxLength: number, whole = text.length): string {
  if (text.length <= maxLength) return text;
  const total = Math.max(whole, text.length);
  const room = Math.max(0, maxLength - markerOf(total).length);
  // A pair must not be cut into a lone surrogate.
  const start = text.slice(0, room).replace(/[\ud800-\udbff]$/, '');
  return start + markerOf(total - start.length);
}

function maskedText(value: string, maxLength: number, text: FindingText): string {
  return text.mask(text.clean(value, maxLength + MASK_MARGIN));
}

function markerOf(count: number): string {
  return `…[cut ${count} characters]`;
}
