import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SallyportError } from '../../../src/core/errors.ts';
import type { TargetClaim } from '../../../src/core/targets/types.ts';
import { DEFAULT_ALLOW, policyUnderTest, refusedBy, WIDE } from './policy-under-test.ts';

const WEB = 'web.lab.internal';

describe('what is denied', () => {
  const scope = { allow: DEFAULT_ALLOW, deny: ['10.20.9.0/24', '*.hr.lab.internal', 'db.lab.internal'] };
  const names = {
    [WEB]: ['10.20.9.5'],
    'db.lab.internal': ['10.0.0.1'],
    'x.hr.lab.internal': ['10.0.0.1'],
    'hr.lab.internal': ['10.0.0.3'],
  };

  it('wins over what is allowed, by address and by name', async () => {
    const { pin, asked } = policyUnderTest({ scope }, names);
    await refusedBy(pin('host', '10.20.9.5'), 'target.deny');
    await refusedBy(pin('host', '::ffff:10.20.9.5'), 'target.deny');
    await refusedBy(pin('host', '64:ff9b::10.20.9.5'), 'target.deny');
    await refusedBy(pin('network', '10.20.0.0/16'), 'target.deny');
    await refusedBy(pin('network', '10.20.9.128/25'), 'target.deny');
    await refusedBy(pin('resolver', '10.20.9.5'), 'target.deny');
    await refusedBy(pin('domain', '5.9.20.10.in-addr.arpa'), 'target.deny');
    await refusedBy(pin('domain', '20.10.in-addr.arpa'), 'target.deny');
    await refusedBy(pin('host', 'db.lab.internal'), 'target.deny');
    await refusedBy(pin('host', 'X.HR.lab.internal'), 'target.deny');
    await refusedBy(pin('domain', 'hr.lab.internal'), 'target.deny');
    assert.deepEqual(asked, []);
    await refusedBy(pin('host', WEB), 'target.deny');
    assert.equal((await pin('host', 'hr.lab.internal')).one('target').address, '10.0.0.3');
    assert.equal((await pin('network', '10.20.8.0/24')).size.addresses, 256n);
  });

  it('as an IPv6 form wins over the IPv4 address inside it', async () => {
    const { pin } = policyUnderTest({ scope: { allow: DEFAULT_ALLOW, deny: ['2002::/16', '64:ff9b::/96'] } });
    await refusedBy(pin('host', '2002:a00:5::1'), 'target.deny');
    await refusedBy(pin('host', '64:ff9b::10.0.0.5'), 'target.deny');
    assert.equal((await pin('host', '10.0.0.5')).list.length, 1);
  });

  it('as a port is refused when any range of the claim, the URL or the DNS server has it', async () => {
    const { pin } = policyUnderTest({ denyPorts: ['502', '20000-20010', '853'] });
    await refusedBy(pin('host', '10.0.0.1', [{ from: 1, to: 1000 }]), 'target.ports-denied');
    await refusedBy(
      pin('host', '10.0.0.1', [
        { from: 80, to: 80 },
        { from: 20_010, to: 20_010 },
      ]),
      'target.ports-denied',
    );
    await refusedBy(pin('url', 'http://10.0.0.1:20005/'), 'target.ports-denied');
    await refusedBy(pin('resolver', '10.0.0.1:853'), 'target.ports-denied');
    assert.equal((await pin('host', '10.0.0.1', [{ from: 854, to: 19_999 }])).size.ports, 19_146);
  });
});

describe('a resolver claim', () => {
  it('may be a server of the operator at exactly its address and port, or an address in scope', async () => {
    const { pin } = policyUnderTest({ resolvers: ['127.0.0.53', '9.9.9.9:5353', '[2620:fe::fe]:53'] });
    assert.equal((await pin('resolver', '')).one('target').canonical, '127.0.0.53:53');
    assert.equal((await pin('resolver', '')).one('target').given, '');
    assert.equal((await pin('resolver', '9.9.9.9:5353')).one('target').port, 5353);
    assert.equal((await pin('resolver', '2620:fe::fe')).one('target').canonical, '[2620:fe::fe]:53');
    assert.equal((await pin('resolver', '10.1.1.1')).one('target').address, '10.1.1.1');
    await refusedBy(pin('resolver', '9.9.9.9'), 'target.resolver');
    await refusedBy(pin('resolver', '127.0.0.53:54'), 'target.loopback');
    await refusedBy(pin('host', '127.0.0.53'), 'target.loopback');
    await refusedBy(pin('host', '9.9.9.9'), 'target.scope');
  });

  it('left empty is refused when the operator has no server, and never falls back to another', async () => {
    await refusedBy(policyUnderTest({ resolvers: [] }).pin('resolver', ''), 'target.resolver');
  });

  it('of the operator is still refused where everything is refused', async () => {
    await refusedBy(policyUnderTest({ resolvers: ['169.254.169.253'] }).pin('resolver', ''), 'target.always-denied');
    const scope = { allow: DEFAULT_ALLOW, deny: ['9.9.9.9'] };
    await refusedBy(policyUnderTest({ resolvers: ['9.9.9.9'], scope }).pin('resolver', ''), 'target.deny');
  });
});

