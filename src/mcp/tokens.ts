/**
 * How many tokens a model's tokenizer makes of a text at most: an estimate without a vocabulary, meant to be too high
 * rather than too low (byte-level BPE, as the tests measure it). Linear in the length.
 */
export function estimateTokens(text: string): number {
  let tokens = 0;
  for (const [piece] of text.matchAll(PIECES)) tokens += costOf(piece);
  return Math.ceil(tokens);
}

// What no tokenizer joins: runs of letters of one case, of digits, of white space, of signs, and everything beyond ASCII.
const PIECES = /[A-Z]?[a-z]+|[A-Z]+|[0-9]+|\s+|[!-/:-@[-`{-~]+|[^\s!-~]+/g;

// oxlint-disable-next-line no-control-regex -- everything that is not ASCII to be seen
const BEYOND = /[^\s!-~]|[\u0080-\uffff]/;

/** Signs between the parts of a JSON document, which tokenizers know. */
const JOINTS: Readonly<Record<string, number>> = {
  '":"': 1,
  '","': 1,
  '":': 1,
  ',"': 1,
  '{"': 1,
  '"}': 1,
  '":{"': 1,
  '":["': 1,
  '"]': 1,
  '"],"': 2,
  '"},"': 2,
  '},"': 2,
  '],"': 2,
  '},{"': 1,
  '"},{"': 1,
  '":[{"': 2,
  '"}],"': 2,
  '"}]': 2,
  '":[],"': 2,
  '":{},"': 3,
};

function costOf(piece: string): number {
  // A token is at least one byte, so this bound holds for every text.
  if (BEYOND.test(piece)) return Buffer.byteLength(piece);
  if (/^\d/.test(piece)) return Math.ceil(piece.length / 2);
  if (piece === ' ') return 0.5;
  if (/^[ \n]+$/.test(piece)) return Math.ceil(piece.length / 2);
  if (/^[A-Za-z]/.test(piece)) return wordCost(piece);
  return Object.hasOwn(JOINTS, piece) ? (JOINTS[piece] ?? 0) : piece.length;
}

const VOWEL = /[aeiouy]/;
const UNSPEAKABLE = /[^aeiouy]{5}|[aeiouy]{4}/;

/** What reads like a word is mostly one token; what does not (a key, a hash) is cut into pairs of letters. */
function wordCost(word: string): number {
  const isWord = word.length <= 20 && VOWEL.test(word) && !UNSPEAKABLE.test(word);
  return Math.ceil(isWord ? word.length / 3 : word.length * 0.75);
}
