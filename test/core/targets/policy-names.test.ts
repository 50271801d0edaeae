import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SallyportError } from '../../../src/core/errors.ts';
import type { TargetClaim } from '../../../src/core/targets/types.ts';
import { DEFAULT_ALLOW, policyUnderTest, refusedBy, WIDE } from './policy-under-test.ts';

const WEB = 'web.lab.internal';

describe('a name', () => {
  it('is pinned to its address, IPv4 before IPv6, in an order that does not follow the server', async () => {
    const scope = { allow: [...DEFAULT_ALLOW, 'fd00::/8'], deny: [] };
    for (const answer of [
      ['fd00::2', '10.0.0.9', '10.0.0.10'],
      ['10.0.0.10', 'fd00::2', '10.0.0.9', '10.0.0.9'],
    ]) {
      const pinned = (await policyUnderTest({ scope }, { [WEB]: answer }).pin('host', 'WEB.lab.internal.')).one(
        'target',
      );
      assert.deepEqual(pinned.addresses, ['10.0.0.9', '10.0.0.10', 'fd00::2']);
      assert.equal(pinned.address, '10.0.0.9');
      assert.equal(pinned.family, 4);
      assert.equal(pinned.prefix, 32);
      assert.equal(pinned.name, WEB);
      assert.equal(pinned.addressCount, 1n);
    }
  });

  for (const bad of [
    '8.8.8.8',
    '169.254.169.254',
    '127.0.0.1',
    '0.0.0.0',
    '::1',
    'fd00:ec2::254',
    '::ffff:169.254.169.254',
    '64:ff9b::8.8.8.8',
    '2606:4700::1111',
    'fe80::1',
    '224.0.0.1',
  ]) {
    it(`is refused when one of its answers is ${bad}, wherever it stands among good ones`, async () => {
      for (const answer of [[bad], [bad, '10.0.0.1'], ['10.0.0.1', bad], ['10.0.0.1', '10.0.0.2', bad]]) {
        for (const [kind, value] of [
          ['host', WEB],
          ['url', `http://${WEB}/`],
        ] as const) {
          const error = await policyUnderTest({}, { [WEB]: answer })
            .pin(kind, value)
            .then(
              () => assert.fail('allowed'),
              (thrown: unknown) => thrown,
            );
          assert.ok(error instanceof SallyportError);
          assert.equal(error.code, 'ERR_TARGET_OUT_OF_SCOPE');
        }
      }
    });
  }

  it('is refused when an answer is no canonical address, so that a lying resolver cannot smuggle a spelling', async () => {
    for (const answer of ['0177.0.0.1', '10.0.0.1 ', '-oX', 'fe80::1%eth0', '10.0.0.0/8', '', WEB, '167772165']) {
      await refusedBy(policyUnderTest({}, { [WEB]: ['10.0.0.1', answer] }).pin('host', WEB), 'target.unresolved');
    }
  });

  it('is refused when it has no address, too many addresses, or the resolver fails', async () => {
    await refusedBy(policyUnderTest({}, { [WEB]: [] }).pin('host', WEB), 'target.unresolved');
    const many = Array.from({ length: 65 }, (_, index) => `10.0.0.${index}`);
    await refusedBy(policyUnderTest({}, { [WEB]: many }).pin('host', WEB), 'target.unresolved');
    const error = await refusedBy(policyUnderTest().pin('host', 'gone.lab.internal'), 'target.unresolved');
    assert.equal(error.code, 'ERR_TARGET_UNRESOLVED');
    assert.ok(!error.message.includes('NXDOMAIN'), 'the cause stays inside');
  });

  it('out of scope is not even looked up, because its labels would carry data outside', async () => {
    const { pin, asked } = policyUnderTest({}, { 'secret.evil.example': ['10.0.0.1'] });
    await refusedBy(pin('host', 'secret.evil.example'), 'target.scope');
    await refusedBy(pin('url', 'http://secret.evil.example/'), 'target.scope');
    await refusedBy(pin('domain', 'secret.evil.example'), 'target.scope');
    assert.deepEqual(asked, []);
  });

  it('that is allowed does not bring an address with it: the address must be in scope too', async () => {
    const scope = { allow: ['*.acme.test', 'acme.test', '10.20.0.0/16'], deny: [] };
    const names = { 'www.acme.test': ['10.20.0.1'], 'acme.test': ['10.20.0.2'], 'out.acme.test': ['10.21.0.1'] };
    const { pin } = policyUnderTest({ scope }, names);
    assert.equal((await pin('host', 'www.acme.test')).one('target').address, '10.20.0.1');
    assert.equal((await pin('host', 'acme.test')).one('target').address, '10.20.0.2');
    await refusedBy(pin('host', 'out.acme.test'), 'target.scope');
  });

  it('that rebinds is judged by the answer of each call, and one call asks once', async () => {
    const answers = [['10.0.0.1'], ['169.254.169.254']];
    let calls = 0;
    const { policy } = policyUnderTest({
      resolver: { resolve: async () => answers[calls++] ?? assert.fail('asked again') },
    });
    const claims: TargetClaim[] = [
      { role: 'url', kind: 'url', value: `http://${WEB}/` },
      { role: 'host', kind: 'host', value: WEB },
    ];
    const pinned = await policy.pin(claims, WIDE);
    assert.deepEqual(
      pinned.list.map((target) => target.address),
      ['10.0.0.1', '10.0.0.1'],
    );
    await refusedBy(policy.pin(claims, WIDE, { fresh: true }), 'target.always-denied');
    assert.equal(calls, 2);
  });

  it('asks the resolver past its cache only when fresh is wanted', async () => {
    const seen: unknown[] = [];
    const { policy } = policyUnderTest({
      resolver: {
        resolve: async (_, options) => {
          seen.push(options?.fresh);
          return ['10.0.0.1'];
        },
      },
    });
    const claims = [{ role: 'target', kind: 'host', value: WEB }] as const;
    await policy.pin(claims, WIDE);
    await policy.pin(claims, WIDE, { fresh: true });
    assert.deepEqual(seen, [false, true]);
  });

  it('list is looked up a few at a time and stops at the first failure', async () => {
    let open = 0;
    let most = 0;
    let asked = 0;
    const { policy } = policyUnderTest({
      resolver: {
        resolve: async (name) => {
          asked += 1;
          open += 1;
          most = Math.max(most, open);
          await Promise.resolve();
          open -= 1;
          if (name.startsWith('n20.')) throw new Error('SERVFAIL');
          return ['10.0.0.1'];
        },
      },
    });
    const claims = Array.from(
      { length: 200 },
      (_, i) => ({ role: 'targets', kind: 'host', value: `n${i}.lab.internal` }) as const,
    );
    await refusedBy(policy.pin(claims, WIDE), 'target.unresolved');
    assert.ok(most > 1 && most <= 8, `${most} at once`);
    assert.ok(asked < 40, `${asked} asked`);
  });
});
