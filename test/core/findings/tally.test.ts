import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { SEVERITIES, type Severity } from '../../../schemas/finding.ts';
import { createTally } from '../../../src/core/findings/tally.ts';
import { fuzz } from '../../fixtures/fuzz.ts';

const seen = (fingerprint: string, severity: Severity = 'info') => ({ fingerprint, draft: { severity } });
const counts = (patch: Partial<Record<Severity, number>> = {}) => ({
  info: 0,
  low: 0,
  medium: 0,
  high: 0,
  critical: 0,
  ...patch,
});

describe('the tally of a run', () => {
  it('begins with nothing', () => {
    assert.deepEqual(createTally().counts(), { total: 0, bySeverity: counts(), isOverLimit: false });
  });

  it('counts a finding once, with the severity that was stated last', () => {
    const tally = createTally();
    assert.equal(tally.add(seen('a', 'low')), 'new');
    assert.equal(tally.add(seen('b', 'high')), 'new');
    assert.equal(tally.add(seen('a', 'critical')), 'again');
    assert.deepEqual(tally.counts(), { total: 2, bySeverity: counts({ high: 1, critical: 1 }), isOverLimit: false });
  });

  it('takes no more than its limit, says so, and still knows what it has', () => {
    const tally = createTally(2);
    assert.deepEqual(
      ['a', 'b', 'c', 'c', 'a'].map((each) => tally.add(seen(each))),
      ['new', 'new', 'over_limit', 'over_limit', 'again'],
    );
    assert.deepEqual(tally.counts(), { total: 2, bySeverity: counts({ info: 2 }), isOverLimit: true });
  });

  it('is not changed through the counts that it gave', () => {
    const tally = createTally();
    tally.counts().bySeverity.info = 7;
    assert.equal(tally.counts().bySeverity.info, 0);
  });

  it('agrees with a plain count of the last statements', async (t) => {
    const statement = fc.tuple(
      fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor'),
      fc.constantFrom(...SEVERITIES),
    );
    await fuzz(
      t,
      fc.property(fc.array(statement), (statements) => {
        const tally = createTally();
        for (const [fingerprint, severity] of statements) tally.add(seen(fingerprint, severity));
        const last = new Map(statements);
        const expected = counts();
        for (const severity of last.values()) expected[severity] += 1;
        assert.deepEqual(tally.counts(), { total: last.size, bySeverity: expected, isOverLimit: false });
      }),
    );
  });
});
