import { getServers } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { parseEndpoint } from './canonicalise.ts';
import type { AddressLookup, AddressRecord } from './resolver.ts';

/** The answers that mean "the name has no such record" (NXDOMAIN and NODATA); all others are failures. */
const ABSENT = new Set(['ENOTFOUND', 'ENODATA']);

/**
 * The DNS servers of the system as `address[:port]`; read it once at start. One that needs a zone id is left out: such
 * an address has no spelling that a tool and we read alike.
 */
export function systemServers(): readonly string[] {
  return getServers().filter((server) => parseEndpoint(server).ok);
}

/**
 * Asks the given servers directly, over UDP and after truncation over TCP. Neither /etc/hosts nor a search domain nor
 * nsswitch is consulted: those could give a name another meaning than the operator's servers do. No server: always fails.
 */
export function createDnsLookup(options: {
  readonly servers: readonly string[];
  readonly timeoutMs: number;
}): AddressLookup {
  const { servers, timeoutMs } = options;
  return async (name, family) => {
    // Without servers of its own, Resolver would take the system's silently.
    if (servers.length === 0) throw new Error('no DNS server is configured');
    const resolver = new Resolver({ timeout: timeoutMs, tries: 1 });
    resolver.setServers(servers);
    // Several silent servers in a row must not add their times up.
    const timer = setTimeout(() => resolver.cancel(), timeoutMs);
    try {
      return await ask(resolver, name, family);
    } catch (error) {
      if (ABSENT.has(codeOf(error))) return [];
      throw new Error(`${family === 4 ? 'A' : 'AAAA'} query for ${name} failed: ${codeOf(error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  };
}

function ask(resolver: Resolver, name: string, family: 4 | 6): Promise<readonly AddressRecord[]> {
  return family === 4 ? resolver.resolve4(name, { ttl: true }) : resolver.resolve6(name, { ttl: true });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
