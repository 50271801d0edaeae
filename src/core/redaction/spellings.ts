/** Shortest encoded piece that is searched for: a shorter one would be found in ordinary text. */
const MIN_PIECE = 6;

/** A text in printable ASCII, everything else written as its code point in hexadecimal digits. */
export function escapedText(text: string): string {
  return text.replace(/[^ -~]/gu, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}

/**
 * Every spelling in which a secret travels: raw, inside JSON and with our own escapes, in lower case (as the name of a
 * host), URL-encoded (component, strict, form, every byte), hex, and base64 in both alphabets at each of the three
 * alignments it can have inside a longer text.
 */
export function spellingsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret, 'utf8');
  const hex = bytes.toString('hex');
  const everyByte = hex.replace(/../g, '%$&');
  const component = encodeURIComponent(secret.toWellFormed());
  const strict = component.replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
  const texts = [
    secret,
    JSON.stringify(secret).slice(1, -1),
    escapedText(JSON.stringify(secret).slice(1, -1)),
    // Of a word alone it would be a word of every page: `Password` must not take out each `password`.
    ...(/[^a-z]/i.test(secret) ? [secret.toLowerCase()] : []),
    component,
    lowerEscapes(component),
    strict,
    lowerEscapes(strict),
    strict.replaceAll('%20', '+'),
    lowerEscapes(strict).replaceAll('%20', '+'),
    everyByte,
    everyByte.toUpperCase(),
    hex,
    hex.toUpperCase(),
    ...[0, 1, 2].flatMap((offset) => base64At(bytes, offset)),
  ];
  return [...new Set(texts)].filter((text) => text === secret || text.length >= MIN_PIECE);
}

function lowerEscapes(text: string): string {
  return text.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase());
}

/** The characters of a base64 text that depend on the secret only, when `offset` bytes stand before it in its group. */
function base64At(bytes: Buffer, offset: number): readonly string[] {
  const padded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
  const piece = padded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
  return [piece, piece.replaceAll('+', '-').replaceAll('/', '_')];
}
