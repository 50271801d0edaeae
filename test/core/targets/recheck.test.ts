import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { SallyportError } from '../../../src/core/errors.ts';
import type { TargetPolicyOptions } from '../../../src/core/targets/policy.ts';
import type { TargetClaim } from '../../../src/core/targets/types.ts';
import { policyUnderTest, WIDE } from './policy-under-test.ts';

const NAMES = {
  'www.lab.internal': ['10.1.2.3', '10.2.2.2'],
  'db.lab.internal': ['172.16.0.9'],
  'a.b.lab.internal': ['192.168.7.7', 'fd00:1::7'],
};
const WIDEST = {
  allow: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fd00:1::/32', '*.lab.internal', 'lab.internal'],
  deny: [],
};

const claim = ([kind, value]: readonly [TargetClaim['kind'], string], more: object = {}): TargetClaim => ({
  role: 'target',
  kind,
  value,
  ...more,
});
const asked = fc.constantFrom(
  ...(
    [
      ['host', '10.1.2.3'],
      ['host', 'fd00:1::7'],
      ['host', 'www.lab.internal'],
      ['host-or-network', '10.1.0.0/16'],
      ['host-or-network', 'A.B.lab.internal.'],
      ['network', '172.16.0.0/24'],
      ['url', 'http://www.lab.internal:8080/x?y=1'],
      ['url', 'https://[fd00:1::7]/'],
      ['url', 'http://10.2.2.2'],
      ['domain', 'lab.internal'],
      ['domain', 'db.lab.internal'],
      ['domain', '2.1.10.in-addr.arpa'],
      ['resolver', '10.77.0.10'],
      ['resolver', '10.2.2.2:5353'],
    ] as const
  ).map((each) => claim(each)),
);
const portRanges = fc.constantFrom([], [{ from: 80, to: 80 }], [{ from: 500, to: 510 }]);
const claims = fc.array(
  fc.tuple(asked, portRanges, fc.boolean()).map(([each, ports, below]) => ({ ...each, ports, below })),
  { maxLength: 4 },
);
const entries = (from: readonly string[]) => fc.subarray([...from]);
const rules: fc.Arbitrary<Partial<TargetPolicyOptions>> = fc.record({
  scope: fc.record({
    allow: entries([...WIDEST.allow, '10.1.0.0/16', 'www.lab.internal']),
    deny: entries(['10.2.0.0/16', '10.1.2.3', 'db.lab.internal', '*.b.lab.internal', '192.168.7.0/24']),
  }),
  denyPorts: entries(['80', '443', '502', '8080', '5353', '53']),
  ownAddresses: entries(['10.2.2.2:9000', 'fd00:1::7']),
  resolvers: fc.constantFrom(['10.77.0.10'], ['10.77.0.11', '10.2.2.2:5353']),
});

function refusalOf(thrown: unknown): string {
  assert.ok(thrown instanceof SallyportError, String(thrown));
  return `${thrown.code} ${thrown.message}`;
}

test('rules that changed refuse what was pinned exactly as they would refuse to pin the same addresses', async () => {
  await fc.assert(
    fc.asyncProperty(claims, rules, async (given, changed) => {
      const before = policyUnderTest({ scope: WIDEST, resolvers: ['10.77.0.10'] }, NAMES);
      const { list } = await before.policy.pin(given, WIDE);
      const { policy } = policyUnderTest(changed, NAMES);
      const anew = await policy.pin(given, WIDE).then(() => 'permitted', refusalOf);
      const rechecked = policyUnderTest(changed);
      let still = 'permitted';
      try {
        rechecked.policy.recheck(given, list);
      } catch (thrown) {
        still = refusalOf(thrown);
      }
      // The first refusal of several claims may be another one: a new plan judges all names before any address.
      if (given.length === 1) assert.equal(still, anew);
      assert.equal(still === 'permitted', anew === 'permitted', `${still} / ${anew}`);
      assert.deepEqual(rechecked.asked, []);
    }),
    { numRuns: 1000 },
  );
});

test('the addresses of a name are those that were pinned, whatever it has now', async () => {
  const { policy } = policyUnderTest({}, NAMES);
  const given = [claim(['host', 'www.lab.internal'])];
  const { list } = await policy.pin(given, WIDE);
  const scope = { allow: ['10.0.0.0/8', '*.lab.internal'], deny: ['10.2.2.2'] };
  const narrowed = policyUnderTest({ scope }, { 'www.lab.internal': ['10.1.2.3'] });
  await narrowed.policy.pin(given, WIDE);
  assert.throws(() => narrowed.policy.recheck(given, list), { code: 'ERR_TARGET_OUT_OF_SCOPE' });
});

test('a DNS server that was left out is the one that it was then', async () => {
  const given = [claim(['resolver', ''])];
  const { list } = await policyUnderTest({ resolvers: ['203.0.114.1'] }).policy.pin(given, WIDE);
  policyUnderTest({ resolvers: ['203.0.114.1'] }).policy.recheck(given, list);
  const other = policyUnderTest({ resolvers: ['10.77.0.10'] }).policy;
  assert.throws(() => other.recheck(given, list), { code: 'ERR_TARGET_OUT_OF_SCOPE' });
});

test('targets that were not pinned from the claims are refused, in number, order and value', async () => {
  const { policy } = policyUnderTest();
  const given = [claim(['host', '10.1.2.3']), claim(['host', '10.2.2.2'])];
  const { list } = await policy.pin(given, WIDE);
  policy.recheck(given, list);
  const wrong = [
    [],
    given.slice(1),
    given.toReversed(),
    [...given, ...given],
    given.map((each) => ({ ...each, role: 'x' })),
  ];
  for (const each of wrong) assert.throws(() => policy.recheck(each, list), { code: 'ERR_INTERNAL' });
  const emptied = list.map((each) => ({ ...each, given: 'www.lab.internal', addresses: [] }));
  const named = given.map((each) => ({ ...each, value: 'www.lab.internal' }));
  assert.throws(() => policy.recheck(named, emptied));
});
