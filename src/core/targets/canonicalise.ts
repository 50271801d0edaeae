import { type Cidr, countAddresses, formatAddress, formatCidr, isSingle, parseAddress, parseCidr } from './address.ts';
import { parseName, parseReverseName } from './name.ts';
import { fault, type Parsed, parsed, quote } from './rules.ts';
import type { PinnedTarget, TargetClaim } from './types.ts';

/** What a claim names: addresses, a name that must be resolved, or a domain that is only asked about. */
export type Subject =
  | { readonly is: 'addresses'; readonly block: Cidr }
  | { readonly is: 'name'; readonly name: string }
  | { readonly is: 'domain'; readonly name: string; readonly reverse?: Cidr };

/** A claim in canonical form, before scope and resolution. */
export interface CanonicalTarget {
  readonly subject: Subject;
  readonly canonical: string;
  readonly port?: number;
  readonly url?: NonNullable<PinnedTarget['url']>;
}

/** An address with an optional port. */
export interface Endpoint {
  readonly address: Cidr;
  readonly port: number | undefined;
}

const MAX_LENGTH = 2048;
const DNS_PORT = 53;
const URL_FORM = /^(https?):\/\/(\[[0-9a-f:.]+\]|[^/?#[\]:]+)(?::([1-9]\d{0,4}))?([/?].*)?$/is;

/** Reads the value of a claim by its kind, strictly: one target, one spelling that every tool reads as we do. */
export function canonicalise(kind: TargetClaim['kind'], value: string): Parsed<CanonicalTarget> {
  const wrong = commonFault(value);
  if (wrong !== undefined) return fault(wrong);
  if (kind === 'url') return parseUrl(value);
  if (kind === 'domain') return parseDomain(value);
  if (kind === 'resolver') return parseResolver(value);
  const isNetwork = value.includes('/') || kind === 'network';
  if (isNetwork && kind === 'host') return fault('one host is taken here, not a network');
  return isNetwork ? parseNetwork(value) : parseHost(value);
}

/** Reads `address`, `address:port` or `[address]:port`. */
export function parseEndpoint(text: string): Parsed<Endpoint> {
  const bracketed = /^\[([^\]]*)\](?::([1-9]\d{0,4}))?$/.exec(text);
  const plain = /^([^:]*):([1-9]\d{0,4})$/.exec(text);
  const match = bracketed ?? plain;
  const address = parseAddress(match?.[1] ?? text);
  if (!address.ok) return address;
  if (bracketed !== null && !bracketed[1]?.includes(':')) return fault('only an IPv6 address stands in brackets');
  const port = match?.[2] === undefined ? undefined : Number(match[2]);
  if (port !== undefined && port > 65_535) return fault('a port is 1 to 65535');
  return parsed({ address: address.value, port });
}

/** An address and a port as text, IPv6 in brackets. */
export function formatEndpoint(address: Cidr, port: number): string {
  return `${bracket(address)}:${port}`;
}

function commonFault(value: string): string | undefined {
  if (value === '') return 'a target is missing';
  if (value.length > MAX_LENGTH) return `a target has at most ${MAX_LENGTH} characters`;
  if (value.startsWith('-')) return 'a target cannot begin with "-"';
  // White space and control, format and unassigned characters: log forging, and a second target to a tool that splits.
  if (/[\s\p{C}\p{Z}]/u.test(value)) return `${quote(value)} has white space or an invisible character`;
  return value.includes('\\') ? 'a backslash is not taken' : undefined;
}

function parseHost(value: string): Parsed<CanonicalTarget> {
  const looksMany = /[,;|]/.test(value) || /^[\d.*]+-[\d.*-]+$/.test(value) || value.includes('*');
  if (looksMany) return fault(`${quote(value)}: one target, not a list or a range; give a network as CIDR`);
  if (value.includes('@')) return fault('user information is not taken');
  if (value.includes('%')) return fault('zone ids and percent signs are not taken');
  if (value.includes('[')) return fault('an address is written without brackets here');
  const isAddress = value.includes(':') || /^\d+(?:\.\d+){3}$/.test(value);
  if (isAddress) return addresses(parseAddress(value));
  const name = parseName(value);
  return name.ok ? parsed({ subject: { is: 'name', name: name.value }, canonical: name.value }) : name;
}

function parseNetwork(value: string): Parsed<CanonicalTarget> {
  if (/[-,;|*]/.test(value))
    return fault(`${quote(value)}: ranges and lists are not taken; give CIDR like 10.20.0.0/24`);
  return addresses(parseCidr(value));
}

function addresses(read: Parsed<Cidr>): Parsed<CanonicalTarget> {
  if (!read.ok) return read;
  const canonical = isSingle(read.value) ? formatAddress(read.value) : formatCidr(read.value);
  return parsed({ subject: { is: 'addresses', block: read.value }, canonical });
}

function parseDomain(value: string): Parsed<CanonicalTarget> {
  const name = parseName(value);
  if (!name.ok) return name;
  const reverse = parseReverseName(name.value);
  if (reverse === undefined) return parsed({ subject: { is: 'domain', name: name.value }, canonical: name.value });
  if (!reverse.ok) return reverse;
  const subject = { is: 'domain', name: name.value, reverse: reverse.value } as const;
  return parsed({ subject, canonical: name.value });
}

function parseResolver(value: string): Parsed<CanonicalTarget> {
  const endpoint = parseEndpoint(value);
  if (!endpoint.ok) return fault(`${endpoint.fault}; a DNS server is given as address or address:port`);
  const { address, port = DNS_PORT } = endpoint.value;
  return parsed({ subject: { is: 'addresses', block: address }, canonical: formatEndpoint(address, port), port });
}

function parseUrl(value: string): Parsed<CanonicalTarget> {
  const match = URL_FORM.exec(value);
  if (match === null || !/^[!-~]*$/.test(match[4] ?? '')) {
    return fault(`${quote(value)} is not http(s)://host[:port]/path in printable ASCII behind the host`);
  }
  const [, scheme, authority = '', portText, rest = '/'] = match;
  if (rest.includes('#')) return fault('a fragment never reaches a server and is not taken');
  const hostText = authority.startsWith('[') ? authority.slice(1, -1) : authority;
  if (authority.startsWith('[') && !hostText.includes(':')) return fault('only an IPv6 address stands in brackets');
  const host = parseHost(hostText);
  if (!host.ok) return host;
  const protocol = scheme?.toLowerCase() === 'https' ? 'https' : 'http';
  const port = portText === undefined ? { http: 80, https: 443 }[protocol] : Number(portText);
  if (port > 65_535) return fault('a port is 1 to 65535');
  return withUrl(host.value, { scheme: protocol, host: host.value.canonical, port, path: rest });
}

/** The WHATWG reading must be the same as ours, so that no tool with a browser's parser goes elsewhere. */
function withUrl(host: CanonicalTarget, url: NonNullable<PinnedTarget['url']>): Parsed<CanonicalTarget> {
  const { subject } = host;
  const authority = subject.is === 'addresses' ? bracket(subject.block) : url.host;
  const path = url.path.startsWith('/') ? url.path : `/${url.path}`;
  const text = `${url.scheme}://${authority}:${url.port}${path}`;
  const whatwg = URL.canParse(text) ? new URL(text) : undefined;
  if (whatwg === undefined || whatwg.hostname !== authority || whatwg.username !== '') {
    return fault(`${quote(text)} is not a URL`);
  }
  if (`${whatwg.pathname}${whatwg.search}` !== path) {
    return fault(`the path is read as ${quote(whatwg.pathname + whatwg.search)}; give it in that form`);
  }
  return parsed({ subject, canonical: whatwg.href, port: url.port, url: { ...url, path } });
}

function bracket(address: Cidr): string {
  return address.family === 6 ? `[${formatAddress(address)}]` : formatAddress(address);
}

/** Number of addresses that will be contacted: one for a name, none for a domain. Exact. */
export function countSubject(subject: Subject): bigint {
  if (subject.is === 'addresses') return countAddresses(subject.block);
  return subject.is === 'name' ? 1n : 0n;
}
