import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { SallyportError } from '../../../src/core/errors.ts';
import { alice, planningWorld } from './rig.ts';

const target = fc.oneof(
  fc.nat(255).map((last) => `10.0.0.${last}`),
  fc.ipV4(),
  fc.ipV6(),
  fc.integer({ min: 8, max: 32 }).map((prefix) => `10.0.0.0/${prefix}`),
  fc.constantFrom(
    'db.lab.internal',
    'split.lab.internal',
    'gone.lab.internal',
    'out.example.com',
    '10.99.0.1',
    '10.1.1.1',
  ),
  fc.string({ maxLength: 20 }),
);
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 3 });
const call = fc.record({
  target,
  ports: optional(fc.constantFrom('80', '1-50', '1-200', '500-510', '0', '9-1')),
  server: optional(fc.constantFrom('', '10.0.0.53', '192.168.0.1', 'x', '10.77.0.10')),
  loud: optional(fc.boolean()),
  password: optional(fc.constantFrom('hunter2', '-x')),
});
const world = fc.record({
  closed: fc.constantFrom('', 'choose', 'open', 'killed', 'tool', 'probes'),
  timeoutMs: optional(fc.constantFrom(1000, 15_000)),
});

/** What the last lines want to have seen, whatever was drawn. */
const bare = { ports: undefined, server: undefined, loud: undefined, password: undefined };
const open = { closed: '', timeoutMs: undefined } as const;
type Drawn<A> = A extends fc.Arbitrary<infer T> ? T : never;
const EXAMPLES: [Drawn<typeof call>, Drawn<typeof world>][] = [
  [{ ...bare, target: '10.0.0.1' }, open],
  [{ ...bare, target: '10.0.0.1', password: '-x' }, open],
  [{ ...bare, target: 'out.example.com' }, open],
  [{ ...bare, target: '10.0.0.0.1' }, open],
  [
    { ...bare, target: '10.0.0.1' },
    { ...open, closed: 'killed' },
  ],
  [{ ...bare, target: '10.0.0.1', loud: true }, open],
];

it('a plan is refused exactly when a run of the same call is, with the same code, rule, message and field', async (t) => {
  const now = { closed: '' };
  const refuse = (when: string, error: SallyportError) => {
    if (now.closed === when) throw error;
  };
  const refusal = (code: ConstructorParameters<typeof SallyportError>[0], rule: string) =>
    new SallyportError(code, `refused by ${rule}`, { details: { rule } });
  const fixture = await planningWorld(t, {
    names: { 'db.lab.internal': ['10.0.0.5'], 'split.lab.internal': ['10.0.0.5', '192.0.2.1'] },
    engagements: {
      requireOpen: () => refuse('open', refusal('ERR_ENGAGEMENT_NOT_OPEN', 'engagement.weekly')),
      allowsTool: () => now.closed !== 'tool',
    },
    sources: { killSwitch: { check: () => refuse('killed', refusal('ERR_KILL_SWITCH', 'kill.switch')) } },
    budgets: {
      check: ({ probes }) => {
        if (probes > 20) refuse('probes', refusal('ERR_BUDGET_EXHAUSTED', 'budget.probes-per-hour'));
      },
    },
  });
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(call, world, async (drawn, { closed, timeoutMs }) => {
      now.closed = closed;
      const input = JSON.parse(JSON.stringify(drawn)) as object;
      const run = timeoutMs === undefined ? {} : { timeoutMs };
      const planned = await fixture.plan(input, { run }).then(
        ({ decision, refusal: why, rules }) => {
          const failed = rules.find(({ outcome }) => outcome === 'failed');
          return decision === 'refused' ? [why?.code, why?.rule, why?.message, failed?.field] : ['allowed'];
        },
        (thrown: SallyportError) => ['error', thrown.code, thrown.message],
      );
      const ran = await fixture.start({ input, run, principal: alice }).then(
        async ({ ended }) => {
          await ended;
          return ['allowed'];
        },
        (thrown: SallyportError) =>
          planned[0] === 'error'
            ? ['error', thrown.code, thrown.message]
            : [thrown.code, thrown.details?.['rule'], thrown.message, thrown.details?.['field']],
      );
      assert.deepEqual(planned, ran);
      seen.add(String(planned[1] ?? planned[0]));
    }),
    { numRuns: 250, examples: EXAMPLES },
  );
  for (const rule of ['allowed', 'ERR_INPUT_INVALID', 'target.scope', 'target.spelling', 'kill.switch', 'risk.option'])
    assert.ok(seen.has(rule), `${rule} was among the cases`);
});
