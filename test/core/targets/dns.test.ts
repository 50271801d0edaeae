import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseEndpoint } from '../../../src/core/targets/canonicalise.ts';
import { createDnsLookup, systemServers } from '../../../src/core/targets/dns.ts';
import { createResolver } from '../../../src/core/targets/resolver.ts';
import { type DnsQuestion, type DnsReply, startDnsServer } from '../../fixtures/dns-server.ts';
import { policyUnderTest, refusedBy } from './policy-under-test.ts';

const NAME = 'web.lab.internal';
const GOOD: DnsReply = { records: [{ a: '10.77.0.10' }] };
const silent = (): DnsReply => ({ silent: true });

function resolverOf(servers: readonly string[], timeoutMs = 5000) {
  const clock = { now: () => 0, monotonic: () => 0 };
  return createResolver({ servers, timeoutMs, cacheEntries: 10, cacheTtlMs: 30_000, clock });
}

async function resolveWith(answer: (question: DnsQuestion) => DnsReply, timeoutMs?: number) {
  await using server = await startDnsServer(answer);
  return await resolverOf([server.address], timeoutMs).resolve(NAME);
}

describe('a look-up over real DNS', () => {
  it('gives every A and AAAA record of the configured server', async () => {
    const found = await resolveWith(({ type }) =>
      type === 'A'
        ? { records: [{ a: '10.77.0.10' }, { a: '10.77.0.11' }] }
        : { records: [{ aaaa: 'fd00:0:0:0:0:0:0:1' }] },
    );
    assert.deepEqual(found.toSorted(), ['10.77.0.10', '10.77.0.11', 'fd00::1']);
  });

  it('takes a missing family as none, when the name exists without it and when it says NXDOMAIN', async () => {
    assert.deepEqual(await resolveWith(({ type }) => (type === 'A' ? GOOD : {})), ['10.77.0.10']);
    assert.deepEqual(await resolveWith(({ type }) => (type === 'A' ? GOOD : { code: 'NXDOMAIN' })), ['10.77.0.10']);
  });

  it('refuses a name that does not exist', async () => {
    await assert.rejects(
      resolveWith(() => ({ code: 'NXDOMAIN' })),
      /no A or AAAA/,
    );
    await assert.rejects(
      resolveWith(() => ({})),
      /no A or AAAA/,
    );
  });

  for (const [what, failed] of [
    ['SERVFAIL', { code: 'SERVFAIL' }],
    ['REFUSED', { code: 'REFUSED' }],
    ['nothing', { silent: true }],
  ] as const) {
    for (const family of ['A', 'AAAA'] as const) {
      it(`refuses when the server answers ${what} for ${family} and well for the other family`, async () => {
        const other: DnsReply = family === 'A' ? { records: [{ aaaa: 'fd00:0:0:0:0:0:0:1' }] } : GOOD;
        await assert.rejects(resolveWith(({ type }) => (type === family ? failed : other), 250));
      });
    }
  }

  it('follows an alias to its addresses', async () => {
    const chain = [{ cname: 'a.lab.internal' }, { cname: 'b.lab.internal' }, { a: '10.77.0.12' }];
    assert.deepEqual(
      await resolveWith(({ type }) => (type === 'A' ? { records: chain } : { records: [{ cname: 'a.lab.internal' }] })),
      ['10.77.0.12'],
    );
  });

  it('asks again over TCP when the answer was cut, so that no address stays hidden', async () => {
    await using server = await startDnsServer(({ type }) => (type === 'A' ? { ...GOOD, truncated: true } : {}));
    assert.deepEqual(await resolverOf([server.address]).resolve(NAME), ['10.77.0.10']);
    assert.ok(server.asked.some((question) => question.over === 'tcp'));
  });

  it('asks the server for localhost too, and for exactly the given name: no hosts file, no search domain', async () => {
    await using server = await startDnsServer(() => ({ code: 'NXDOMAIN' }));
    const resolver = resolverOf([server.address]);
    await assert.rejects(resolver.resolve('localhost'));
    await assert.rejects(resolver.resolve('db'));
    assert.deepEqual([...new Set(server.asked.map((question) => question.name))].toSorted(), ['db', 'localhost']);
  });

  it('keeps an answer for as long as its TTL says', async () => {
    await using server = await startDnsServer(({ type }) => (type === 'A' ? { ...GOOD, ttl: 0 } : {}));
    const resolver = resolverOf([server.address]);
    await resolver.resolve(NAME);
    await resolver.resolve(NAME);
    assert.equal(server.asked.length, 4);
  });

  it('gives up after one time limit, however many silent servers are listed', async () => {
    await using stack = new AsyncDisposableStack();
    const servers = await Promise.all([
      startDnsServer(silent),
      startDnsServer(silent),
      startDnsServer(silent),
      startDnsServer(() => GOOD),
    ]);
    for (const server of servers) stack.use(server);
    const lookup = createDnsLookup({ servers: servers.map((server) => server.address), timeoutMs: 200 });
    await assert.rejects(lookup(NAME, 4));
    assert.deepEqual(servers[3].asked, []);
  });

  it('fails without a server instead of taking the system’s', async () => {
    await assert.rejects(resolverOf([]).resolve(NAME), /no DNS server/);
  });

  it('stands behind the policy: one answer out of scope refuses, a rebinding name is seen at the fresh check', async () => {
    let address = '10.77.0.10';
    await using server = await startDnsServer(({ type }) => (type === 'A' ? { records: [{ a: address }] } : {}));
    const { policy, pin } = policyUnderTest({ resolver: resolverOf([server.address]) });
    assert.equal((await pin('host', NAME)).one('target').address, '10.77.0.10');
    address = '169.254.169.254';
    assert.equal((await pin('host', NAME)).one('target').address, '10.77.0.10');
    const claims = [{ role: 'target', kind: 'host', value: NAME }] as const;
    const limits = { maxAddresses: 1, maxPorts: 1 };
    await refusedBy(policy.pin(claims, limits, { fresh: true }), 'target.always-denied');
    await refusedBy(pin('host', NAME), 'target.always-denied');
  });
});

describe('the servers of the system', () => {
  it('are addresses that the policy reads', () => {
    for (const server of systemServers()) assert.equal(parseEndpoint(server).ok, true, server);
  });
});
