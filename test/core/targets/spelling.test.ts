import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SallyportError } from '../../../src/core/errors.ts';
import { TARGET_RULES, type TargetRule } from '../../../src/core/targets/rules.ts';
import { SPELLINGS } from './adversarial-spellings.ts';
import { policyUnderTest } from './policy-under-test.ts';

describe('adversarial spellings', () => {
  it('are at least two hundred different texts', () => {
    assert.ok(new Set(SPELLINGS.map((row) => row.value)).size >= 200);
  });

  for (const { kind, value, code } of SPELLINGS) {
    it(`${kind} ${JSON.stringify(value.slice(0, 60))} is answered with ${code}`, async () => {
      const { pin, asked } = policyUnderTest();
      const error = await pin(kind, value).then(
        () => assert.fail('was allowed'),
        (thrown: unknown) => thrown,
      );
      assert.ok(error instanceof SallyportError, String(error));
      assert.equal(error.code, code, error.message);
      assert.equal(TARGET_RULES[error.details?.['rule'] as TargetRule], code);
      assert.deepEqual(asked, [], 'a refused spelling is never looked up');
      assert.match(error.message, /^[\t -~…’]*$/, 'the message cannot forge a line or hide text');
    });
  }
});

describe('plain spellings', () => {
  const names = {
    'web.lab.internal': ['10.77.0.10'],
    'a.b.c.lab.internal': ['10.0.0.1'],
    'xn--bcher-kva.lab.internal': ['10.0.0.2'],
  };
  const accepted = [
    ['host', '10.0.0.5', '10.0.0.5'],
    ['host', '10.255.255.255', '10.255.255.255'],
    ['host', '172.16.0.0', '172.16.0.0'],
    ['host', '172.31.255.255', '172.31.255.255'],
    ['host', '192.168.0.0', '192.168.0.0'],
    ['host', '::ffff:10.0.0.5', '10.0.0.5'],
    ['host', '0:0:0:0:0:FFFF:A00:5', '10.0.0.5'],
    ['host', '64:ff9b::10.0.0.5', '64:ff9b::a00:5'],
    ['host', '2002:0a00:0005::1', '2002:a00:5::1'],
    ['host', '2001:0:a00:1::f5ff:fffa', '2001:0:a00:1::f5ff:fffa'],
    ['host', 'WEB.Lab.Internal.', 'web.lab.internal'],
    ['host', 'a.b.c.lab.internal', 'a.b.c.lab.internal'],
    ['host', 'bücher.lab.internal', 'xn--bcher-kva.lab.internal'],
    ['host', 'xn--bcher-kva.lab.internal', 'xn--bcher-kva.lab.internal'],
    ['network', '10.0.0.0/8', '10.0.0.0/8'],
    ['network', '10.0.0.5', '10.0.0.5'],
    ['network', '10.0.0.5/32', '10.0.0.5'],
    ['host-or-network', '192.168.4.0/22', '192.168.4.0/22'],
    ['host-or-network', 'web.lab.internal', 'web.lab.internal'],
    ['url', 'http://10.0.0.5', 'http://10.0.0.5/'],
    ['url', 'HTTPS://WEB.lab.internal:8443/a?id=1&x=%20', 'https://web.lab.internal:8443/a?id=1&x=%20'],
    ['url', 'http://[::ffff:10.0.0.5]:80/', 'http://10.0.0.5/'],
    ['url', 'http://10.0.0.5?id=1', 'http://10.0.0.5/?id=1'],
    ['resolver', '10.77.0.10', '10.77.0.10:53'],
    ['resolver', '10.0.0.1:5353', '10.0.0.1:5353'],
    ['resolver', '', '10.77.0.10:53'],
    ['domain', 'lab.internal', 'lab.internal'],
    ['domain', '_ldap._tcp.lab.internal', '_ldap._tcp.lab.internal'],
    ['domain', '10.0.77.10.in-addr.arpa', '10.0.77.10.in-addr.arpa'],
    ['domain', '77.10.in-addr.arpa', '77.10.in-addr.arpa'],
  ] as const;

  for (const [kind, value, canonical] of accepted) {
    it(`${kind} ${JSON.stringify(value)} is pinned as ${canonical}`, async () => {
      const { pin } = policyUnderTest({}, names);
      const pinned = (await pin(kind, value)).one('target');
      assert.equal(pinned.canonical, canonical);
      assert.equal(pinned.given, value);
    });
  }
});
