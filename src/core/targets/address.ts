import ipaddr from 'ipaddr.js';
import { fault, type Parsed, parsed, quote } from './rules.ts';

/** An address block. A single address has the full prefix (32 or 128). Host bits are always zero. */
export interface Cidr {
  readonly family: 4 | 6;
  readonly bits: bigint;
  readonly prefix: number;
}

const OCTET = '(?:0|[1-9]\\d?|1\\d\\d|2[0-4]\\d|25[0-5])';
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const IPV4_TAIL = new RegExp(`^(.*:)(${OCTET}(?:\\.${OCTET}){3})$`);
const MAPPED = 0xffffn;

/** Number of bits of an address of the family. */
export function widthOf(family: 4 | 6): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** True for one single address. */
export function isSingle(cidr: Cidr): boolean {
  return cidr.prefix === widthOf(cidr.family);
}

/** Number of addresses in the block. Exact. */
export function countAddresses(cidr: Cidr): bigint {
  return 1n << BigInt(widthOf(cidr.family) - cidr.prefix);
}

/** True when every address of `inner` lies in `outer`. */
export function contains(outer: Cidr, inner: Cidr): boolean {
  if (outer.family !== inner.family || outer.prefix > inner.prefix) return false;
  const shift = BigInt(widthOf(outer.family) - outer.prefix);
  return outer.bits >> shift === inner.bits >> shift;
}

/** True when the blocks share an address: two blocks either nest or are apart. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return contains(a, b) || contains(b, a);
}

/** True when the union of `blocks` holds every address of `wanted` (10.0.0.0/9 and 10.128.0.0/9 hold 10.0.0.0/8). */
export function isCovered(wanted: Cidr, blocks: readonly Cidr[]): boolean {
  const near = blocks.filter((block) => overlaps(block, wanted));
  if (near.some((block) => contains(block, wanted))) return true;
  if (near.length < 2) return false;
  const prefix = wanted.prefix + 1;
  const upper = wanted.bits | (1n << BigInt(widthOf(wanted.family) - prefix));
  return isCovered({ ...wanted, prefix }, near) && isCovered({ ...wanted, bits: upper, prefix }, near);
}

/** The single IPv4 address of 32 bits. */
export function ipv4(bits: bigint): Cidr {
  return { family: 4, bits: bits & 0xffffffffn, prefix: 32 };
}

/**
 * Reads one address, strictly: four decimal numbers, or RFC 4291 text without a zone. An IPv4-mapped address is the same
 * endpoint as the IPv4 address inside it and is read as that one.
 */
export function parseAddress(text: string): Parsed<Cidr> {
  if (IPV4.test(text)) return parsed({ family: 4, bits: bitsOf(ipaddr.IPv4.parse(text).toByteArray()), prefix: 32 });
  if (!text.includes(':')) return fault(`${quote(text)} is not an address of four decimal numbers`);
  if (text.includes('%')) return fault('zone ids are not taken');
  const hex = hexTail(text);
  // ipaddr.js would read "::1.2.3.4" as mapped and "::ffff:0177.0.0.1" as octal: only hexadecimal text reaches it.
  if (!/^[0-9a-f:]{2,39}$/i.test(hex) || !ipaddr.IPv6.isValid(hex)) return fault(`${quote(text)} is not an address`);
  const bits = bitsOf(ipaddr.IPv6.parse(hex).toByteArray());
  return parsed(bits >> 32n === MAPPED ? ipv4(bits) : { family: 6, bits, prefix: 128 });
}

/** Reads an address or a block `base/length`, strictly: no masks, no host bits, no IPv4-mapped block. */
export function parseCidr(text: string): Parsed<Cidr> {
  const slash = text.indexOf('/');
  if (slash < 0) return parseAddress(text);
  const base = parseAddress(text.slice(0, slash));
  if (!base.ok) return base;
  const length = text.slice(slash + 1);
  // Tools read netmasks, host masks and "/08" each in their own way.
  if (!/^(0|[1-9]\d{0,2})$/.test(length)) return fault('the part after "/" must be a prefix length in decimal');
  const { family, bits } = base.value;
  if (family === 4 && text.includes(':')) return fault('write an IPv4 network in its IPv4 form');
  const width = widthOf(family);
  const prefix = Number(length);
  if (prefix > width) return fault(`the prefix length must be 0 to ${width}`);
  const shift = BigInt(width - prefix);
  const network: Cidr = { family, bits: (bits >> shift) << shift, prefix };
  if (network.bits !== bits) return fault(`host bits are set; the network is ${formatCidr(network)}`);
  return parsed(network);
}

/** The base address in canonical text (RFC 5952). */
export function formatAddress({ family, bits }: Cidr): string {
  const bytes = Array.from({ length: widthOf(family) / 8 }, (_, index) =>
    Number((bits >> BigInt(widthOf(family) - 8 - index * 8)) & 0xffn),
  );
  return family === 4 ? new ipaddr.IPv4(bytes).toString() : new ipaddr.IPv6(bytes).toRFC5952String();
}

/** The block in canonical text `base/length`. */
export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr)}/${cidr.prefix}`;
}

/** Reads a constant of this program. Throws a plain Error when it is misspelt. */
export function cidr(text: string): Cidr {
  const read = parseCidr(text);
  if (!read.ok) throw new Error(`constant ${text}: ${read.fault}`);
  return read.value;
}

function hexTail(text: string): string {
  const match = IPV4_TAIL.exec(text);
  if (match === null) return text;
  const bits = bitsOf(ipaddr.IPv4.parse(match[2] ?? '').toByteArray());
  return `${match[1] ?? ''}${(bits >> 16n).toString(16)}:${(bits & 0xffffn).toString(16)}`;
}

function bitsOf(bytes: readonly number[]): bigint {
  return bytes.reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n);
}
