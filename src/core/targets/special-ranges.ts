import { type Cidr, cidr, contains, formatCidr, ipv4, isCovered, isSingle, overlaps } from './address.ts';

interface SpecialRange {
  readonly block: Cidr;
  readonly what: string;
}

/** Ranges that no configuration lifts (IANA special-purpose registries, RFC 6890; cloud metadata). */
const DENIED: readonly SpecialRange[] = (
  [
    ['0.0.0.0/8', 'unspecified'],
    ['169.254.0.0/16', 'link-local, where cloud metadata lives'],
    ['100.100.100.200/32', 'cloud metadata'],
    ['168.63.129.16/32', 'cloud metadata'],
    ['192.0.0.0/24', 'IETF protocol assignments'],
    ['192.0.2.0/24', 'documentation'],
    ['192.88.99.0/24', '6to4 relay anycast'],
    ['198.18.0.0/15', 'benchmarks'],
    ['198.51.100.0/24', 'documentation'],
    ['203.0.113.0/24', 'documentation'],
    ['224.0.0.0/4', 'multicast'],
    ['240.0.0.0/4', 'reserved and broadcast'],
    ['2001:1::/32', 'IETF protocol assignments'],
    ['2001:2::/31', 'benchmarks and IETF protocol assignments'],
    ['2001:4::/30', 'IETF protocol assignments'],
    ['2001:8::/29', 'IETF protocol assignments'],
    ['2001:10::/28', 'overlay identifiers'],
    ['2001:20::/27', 'overlay identifiers'],
    ['2001:40::/26', 'IETF protocol assignments'],
    ['2001:80::/25', 'IETF protocol assignments'],
    ['2001:100::/24', 'IETF protocol assignments'],
    ['2001:db8::/32', 'documentation'],
    ['3fff::/20', 'documentation'],
    ['fd00:ec2::254/128', 'cloud metadata'],
    ['fd20:ce::254/128', 'cloud metadata'],
  ] as const
).map(([text, what]) => ({ block: cidr(text), what }));

const TEREDO = cidr('2001::/32');
const NAT64 = cidr('64:ff9b::/96');
const SIX_TO_FOUR = cidr('2002::/16');
const EMBEDDING = [TEREDO, NAT64, SIX_TO_FOUR];
const LOOPBACK = [cidr('127.0.0.0/8'), cidr('::1/128')];

/** IPv6 is denied unless it is global unicast, unique local, the well-known NAT64 prefix or loopback: fail closed. */
const IPV6_USABLE = [cidr('2000::/3'), cidr('fc00::/7'), NAT64, cidr('::1/128')];

/** Why the block is always denied, or undefined. A block is denied when any of its addresses is. */
export function alwaysDenied(block: Cidr): string | undefined {
  const special = DENIED.find((range) => overlaps(range.block, block));
  if (special !== undefined) return `${formatCidr(special.block)} is always denied (${special.what})`;
  if (block.family === 6 && !isCovered(block, IPV6_USABLE))
    return 'only unicast IPv6 (2000::/3, fc00::/7) can be allowed';
  return undefined;
}

/** True when every address of the block is always denied, so that allowing it could never have an effect. */
export function isWhollyDenied(block: Cidr): boolean {
  return (
    isCovered(
      block,
      DENIED.map((range) => range.block),
    ) ||
    (block.family === 6 && !IPV6_USABLE.some((usable) => overlaps(usable, block)))
  );
}

/** True when any address of the block is loopback. */
export function touchesLoopback(block: Cidr): boolean {
  return LOOPBACK.some((loopback) => overlaps(loopback, block));
}

/** An IPv6 form that carries IPv4 addresses. */
export interface Embedding {
  readonly form: '6to4' | 'NAT64' | 'Teredo' | 'ISATAP';
  /** Empty for a block of more than one address. */
  readonly inner: readonly Cidr[];
  /** Whether the IPv6 address is an endpoint of its own that must be in scope besides the addresses inside. */
  readonly isEndpoint: boolean;
}

/**
 * The IPv4 addresses inside an IPv6 address (RFC 3056, 6052, 4380, 5214): a packet to it can come out as IPv4 to the
 * inner address, so an attacker would write a denied IPv4 address in this form. Mapped addresses are read as IPv4 earlier.
 */
export function embeddedIpv4(block: Cidr): Embedding | undefined {
  if (block.family === 4) return undefined;
  const { bits } = block;
  if (EMBEDDING.some((range) => overlaps(range, block)) && !isSingle(block)) {
    return { form: '6to4', inner: [], isEndpoint: false };
  }
  if (contains(SIX_TO_FOUR, block)) return { form: '6to4', inner: [ipv4(bits >> 80n)], isEndpoint: false };
  if (contains(NAT64, block)) return { form: 'NAT64', inner: [ipv4(bits)], isEndpoint: false };
  // Teredo: the server, and the client with its bits inverted.
  if (contains(TEREDO, block)) {
    return { form: 'Teredo', inner: [ipv4(bits >> 64n), ipv4(bits ^ 0xffffffffn)], isEndpoint: false };
  }
  // ISATAP: interface identifier 0000:5efe or 0200:5efe, then the IPv4 address.
  if (block.prefix < 96 || ((bits >> 32n) & 0xfdffffffn) !== 0x5efen) return undefined;
  return { form: 'ISATAP', inner: isSingle(block) ? [ipv4(bits)] : [], isEndpoint: true };
}