describe('sizes', () => {
  it('are exact over all claims, ports counted without overlap, nothing expanded', async () => {
    const { policy } = policyUnderTest({ scope: { allow: ['10.0.0.0/8', 'fc00::/7'], deny: [] } });
    const ports = [
      { from: 1, to: 100 },
      { from: 50, to: 150 },
    ];
    const pinned = await policy.pin(
      [
        { role: 'a', kind: 'network', value: '10.0.0.0/24', ports },
        { role: 'b', kind: 'network', value: '10.1.0.0/30', ports: [{ from: 80, to: 80 }] },
        { role: 'c', kind: 'host', value: '10.0.0.1' },
      ],
      WIDE,
    );
    assert.deepEqual(pinned.size, { addresses: 261n, ports: 150, probes: 256n * 150n + 4n + 1n });
    assert.deepEqual(
      [pinned.one('a').addressCount, pinned.one('a').prefix, pinned.one('a').address],
      [256n, 24, '10.0.0.0'],
    );
  });

  it('above a limit are refused with the numbers, before any name is looked up', async () => {
    const { policy, asked } = policyUnderTest(
      { scope: { allow: [...DEFAULT_ALLOW, 'fd00:1::/32'], deny: [] } },
      { [WEB]: ['10.0.0.1'] },
    );
    const limits = { maxAddresses: 256, maxPorts: 1000 };
    const claims = (value: string, to = 80): TargetClaim[] => [
      { role: 'n', kind: 'network', value, ports: [{ from: 1, to }] },
      { role: 'w', kind: 'host', value: WEB },
    ];
    const error = await refusedBy(policy.pin(claims('10.0.0.0/24'), limits), 'target.size');
    assert.equal(error.code, 'ERR_TARGET_TOO_LARGE');
    assert.deepEqual(error.details, {
      rule: 'target.size',
      field: 'n',
      instead: 'at most 256 addresses and 1000 ports in one call; split it',
      addresses: 257,
      ports: 80,
      limit: { addresses: 256, ports: 1000 },
    });
    const huge = await refusedBy(policy.pin(claims('fd00:1::/32'), limits), 'target.size');
    assert.equal(huge.details?.['addresses'], (2n ** 96n + 1n).toString());
    await refusedBy(policy.pin(claims('10.0.0.0/25', 1001), limits), 'target.size');
    assert.deepEqual(asked, []);
    assert.equal((await policy.pin(claims('10.0.0.0/25', 1000), limits)).size.addresses, 129n);
  });

  it('count a domain as no address and duplicates as often as they are asked for', async () => {
    const { policy } = policyUnderTest();
    const host = { role: 'h', kind: 'host', value: '10.0.0.1' } as const;
    const pinned = await policy.pin([host, host, { role: 'd', kind: 'domain', value: 'lab.internal' }], WIDE);
    assert.equal(pinned.size.addresses, 2n);
    assert.deepEqual([pinned.one('d').address, pinned.one('d').addresses, pinned.one('d').family], ['', [], 0]);
    assert.equal(pinned.all('h').length, 2);
    assert.throws(() => pinned.one('h'), { code: 'ERR_INTERNAL' });
    assert.throws(() => pinned.one('none'), { code: 'ERR_INTERNAL' });
  });
});

describe('a policy', () => {
  it('is not made from a faulty configuration, and names every fault', () => {
    const faulty = {
      scope: { allow: ['0.0.0.0/0', '10.0.0.1/8'], deny: ['x y'] },
      denyPorts: ['0'],
      ownAddresses: ['redis'],
      resolvers: ['dns.example'],
    };
    assert.throws(
      () => policyUnderTest(faulty),
      (error) =>
        error instanceof SallyportError &&
        error.code === 'ERR_CONFIG_INVALID' &&
        Array.isArray(error.details?.['faults']) &&
        error.details['faults'].length === 6,
    );
  });

  it('with nothing allowed allows nothing', async () => {
    const { pin } = policyUnderTest({ scope: { allow: [], deny: [] } });
    for (const value of ['10.0.0.1', WEB, '::1'])
      await assert.rejects(pin('host', value), { code: 'ERR_TARGET_OUT_OF_SCOPE' });
  });

  it('refuses ports that no program knows as a fault of the tool', async () => {
    for (const range of [
      { from: 1, to: 65_536 },
      { from: -1, to: 5 },
      { from: 9, to: 8 },
      { from: 1.5, to: 2 },
      { from: Number.NaN, to: 1 },
    ]) {
      await assert.rejects(policyUnderTest().pin('host', '10.0.0.1', [range]), { code: 'ERR_INTERNAL' });
    }
  });
});
