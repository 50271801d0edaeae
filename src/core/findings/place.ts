import { formatAddress, formatCidr, isSingle, parseCidr } from '../targets/address.ts';
import { parseName } from '../targets/name.ts';

const WITH_SCHEME = /^([a-z][a-z0-9+.-]{0,31}:\/\/)([^/?#]*)(.*)$/is;

/**
 * One spelling for one place: RFC 5952 addresses, lower-case A-label names without the trailing dot, WHATWG URLs; any
 * other text with its ASCII letters in lower case. Two runs that were given the same place in two spellings then agree.
 */
export function canonicalPlace(text: string): string {
  const block = parseCidr(text);
  if (block.ok) return isSingle(block.value) ? formatAddress(block.value) : formatCidr(block.value);
  const url = WITH_SCHEME.exec(text);
  if (url !== null) {
    const [, scheme = '', authority = '', rest = ''] = url;
    const lower = `${lowerAscii(scheme)}${lowerAscii(authority)}${rest}`;
    // Only of http and https the path is known to mean the same after normalising.
    return /^https?:/.test(lower) ? (URL.parse(lower)?.href ?? lower) : lower;
  }
  const name = parseName(text);
  return name.ok ? name.value : lowerAscii(text);
}

/** Where a finding is: its address, without one its target, in canonical spelling. */
export function placeOf(finding: { readonly target: string; readonly address?: string | undefined }): string {
  return canonicalPlace(finding.address ?? finding.target);
}

function lowerAscii(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
