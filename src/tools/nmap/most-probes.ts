import type { NmapInput } from './input.ts';

/** `--max-retries 2`. */
export const TRIES = 3;
/** TCP probes that each intensity sends at most, by their rarity in nmap-service-probes of nmap 7.93. */
export const VERSION_PROBES: readonly number[] = [1, 5, 5, 7, 11, 14, 24, 30, 68, 100];
/** A port is also asked by the rarer probes that name it: by so many at most. */
export const NAMED_PROBES = 10;
/** Payloads of one UDP port in nmap-payloads: each of them is sent. */
export const MOST_PAYLOADS = 4;
/** All payloads beyond the first one of their port. */
export const MORE_PAYLOADS = 24;
/** A service that answers in TLS is asked everything again inside it. */
const TLS = 2;
/** Four requests, each redirected five times (http.lua), each tried with TLS and without it. */
const SCRIPT_MOST = 4 * 6 * TLS;
/**
 * Of the two that go through a list. ssl-enum-ciphers beside a server that accepts all 403 ciphers of tls.lua in each of
 * five versions: found one by one, then sorted by twos.
 */
const LONG_SCRIPT_MOST: Readonly<Record<string, number>> = {
  'http-enum': 1080 * TLS + SCRIPT_MOST,
  'ssl-enum-ciphers': 5 * 403 * 5 + SCRIPT_MOST,
};
/** Five rounds of sixteen packets, each packet three times. */
const OS_MOST = 5 * 16 * TRIES;

/** How many of a call there are. */
export interface ScanCount {
  readonly hosts: number;
  readonly ports: number;
  /** With packets of its own nmap first asks by ARP, or by four kinds of ping. */
  readonly raw: boolean;
}

/** The most that targets can draw out of a scan: every port open and silent at once, as no honest host is. */
export function mostOfScan(input: NmapInput, { hosts, ports, raw }: ScanCount): number {
  const systems = input.os && raw ? hosts * OS_MOST : 0;
  if (input.scan === 'ping') return hosts * (raw ? 4 : 2) * TRIES + systems;
  const perHost = input.scan === 'udp' ? ports + Math.min((MOST_PAYLOADS - 1) * ports, MORE_PAYLOADS) : ports;
  const asked = withPings(hosts * perHost * TRIES) + (raw ? hosts * TRIES : 0);
  return asked + hosts * ports * mostOfOpenPort(input) + systems;
}

/** The most that versions and scripts take at one open port. */
export function mostOfOpenPort({ version, scripts }: NmapInput): number {
  const versions = version === 'off' ? 0 : ((VERSION_PROBES[version] ?? 0) + NAMED_PROBES) * TLS + SCRIPT_MOST;
  return scripts.reduce((sum, name) => sum + (LONG_SCRIPT_MOST[name] ?? SCRIPT_MOST), versions);
}

/** The most that a look for the systems of so many hosts takes. */
export function mostOfSystems(hosts: number): number {
  return hosts * OS_MOST;
}

/** While targets are silent nmap asks again at a port that answered: once in ten packets to a host, once in twenty in all. */
export function withPings(probes: number): number {
  return Math.ceil((probes * 20) / 17);
}
