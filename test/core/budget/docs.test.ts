import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { BudgetsSchema } from '../../../schemas/engagement.ts';
import { MAX_WAITING } from '../../../src/core/budget/kept-rows.ts';
import { BUDGET_RULES } from '../../../src/core/budget/rules.ts';

const TEXT = readFileSync(join(import.meta.dirname, '../../../docs/budgets.md'), 'utf8');

test('docs/budgets.md lists every limit with its rule, and no other', () => {
  const listed = [...TEXT.matchAll(/^\| `([^`]+)` +\| `([^`]+)`/gm)].map(([, budget, rule]) => `${budget} ${rule}`);
  assert.deepEqual(
    listed,
    BUDGET_RULES.map(({ budget, rule }) => `${budget} ${rule}`),
  );
  assert.ok(TEXT.includes(`Above ${MAX_WAITING} of them`));
});

test('every budget that an engagement can have is judged', () => {
  const { perTarget, ...whole } = BudgetsSchema.properties;
  const keys = [...Object.keys(whole), ...Object.keys(perTarget.properties).map((key) => `perTarget.${key}`)];
  assert.deepEqual(BUDGET_RULES.map(({ budget }) => budget).sort(), keys.sort());
});
