import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { TraceEntry } from '../../../schemas/plan.ts';
import { BUDGET_RULES } from '../../../src/core/budget/rules.ts';
import { askedOf, completeTrace, PLAN_RULES, PLAN_STAGES } from '../../../src/core/plan/rules.ts';
import { TARGET_RULES } from '../../../src/core/targets/rules.ts';
import { planningWorld } from './rig.ts';

const keyOf = ({ rule, field }: TraceEntry) => `${rule} ${field ?? ''}`;

function assertComplete(rules: readonly TraceEntry[]): void {
  const keys = rules.map(keyOf);
  assert.equal(new Set(keys).size, keys.length, 'each rule once for a field');
  for (const rule of PLAN_RULES)
    assert.ok(
      rules.some((entry) => entry.rule === rule),
      `${rule} is named`,
    );
  const failed = rules.findIndex(({ outcome }) => outcome === 'failed');
  const unreached = rules.findIndex(({ outcome }) => outcome === 'not_reached');
  assert.ok(failed < 0 ? unreached < 0 : unreached < 0 || unreached > failed, 'nothing is left out before the refusal');
  assert.ok(rules.filter(({ outcome }) => outcome === 'failed').length <= 1);
  assert.ok(rules.filter(({ outcome }) => outcome !== 'not_reached').every(({ datum }) => (datum ?? '') !== ''));
}

describe('the closed list of rules', () => {
  it('has every rule of targets and budgets, each once', () => {
    assert.equal(new Set(PLAN_RULES).size, PLAN_RULES.length);
    for (const rule of [...Object.keys(TARGET_RULES), ...BUDGET_RULES.map((each) => each.rule)])
      assert.ok(PLAN_RULES.includes(rule), rule);
  });

  it('is whole in the trace of every plan, allowed or refused, and has nothing that is not in the list', async (t) => {
    const { plan } = await planningWorld(t, { names: { 'db.lab.internal': ['10.0.0.5', '10.0.0.6'] } });
    const inputs = [
      { target: '10.0.0.1' },
      { target: 'db.lab.internal', ports: '22,80', server: '10.0.0.53' },
      { target: '10.0.0.0/30', server: '' },
      { target: '10.99.0.1' },
      { target: '10.0.0.1', loud: true },
      { target: '10.0.0.1', server: '192.168.0.1' },
      { target: 'gone.lab.internal' },
      { target: '10.0.0.0/8' },
    ];
    for (const input of inputs) {
      const { rules } = await plan(input);
      assertComplete(rules);
      assert.deepEqual(
        rules.filter(({ rule }) => !PLAN_RULES.includes(rule)),
        [],
      );
    }
  });

  it('tells a rule that had nothing to judge from one that was never reached', async (t) => {
    const { plan } = await planningWorld(t);
    const { rules } = await plan({ target: 'gone.lab.internal' });
    const outcomeOf = (rule: string) => rules.find((entry) => entry.rule === rule)?.outcome;
    assert.equal(outcomeOf('risk.option'), 'passed');
    assert.equal(outcomeOf('target.scope'), 'passed');
    assert.equal(outcomeOf('target.unresolved'), 'failed');
    // Its addresses are not known: nobody can say that they are not denied.
    assert.equal(outcomeOf('target.always-denied'), 'not_reached');
    assert.equal(outcomeOf('argv.grammar'), 'not_reached');
    assert.ok(!askedOf(rules).some(({ rule }) => rule === 'risk.option' || rule === 'argv.grammar'));
  });
});

it('the trace stands in the order of the list, however it was asked: what passed, the refusal, what was not reached', async (t) => {
  const { plan } = await planningWorld(t, { names: { 'db.lab.internal': ['10.0.0.5', '10.0.0.6'] } });
  const orderOf = (rules: readonly TraceEntry[], outcome: TraceEntry['outcome']) =>
    rules.filter((entry) => entry.outcome === outcome).map(({ rule }) => PLAN_RULES.indexOf(rule));
  for (const input of [
    { target: 'db.lab.internal', ports: '22,80', server: '10.0.0.53' },
    { target: '10.0.0.1', loud: true },
    { target: 'gone.lab.internal' },
    { target: '10.99.0.1' },
  ]) {
    const { rules } = await plan(input);
    const shown = rules.map(({ outcome }) => outcome);
    assert.deepEqual(
      shown,
      shown.toSorted((one, other) => PLACES.indexOf(one) - PLACES.indexOf(other)),
    );
    for (const outcome of PLACES) {
      const places = orderOf(rules, outcome);
      assert.ok(places.length > 0 || outcome !== 'passed');
      assert.deepEqual(
        places,
        places.toSorted((one, other) => one - other),
        JSON.stringify(input),
      );
    }
  }
});

const PLACES: readonly TraceEntry['outcome'][] = ['passed', 'failed', 'not_reached'];

it('whatever was asked, the trace is whole and ends with the refusal', () => {
  const entry = fc.record({
    rule: fc.oneof(fc.constantFrom(...PLAN_RULES), fc.constant('new.rule')),
    field: fc.constantFrom('a', 'b'),
    datum: fc.constantFrom('x', 'y'),
  });
  const failed = fc.option(fc.record({ rule: fc.oneof(fc.constantFrom(...PLAN_RULES), fc.constant('other.rule')) }));
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 12 }), failed, (passed, refused) => {
      const asked: TraceEntry[] = passed.map((each) => ({ ...each, outcome: 'passed' }));
      if (refused !== null) asked.push({ ...refused, field: 'a', outcome: 'failed', datum: 'no' });
      const rules = completeTrace(asked);
      assertComplete(rules);
      assert.equal(
        rules.some(({ outcome }) => outcome === 'failed'),
        refused !== null,
      );
      // Nothing is said to have passed of a stage behind the refusal unless it was asked.
      const at = PLAN_STAGES.findIndex((stage) => stage.rules.includes(refused?.rule ?? ''));
      const behind = at < 0 ? [] : PLAN_STAGES.slice(at + 1).flatMap((stage) => stage.rules);
      for (const { rule, outcome } of rules)
        if (behind.includes(rule) && !asked.some((each) => each.rule === rule)) assert.equal(outcome, 'not_reached');
    }),
  );
});

it('docs/plans.md lists every stage with its rules in order, and no other', () => {
  const text = readFileSync(new URL('../../../docs/plans.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| ([a-z ]+?) +\| ((?:`[a-z.-]+` ?)+) *\|$/gm)];
  assert.deepEqual(
    rows.map(([, stage, rules = '']) => ({ stage, rules: [...rules.matchAll(/`([^`]+)`/g)].map(([, rule]) => rule) })),
    PLAN_STAGES,
  );
});
