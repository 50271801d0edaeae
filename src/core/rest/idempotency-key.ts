import { SallyportError } from '../errors.ts';

/** A string of RFC 9651 section 3.3.3: printable ASCII, with `"` and `\` escaped. */
const QUOTED = /^"((?:[ !#-[\]-~]|\\["\\])*)"$/;
/** What clients send in practice: a bare UUID or the like. Two header lines arrive joined by a comma, so none is here. */
const BARE = /^[A-Za-z0-9!#$%&'*+.^_`|~:/=@-]+$/;
const MAX_CHARACTERS = 255;

/**
 * Reads an Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header): a quoted string, or the same bare.
 * Throws ERR_INPUT_INVALID when it is neither, empty or longer than 255 characters.
 */
export function idempotencyKeyOf(header: string | readonly string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const text = typeof header === 'string' ? header : '';
  const key = BARE.test(text) ? text : QUOTED.exec(text)?.[1]?.replace(/\\(.)/g, '$1');
  if (key !== undefined && key !== '' && key.length <= MAX_CHARACTERS) return key;
  throw new SallyportError(
    'ERR_INPUT_INVALID',
    `Idempotency-Key is one quoted text of 1 to ${MAX_CHARACTERS} printable ASCII characters.`,
    { details: { header: 'Idempotency-Key' } },
  );
}
