// Controls, format characters (bidi overrides: CVE-2021-42574; tag characters that smuggle instructions to a model),
// lone surrogates, line separators, and everything that is drawn as nothing.
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{DI}\p{Zl}\p{Zp}]/gu;
// A backslash that a target put before `u{` would read as an escape of ours.
const LOOKALIKE = /\\(?=u\{)/g;

/** One line of text in which every character shows: a control, bidi or other invisible one stands as `\u{202e}`. */
export function visible(text: string): string {
  return text.replace(LOOKALIKE, '\\u{5c}').replace(INVISIBLE, escaped);
}

/** The same for text of several lines: line feeds stay. */
export function visibleLines(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

/** The escape that stands for one character. */
export function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/**
 * One JSON value (RFC 8259) on one line, with invisible characters and `<` as `\uXXXX`: the value is the same, and
 * neither a terminal, an editor nor a browser that takes the file for HTML acts on it.
 */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(INVISIBLE, units).replaceAll('<', '\\u003c');
}

function units(character: string): string {
  let text = '';
  for (let at = 0; at < character.length; at += 1) {
    text += `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
  }
  return text;
}

/** The text, or its first `maxLength` UTF-16 units and how many characters were left out and where they are. */
export function shortened(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const start = text.slice(0, maxLength).replace(/[\ud800-\udbff]$/, '');
  return `${start}…[${text.length - start.length} more characters are left out here; the JSON export has them]`;
}
