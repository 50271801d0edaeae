import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { TraceEntry } from '../../../schemas/plan.ts';
import { createTrace } from '../../../src/core/plan/trace.ts';
import { TARGET_RULES } from '../../../src/core/targets/rules.ts';
import type { TargetClaim } from '../../../src/core/targets/types.ts';
import { policyUnderTest, refusedBy, WIDE } from './policy-under-test.ts';

const NAME = 'db.lab.internal';
const SCOPE = {
  allow: ['10.0.0.0/8', '10.20.0.0/16', '*.lab.internal'],
  deny: ['10.99.0.0/16', 'secret.lab.internal'],
};

function setUp(names: Readonly<Record<string, readonly string[]>> = {}) {
  const { policy, asked } = policyUnderTest({ scope: SCOPE, denyPorts: ['502'] }, names);
  const traced = async (claims: readonly TargetClaim[], limits = WIDE): Promise<readonly TraceEntry[]> => {
    const trace = createTrace();
    await policy.pin(claims, limits, { trace }).catch((thrown: unknown) => trace.fail(thrown));
    return trace.entries;
  };
  return { policy, asked, traced };
}

const claim = (value: string, more: Partial<TargetClaim> = {}): TargetClaim => ({
  role: 'target',
  kind: 'host-or-network',
  value,
  ...more,
});
const dataOf = (entries: readonly TraceEntry[]) => Object.fromEntries(entries.map(({ rule, datum }) => [rule, datum]));

describe('the trace of a target', () => {
  it('names each rule that was asked of an address, with the datum that decided it', async () => {
    const { traced } = setUp();
    const entries = await traced([claim('10.20.1.5', { ports: [{ from: 1, to: 100 }] })]);
    assert.ok(entries.every(({ outcome, field }) => outcome === 'passed' && field === 'target'));
    assert.deepEqual(dataOf(entries), {
      'target.spelling': 'read as "10.20.1.5"',
      'target.always-denied': '10.20.1.5 is in no range that is denied to everybody',
      'target.loopback': '10.20.1.5 is not loopback',
      'target.own-address': 'no address or port of the gateway',
      'target.deny': 'none of 2 denied entries meets 10.20.1.5',
      'target.scope': '10.20.1.5 lies in 10.0.0.0/8',
      'target.ports-denied': 'none of 100 ports is denied',
      'target.size': '1 addresses × 100 ports, at most 4294967296 × 65536',
    });
  });

  it('tells what a name was resolved to, and what holds each of its addresses', async () => {
    const { traced } = setUp({ [NAME]: ['10.20.0.2', '10.20.0.1'] });
    const data = dataOf(await traced([claim(NAME)]));
    assert.equal(data['target.unresolved'], `${NAME} has 2 addresses: 10.20.0.1, 10.20.0.2`);
    assert.equal(
      data['target.scope'],
      `${NAME} matches *.lab.internal; 10.20.0.1 lies in 10.0.0.0/8; 10.20.0.2 lies in 10.0.0.0/8`,
    );
  });

  it('ends with the rule that refused, once, with what would be allowed', async () => {
    const { traced, policy } = setUp({ [NAME]: ['10.20.0.1', '192.0.2.1'] });
    for (const [value, rule] of [
      ['192.168.1.1', 'target.scope'],
      ['10.99.0.1', 'target.deny'],
      ['nowhere.lab.internal', 'target.unresolved'],
      [NAME, 'target.always-denied'],
      ['10.0.0.0/33', 'target.spelling'],
    ] as const) {
      const entries = await traced([claim(value)]);
      assert.deepEqual([entries.at(-1)?.rule, entries.at(-1)?.outcome], [rule, 'failed'], value);
      assert.equal(entries.filter((entry) => entry.rule === rule).length, 1, value);
    }
    const instead = async (one: TargetClaim, limits = WIDE) => {
      const error = await policy.pin([one], limits).catch((thrown: unknown) => thrown as { details: object });
      return (error as { details: { instead?: unknown } }).details.instead;
    };
    assert.equal(await instead(claim('192.168.1.1')), 'targets in 10.0.0.0/8, 10.20.0.0/16, *.lab.internal');
    assert.equal(await instead(claim('10.99.0.1')), 'targets outside 10.99.0.0/16');
    assert.equal(await instead(claim('10.0.0.1', { ports: [{ from: 500, to: 600 }] })), 'the call without port 502');
    const small = { maxAddresses: 16, maxPorts: 10 };
    assert.match(String(await instead(claim('10.0.0.0/24'), small)), /^at most 16 addresses and 10 ports/);
  });

  it('looks up no name of a call that is refused before: what is out of scope stays unasked', async () => {
    const { asked, traced } = setUp({ [NAME]: ['10.20.0.1'] });
    const entries = await traced([claim(NAME), claim('internal.example.com', { role: 'other' })]);
    assert.deepEqual(asked, []);
    assert.ok(!entries.some(({ rule }) => rule === 'target.unresolved'));
  });

  it('stays small whatever is claimed', async () => {
    const many = Array.from({ length: 64 }, (_, at) => `10.20.0.${at + 1}`);
    const { traced } = setUp({ [NAME]: many });
    const claims = [claim(NAME), ...many.map((value) => claim(value))];
    const entries = await traced(claims);
    assert.ok(entries.length <= Object.keys(TARGET_RULES).length, `${entries.length} entries`);
    assert.match(dataOf(entries)['target.scope'] ?? '', /; and \d+ more$/);
    assert.ok(JSON.stringify(entries).length < 4000);
  });
});

it('a trace changes nothing of what is pinned or refused', async () => {
  const value = fc.oneof(
    fc.ipV4(),
    fc.constantFrom(NAME, 'x.lab.internal', 'secret.lab.internal', '10.0.0.0/30', '10.99.0.0/16', '::1', 'a b', ''),
    fc.nat(255).map((last) => `10.20.0.${last}`),
  );
  const ports = fc.constantFrom([], [{ from: 1, to: 10 }], [{ from: 500, to: 510 }]);
  const claims = fc.array(fc.record({ value, ports }), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(claims, async (picked) => {
      const { policy } = setUp({ [NAME]: ['10.20.0.1'], 'x.lab.internal': ['10.20.0.9', '8.8.8.8'] });
      const wanted = picked.map((each, at) => claim(each.value, { ports: each.ports, role: `r${at % 2}` }));
      const trace = createTrace();
      const plain = await policy.pin(wanted, WIDE).then(({ list }) => list, String);
      const traced = await policy.pin(wanted, WIDE, { trace }).then(({ list }) => list, String);
      assert.deepEqual(traced, plain);
      const keys = trace.entries.map(({ rule, field }) => `${rule} ${field}`);
      assert.equal(new Set(keys).size, keys.length, 'each rule once for a field');
      assert.ok(trace.entries.every(({ rule }) => Object.hasOwn(TARGET_RULES, rule)));
    }),
    { numRuns: 300 },
  );
});

it('a DNS server of the operator passes by its own rule, and any other one by the scope', async () => {
  const { traced, policy } = setUp();
  const own = dataOf(await traced([{ role: 'server', kind: 'resolver', value: '' }]));
  assert.match(own['target.resolver'] ?? '', /^10\.77\.0\.10 is a DNS server of the operator$/);
  const other = dataOf(await traced([{ role: 'server', kind: 'resolver', value: '10.20.0.53' }]));
  assert.equal(other['target.resolver'], '10.20.0.53:53 is in scope');
  const outside = { role: 'server', kind: 'resolver', value: '192.168.0.53' } as const;
  await refusedBy(policy.pin([outside], WIDE), 'target.resolver');
});
