/** What stands where a secret was. */
export const MASK = '[redacted]';

interface Pattern {
  /** A text without this cannot match: most texts cost one search only. */
  readonly needs: RegExp;
  readonly find: RegExp;
  readonly put: string;
}

/** Secrets that are known by their form. Every quantifier is bounded or cannot overlap its neighbour (no ReDoS). */
const PATTERNS: readonly Pattern[] = [
  {
    needs: /PRIVATE KEY/,
    find: /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|$)/g,
    put: MASK,
  },
  // Header lines and properties: `Authorization: Bearer x`, `"cookie":"a=b; c=d"`.
  {
    needs: /authorization|cookie|api-key/i,
    find: /\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key)(\\?["']?\s{0,8}[:=]\s{0,8}\\?["']?)[^\r\n"'\\]{1,8192}/gi,
    put: `$1$2${MASK}`,
  },
  {
    needs: /bearer|basic/i,
    find: /\b(bearer|basic)\s{1,8}(?=[\w.~+/-]{0,64}[\d_.~+/=-]|[\w.~+/-]{20})[\w.~+/-]{8,8192}={0,2}/gi,
    put: `$1 ${MASK}`,
  },
  // Our own keys.
  { needs: /sp_/, find: /\bsp_[A-Za-z0-9]{1,16}_[\w-]{20,128}/g, put: MASK },
  // Credentials in a URL (RFC 3986 userinfo).
  {
    needs: /:\/\/[^\s/?#]*@/,
    find: /\b([a-z][a-z0-9+.-]{0,31}:\/\/)[^\s/?#"'<>]{1,512}@/gi,
    put: `$1${MASK}@`,
  },
  {
    needs: /access_token|api_?key|client_secret|refresh_token/i,
    find: /\b(access_token|refresh_token|api_?key|client_secret)=[^\s&"'<>#]{1,4096}/gi,
    put: `$1=${MASK}`,
  },
  { needs: /A(?:KIA|SIA)/, find: /\bA(?:KIA|SIA)[A-Z0-9]{16}\b/g, put: MASK },
  {
    needs: /aws_secret/i,
    find: /\b(aws_secret_access_key["']?\s{0,8}[:=]\s{0,8}["']?)[A-Za-z0-9/+]{40}/gi,
    put: `$1${MASK}`,
  },
  // JSON Web Tokens (RFC 7519).
  { needs: /eyJ/, find: /(?<![\w-])eyJ[\w-]{8,8192}\.[\w-]{8,8192}\.[\w-]{0,8192}/g, put: MASK },
];

/** Masks what is secret by its form. */
export function maskPatterns(text: string): string {
  return PATTERNS.reduce(
    (masked, { needs, find, put }) => (needs.test(masked) ? masked.replace(find, put) : masked),
    text,
  );
}

/** Names of properties whose values are secret whatever they look like: header names only, in any case. */
export const SECRET_NAMES: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x-api-key',
]);
