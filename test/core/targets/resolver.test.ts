import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AddressLookup, createResolver } from '../../../src/core/targets/resolver.ts';

function resolverUnderTest(
  lookup: AddressLookup,
  overrides: { cacheEntries?: number; cacheTtlMs?: number; timeoutMs?: number } = {},
) {
  const time = { ms: 0 };
  const asked: string[] = [];
  const resolver = createResolver({
    servers: [],
    timeoutMs: 60_000,
    cacheEntries: 2,
    cacheTtlMs: 30_000,
    clock: { now: () => time.ms, monotonic: () => time.ms },
    lookup: (name, family) => {
      asked.push(`${name}/${family}`);
      return lookup(name, family);
    },
    ...overrides,
  });
  return { resolver, time, asked };
}

const fixed =
  (ttl: number): AddressLookup =>
  async (_, family) =>
    family === 4 ? [{ address: '10.0.0.1', ttl }] : [];

const silent: AddressLookup = (_, family) =>
  family === 4 ? Promise.resolve([{ address: '10.0.0.1', ttl: 60 }]) : new Promise(() => {});

describe('a resolver', () => {
  it('asks for both families and gives all addresses', async () => {
    const { resolver, asked } = resolverUnderTest(async (_, family) => [
      { address: family === 4 ? '10.0.0.1' : 'fd00::1', ttl: 60 },
    ]);
    assert.deepEqual(await resolver.resolve('a.test'), ['10.0.0.1', 'fd00::1']);
    assert.deepEqual(asked, ['a.test/4', 'a.test/6']);
  });

  it('refuses when one family fails, because the missing one could be out of scope', async () => {
    for (const failing of [4, 6]) {
      const { resolver } = resolverUnderTest(async (_, family) => {
        if (family === failing) throw new Error('SERVFAIL');
        return [{ address: '10.0.0.1', ttl: 60 }];
      });
      await assert.rejects(resolver.resolve('a.test'), /SERVFAIL/);
    }
  });

  it('refuses a name without any address', async () => {
    await assert.rejects(resolverUnderTest(async () => []).resolver.resolve('a.test'));
  });

  it('refuses when the time is over, even when the other family answered', async () => {
    await assert.rejects(resolverUnderTest(silent, { timeoutMs: 20 }).resolver.resolve('a.test'), /within 20 ms/);
  });

  it('keeps an answer for its TTL, at most for the configured time', async () => {
    const short = resolverUnderTest(fixed(5));
    await short.resolver.resolve('a.test');
    short.time.ms = 4999;
    await short.resolver.resolve('a.test');
    assert.equal(short.asked.length, 2);
    short.time.ms = 5000;
    await short.resolver.resolve('a.test');
    assert.equal(short.asked.length, 4);
    const long = resolverUnderTest(fixed(86_400));
    await long.resolver.resolve('a.test');
    long.time.ms = 30_000;
    await long.resolver.resolve('a.test');
    assert.equal(long.asked.length, 4);
  });

  it('does not keep an answer with TTL 0, nor anything when the cache has no room', async () => {
    for (const { resolver, asked } of [
      resolverUnderTest(fixed(0)),
      resolverUnderTest(fixed(60), { cacheEntries: 0 }),
      resolverUnderTest(fixed(60), { cacheTtlMs: 0 }),
    ]) {
      await resolver.resolve('a.test');
      await resolver.resolve('a.test');
      assert.equal(asked.length, 4);
    }
  });

  it('asks again when a fresh answer is wanted, and does not go back to the older one after a failure', async () => {
    let healthy = true;
    const { resolver, asked } = resolverUnderTest(async (name, family) => {
      if (!healthy) throw new Error('SERVFAIL');
      return fixed(60)(name, family);
    });
    await resolver.resolve('a.test');
    await resolver.resolve('a.test', { fresh: true });
    assert.equal(asked.length, 4);
    healthy = false;
    await assert.rejects(resolver.resolve('a.test', { fresh: true }));
    await assert.rejects(resolver.resolve('a.test'));
  });

  it('forgets the oldest names beyond its bound', async () => {
    const { resolver, asked } = resolverUnderTest(fixed(60));
    for (const name of ['a', 'b', 'c']) await resolver.resolve(name);
    await resolver.resolve('c');
    await resolver.resolve('b');
    assert.equal(asked.length, 6);
    await resolver.resolve('a');
    assert.equal(asked.length, 8);
  });
});
