import type { Clock } from '../clock.ts';
import { createDnsLookup } from './dns.ts';

/** Turns a name into all its addresses. */
export interface NameResolver {
  /**
   * All A and AAAA addresses of the name. Rejects when there is none, when a family failed for another reason than not
   * existing, and after the time limit. `fresh` does not take the answer from the cache.
   */
  resolve(name: string, options?: { readonly fresh?: boolean }): Promise<readonly string[]>;
}

/** One address record. */
export interface AddressRecord {
  readonly address: string;
  /** Seconds. */
  readonly ttl: number;
}

/** Asks for one family of records. Empty when the name has none (NODATA, NXDOMAIN); rejects on every other failure. */
export type AddressLookup = (name: string, family: 4 | 6) => Promise<readonly AddressRecord[]>;

export interface ResolverOptions {
  /** DNS servers as `address[:port]`. */
  readonly servers: readonly string[];
  /** Limit of one look-up, both families together, milliseconds. */
  readonly timeoutMs: number;
  readonly cacheEntries: number;
  /** Longest time an answer is kept, milliseconds; a shorter TTL of its records wins. */
  readonly cacheTtlMs: number;
  readonly clock: Clock;
  /** How one family is asked for; default: DNS at `servers`. */
  readonly lookup?: AddressLookup;
}

interface Kept {
  readonly addresses: readonly string[];
  readonly untilMs: number;
}

/** A resolver with a bounded cache of answers. Failures are not kept. */
export function createResolver(options: ResolverOptions): NameResolver {
  const { timeoutMs, clock } = options;
  const lookup = options.lookup ?? createDnsLookup({ servers: options.servers, timeoutMs });
  const cache = new Map<string, Kept>();
  return {
    async resolve(name, { fresh = false } = {}) {
      const kept = cache.get(name);
      if (!fresh && kept !== undefined && clock.monotonic() < kept.untilMs) return kept.addresses;
      // Whatever comes now, the older answer is not used again: a rebinding name must not fall back to it.
      cache.delete(name);
      const asked = clock.monotonic();
      // Both families must answer. One that is merely unreachable could hide an address out of scope: fail closed.
      const families = await within(timeoutMs, Promise.all([lookup(name, 4), lookup(name, 6)]));
      const records = families.flat();
      if (records.length === 0) throw new Error(`${name} has no A or AAAA record`);
      const addresses = records.map((record) => record.address);
      const ttlMs = Math.min(options.cacheTtlMs, ...records.map((record) => record.ttl * 1000));
      keep(cache, { name, entry: { addresses, untilMs: asked + ttlMs }, cacheEntries: options.cacheEntries });
      return addresses;
    },
  };
}

function keep(cache: Map<string, Kept>, added: { name: string; entry: Kept; cacheEntries: number }): void {
  cache.delete(added.name);
  cache.set(added.name, added.entry);
  for (const oldest of cache.keys()) {
    if (cache.size <= added.cacheEntries) break;
    cache.delete(oldest);
  }
}

async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  try {
    return await Promise.race([work, expired]);
  } finally {
    clearTimeout(timer);
  }
}
