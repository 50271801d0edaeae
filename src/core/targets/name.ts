import { domainToASCII, domainToUnicode } from 'node:url';
import { type Cidr, widthOf } from './address.ts';
import { fault, type Parsed, parsed, quote } from './rules.ts';

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** A last label that begins with a letter: everything else is an address, a piece of one, or a range to some tool. */
const LAST_LABEL = /^[a-z][a-z0-9-]*$/;

/**
 * Reads one DNS name (RFC 1035, IDNA of UTS 46) and gives lower-case A-labels without the trailing dot. Refuses text
 * that IDNA would map to something else: full-width digits and ideographic dots would turn into an address.
 */
export function parseName(text: string): Parsed<string> {
  const lower = text.replace(/[A-Z]/g, (char) => char.toLowerCase());
  const given = lower.endsWith('.') ? lower.slice(0, -1) : lower;
  const last = given.slice(given.lastIndexOf('.') + 1);
  if (/^[\d.]+$/.test(given) || /^(?:\d.*|0x.*)$/.test(last)) {
    return fault(
      `${quote(text)} is not four decimal numbers; ranges, short, octal and hexadecimal forms are not taken`,
    );
  }
  const ascii = /^[ -~]*$/.test(given) ? parsed(given) : toAscii(given);
  if (!ascii.ok) return ascii;
  const name = ascii.value;
  const labels = name.split('.');
  if (name.length > 253) return fault('a name has at most 253 characters');
  const wrong = labels.find((label) => !LABEL.test(label));
  if (wrong !== undefined) return fault(`${quote(text)} is not a name: ${quote(wrong)} is not a label of one`);
  if (!LAST_LABEL.test(labels.at(-1) ?? '')) return fault('the last label of a name must begin with a letter');
  return labels.every(isRealLabel) ? parsed(name) : fault(`${quote(text)} has an xn-- label that stands for no text`);
}

/**
 * The block that a reverse name stands for: `10.0.77.10.in-addr.arpa` is 10.77.0.10/32, `77.10.in-addr.arpa` is
 * 10.77.0.0/16. Undefined when the name is not under in-addr.arpa or ip6.arpa; a fault when it is and is malformed.
 */
export function parseReverseName(name: string): Parsed<Cidr> | undefined {
  if (name === 'arpa' || name === 'in-addr.arpa' || name === 'ip6.arpa')
    return fault('name the reverse zone of a network');
  if (name.endsWith('.in-addr.arpa')) return parseReverse(name, 4);
  return name.endsWith('.ip6.arpa') ? parseReverse(name, 6) : undefined;
}

function parseReverse(name: string, family: 4 | 6): Parsed<Cidr> {
  const pieces = name.split('.').slice(0, -2).toReversed();
  const form = family === 4 ? /^(?:0|[1-9]\d{0,2})$/ : /^[0-9a-f]$/;
  const pieceBits = family === 4 ? 8 : 4;
  const values = pieces.map((piece) => (form.test(piece) ? Number.parseInt(piece, family === 4 ? 10 : 16) : 256));
  if (pieces.length * pieceBits > widthOf(family) || values.some((value) => value > 255)) {
    return fault(`${quote(name)} is not the reverse name of an address or a network`);
  }
  const prefix = pieces.length * pieceBits;
  const high = values.reduce((bits, value) => (bits << BigInt(pieceBits)) | BigInt(value), 0n);
  return parsed({ family, bits: high << BigInt(widthOf(family) - prefix), prefix });
}

function toAscii(given: string): Parsed<string> {
  const ascii = domainToASCII(given);
  // Only text that is already what IDNA makes of it: zero-width, bidirectional, full-width and ligature characters are not.
  if (ascii === '' || domainToUnicode(ascii) !== given) {
    return fault(`${quote(given)} is not a name in the form that IDNA gives it; use its xn-- form`);
  }
  return parsed(ascii);
}

function isRealLabel(label: string): boolean {
  if (!label.startsWith('xn--')) return true;
  const unicode = domainToUnicode(label);
  return unicode !== '' && unicode !== label && domainToASCII(unicode) === label;
}
