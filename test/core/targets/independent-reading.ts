/**
 * A second reading of the rules, written without the product's code and without its library: intervals of big integers.
 * The property tests compare the two.
 */

interface Interval {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

/** Strict text of an address → number, by its own small parser. Throws on anything else. */
export function numberOf(text: string): { family: 4 | 6; value: bigint } {
  if (!text.includes(':')) return { family: 4, value: quad(text) };
  const dot = text.lastIndexOf(':') + 1;
  const tail = text.includes('.') ? quad(text.slice(dot)) : undefined;
  const hex =
    tail === undefined ? text : `${text.slice(0, dot)}${(tail >> 16n).toString(16)}:${(tail % 65536n).toString(16)}`;
  const [left = '', right] = hex.split('::');
  const [high, low] = [groups(left), groups(right ?? '')];
  const middle = right === undefined ? [] : Array.from({ length: 8 - high.length - low.length }, () => 0n);
  return { family: 6, value: [...high, ...middle, ...low].reduce((sum, group) => sum * 65536n + group, 0n) };
}

function groups(half: string): readonly bigint[] {
  return half === '' ? [] : half.split(':').map((group) => BigInt(`0x${group}`));
}

function quad(text: string): bigint {
  const numbers = text.split('.').map(Number);
  if (numbers.length !== 4 || numbers.some((n) => !(n >= 0 && n < 256))) throw new Error(text);
  return numbers.reduce((sum, n) => sum * 256n + BigInt(n), 0n);
}

/** First and last address of a CIDR text. */
export function intervalOf(text: string): Interval {
  const [base = '', length] = text.split('/');
  const { family, value } = numberOf(base);
  const size = 2n ** BigInt((family === 4 ? 32 : 128) - Number(length ?? (family === 4 ? 32 : 128)));
  const first = (value / size) * size;
  return { family, first, last: first + size - 1n };
}

/** The text of a number, all groups written out. */
export function textOf(family: 4 | 6, value: bigint): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  return Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 65535n).toString(16)).join(':');
}

/** True when the two share an address. */
export function meet(a: Interval, b: Interval): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/** True when every address of `wanted` lies in one of the intervals. Sweeps from the first to the last address. */
export function covered(wanted: Interval, by: readonly Interval[]): boolean {
  let next = wanted.first;
  for (const interval of by.toSorted((a, b) => (a.first < b.first ? -1 : 1))) {
    if (interval.family === wanted.family && interval.first <= next && interval.last >= next) next = interval.last + 1n;
  }
  return next > wanted.last;
}

/** The ranges of the design that nothing lifts, loopback included. */
export const NEVER = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
  '100.100.100.200',
  '168.63.129.16',
  '::/3',
  '4000::/2',
  '8000::/2',
  'c000::/3',
  'e000::/4',
  'f000::/5',
  'f800::/6',
  'fe00::/7',
  '2001:db8::/32',
  '3fff::/20',
  'fd00:ec2::254',
  'fd20:ce::254',
].map(intervalOf);

/** 2001::/23 without Teredo. */
export const PROTOCOL_ASSIGNMENTS: Interval = {
  family: 6,
  first: intervalOf('2001:1::/32').first,
  last: intervalOf('2001:1ff::/32').last,
};
