import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { DiffEntry, DiffState, Finding } from '../../../schemas/finding.ts';
import { type Comparison, compareRuns, type RunPair } from '../../../src/core/findings/diff.ts';
import type { Area, Coverage, FindingDraft } from '../../../src/core/findings/types.ts';
import type { FindingStore } from '../../../src/core/store/types.ts';
import { fuzz } from '../../fixtures/fuzz.ts';
import { draftOf, memoryFindings, portsOf, runOf, seenOf } from './samples.ts';

const A = 'run_a';
const B = 'run_b';
const WHOLE = portsOf('0.0.0.0/0');

const pairOf = (from: Coverage | undefined, to: Coverage | undefined): RunPair => ({
  from: { run: runOf({ runId: A }), coverage: from },
  to: { run: runOf({ runId: B }), coverage: to },
});
const portAt = (port: number, patch: Partial<FindingDraft> = {}): FindingDraft => draftOf({ port, ...patch });
const aboutOf = (entry: DiffEntry): Finding => (entry.after ?? entry.before) as Finding;
const byPort = (comparison: Comparison): Record<number, DiffState> =>
  Object.fromEntries(comparison.entries.map((entry) => [aboutOf(entry).port ?? -1, entry.state]));

async function compare(
  runs: { readonly a: readonly FindingDraft[]; readonly b: readonly FindingDraft[] },
  coverages: { readonly a?: Coverage; readonly b?: Coverage } = { a: WHOLE, b: WHOLE },
): Promise<Comparison> {
  const store = memoryFindings({ [A]: runs.a, [B]: runs.b });
  return compareRuns(store, pairOf(coverages.a, coverages.b), { limit: 1000, unchanged: true });
}

async function allPages(store: FindingStore, pair: RunPair, page: { limit: number; unchanged?: boolean }) {
  const entries: DiffEntry[] = [];
  const counts: Comparison['counts'][] = [];
  let after: string | undefined;
  do {
    const answer: Comparison = await compareRuns(store, pair, { ...page, after });
    assert.ok(answer.entries.length <= page.limit);
    assert.ok(after === undefined || answer.entries.length > 0, 'a page that was promised is not empty');
    entries.push(...answer.entries);
    counts.push(answer.counts);
    after = answer.next;
  } while (after !== undefined);
  return { entries, counts };
}

describe('two runs compared', () => {
  it('gives each finding one of five states', async () => {
    const was = [portAt(22), portAt(80), portAt(443), portAt(9000)];
    const is = [portAt(22), portAt(80, { title: 'tcp/80 filtered', attributes: { state: 'filtered' } }), portAt(8080)];
    const answer = await compare({ a: was, b: is }, { a: WHOLE, b: portsOf('10.77.0.0/24', 1, 8999) });
    assert.deepEqual(byPort(answer), {
      22: 'unchanged',
      80: 'changed',
      443: 'gone',
      8080: 'new',
      9000: 'not_looked_at',
    });
    assert.deepEqual(answer.counts, { new: 1, gone: 1, changed: 1, unchanged: 1, not_looked_at: 1 });
    const changed = answer.entries.find(({ state }) => state === 'changed');
    assert.deepEqual(changed?.changes, ['title', 'attributes.state']);
    assert.equal(changed?.before?.title, 'tcp/80 open');
    assert.equal(changed?.after?.title, 'tcp/80 filtered');
    assert.match(answer.entries.find(({ state }) => state === 'not_looked_at')?.why ?? '', /tcp 9000/);
  });

  it('does not call a port gone that is outside the second range', async () => {
    const answer = await compare(
      { a: [portAt(80), portAt(8080)], b: [] },
      { a: WHOLE, b: portsOf('10.77.0.10', 1, 1024) },
    );
    assert.deepEqual(byPort(answer), { 80: 'gone', 8080: 'not_looked_at' });
  });

  it('does not call a host gone that is outside the second list', async () => {
    const [near, far] = ['10.77.0.127', '10.77.0.128'].map((target, at) => portAt(at + 1, { target }));
    const answer = await compare(
      { a: [near as FindingDraft, far as FindingDraft], b: [] },
      { a: WHOLE, b: portsOf('10.77.0.0/25') },
    );
    assert.deepEqual(byPort(answer), { 1: 'gone', 2: 'not_looked_at' });
  });

  it('calls nothing gone that a run cut short had not reached', async () => {
    const finished: Area = { kinds: ['port'], network: '10.77.0.10', protocol: 'tcp' };
    const cut: Coverage = { areas: [finished], missing: ['10.77.0.11 to 10.77.0.20'] };
    const was = [portAt(1), portAt(2, { target: '10.77.0.11' })];
    assert.deepEqual(byPort(await compare({ a: was, b: [] }, { a: WHOLE, b: cut })), { 1: 'gone', 2: 'not_looked_at' });
    const none: Coverage = { areas: [], missing: ['everything'] };
    assert.equal((await compare({ a: was, b: [] }, { a: WHOLE, b: none })).counts.not_looked_at, 2);
    assert.equal((await compare({ a: was, b: [] }, { a: WHOLE })).counts.not_looked_at, 2);
  });

  it('knows IPv6 hosts in every spelling', async () => {
    const was = portAt(22, { target: 'FD00:77:0::10' });
    const is = portAt(22, { target: 'fd00:77::10' });
    const gone = portAt(80, { target: 'fd00:77::11' });
    const beyond = portAt(443, { target: 'fd00:77:0:1::1' });
    const answer = await compare({ a: [was, gone, beyond], b: [is] }, { a: WHOLE, b: portsOf('fd00:77::/64') });
    assert.deepEqual(byPort(answer), { 22: 'unchanged', 80: 'gone', 443: 'not_looked_at' });
  });

  it('says of a new finding when the first run had not looked there', async () => {
    const answer = await compare(
      { a: [], b: [portAt(80), portAt(8080)] },
      { a: portsOf('10.77.0.10', 1, 1024), b: WHOLE },
    );
    const whys = new Map(answer.entries.map((entry) => [aboutOf(entry).port, entry.why]));
    assert.deepEqual(byPort(answer), { 80: 'new', 8080: 'new' });
    assert.equal(whys.get(80), undefined);
    assert.match(whys.get(8080) ?? '', /^was not looked at before: .*tcp 8080/);
  });

  it('leaves out what did not change unless it is asked for, and counts it all the same', async () => {
    const store = memoryFindings({ [A]: [portAt(1), portAt(2)], [B]: [portAt(1)] });
    const answer = await compareRuns(store, pairOf(WHOLE, WHOLE), { limit: 10 });
    assert.deepEqual(byPort(answer), { 2: 'gone' });
    assert.equal(answer.counts.unchanged, 1);
    assert.equal(answer.next, undefined);
  });

  it('refuses findings that come out of order: one would be lost', async () => {
    const two = [seenOf(portAt(1)), seenOf(portAt(2))].sort((a, b) =>
      a.finding.fingerprint > b.finding.fingerprint ? -1 : 1,
    );
    const unordered: FindingStore = { ...memoryFindings({}), byFingerprint: async () => two };
    await assert.rejects(compareRuns(unordered, pairOf(WHOLE, WHOLE), { limit: 10 }), { code: 'ERR_INTERNAL' });
  });

  it('holds one page of each run at a time', async () => {
    const many = (from: number) => Array.from({ length: 3000 }, (_, at) => portAt(from + at));
    const store = memoryFindings({ [A]: many(1), [B]: many(1500) });
    const answer = await compareRuns(store, pairOf(WHOLE, WHOLE), { limit: 10 });
    assert.deepEqual(answer.counts, { new: 1499, gone: 1499, changed: 0, unchanged: 1501, not_looked_at: 0 });
    assert.equal(answer.entries.length, 10);
    assert.ok(store.reads.largest <= 500, `${store.reads.largest} findings in one read`);
    assert.ok(store.reads.calls <= 14, `${store.reads.calls} reads`);
  });
});

describe('any two runs', () => {
  const draft = fc.record({
    kind: fc.constantFrom('port', 'service', 'host'),
    target: fc.constantFrom('10.77.0.1', '10.77.0.200', 'fd00:77::1', 'web.lab'),
    port: fc.integer({ min: 1, max: 6 }),
    title: fc.constantFrom('one', 'two'),
    severity: fc.constantFrom('info', 'high'),
  }) as fc.Arbitrary<Partial<FindingDraft>>;
  const drafts = fc.array(
    draft.map((patch) => draftOf(patch)),
    { maxLength: 12 },
  );
  const area = fc.record(
    {
      kinds: fc.subarray(['port', 'service', 'host'] as const),
      network: fc.constantFrom('10.77.0.0/24', '10.77.0.0/25', '0.0.0.0/0', 'fd00:77::/64'),
      subject: fc.constant('web.lab'),
      ports: fc.constantFrom([{ from: 1, to: 3 }], [{ from: 4, to: 6 }]),
      method: fc.constantFrom('one', 'two'),
    },
    { requiredKeys: ['kinds'] },
  ) as fc.Arbitrary<Area>;
  const coverage = fc.option(
    fc.array(area, { maxLength: 4 }).map((areas): Coverage => ({ areas, missing: [] })),
    { nil: undefined },
  );
  const side = fc.record({ drafts, coverage });

  it('a run compared with itself did not change', async (t) => {
    const property = fc.asyncProperty(side, async ({ drafts: list, coverage: own }) => {
      const store = memoryFindings({ [A]: list });
      const run = { run: runOf({ runId: A }), coverage: own };
      const { counts, entries } = await compareRuns(store, { from: run, to: run }, { limit: 100 });
      assert.deepEqual(entries, []);
      assert.deepEqual({ ...counts, unchanged: 0 }, { new: 0, gone: 0, changed: 0, unchanged: 0, not_looked_at: 0 });
    });
    await fuzz(t, property);
  });

  it('backwards, what was new is gone, or was not looked at exactly where its reason says so', async (t) => {
    const property = fc.asyncProperty(side, side, async (one, other) => {
      const store = memoryFindings({ [A]: one.drafts, [B]: other.drafts });
      const there = pairOf(one.coverage, other.coverage);
      const page = { limit: 100, unchanged: true };
      const forth = await compareRuns(store, there, page);
      const back = await compareRuns(store, { from: there.to, to: there.from }, page);
      assert.equal(forth.entries.length, back.entries.length);
      for (const [at, entry] of forth.entries.entries()) {
        assert.equal(aboutOf(entry).fingerprint, aboutOf(back.entries[at] as DiffEntry).fingerprint);
        assert.equal(back.entries[at]?.state, mirrored(entry, back.entries[at]));
        assert.deepEqual(back.entries[at]?.changes, entry.changes);
      }
    });
    await fuzz(t, property);
  });

  it('on all pages together each finding of either run stands exactly once, whatever the page size', async (t) => {
    const property = fc.asyncProperty(side, side, fc.integer({ min: 1, max: 5 }), async (one, other, limit) => {
      const store = memoryFindings({ [A]: one.drafts, [B]: other.drafts });
      const pair = pairOf(one.coverage, other.coverage);
      const { entries, counts } = await allPages(store, pair, { limit, unchanged: true });
      const expected = new Set([...one.drafts, ...other.drafts].map((each) => seenOf(each).finding.fingerprint));
      assert.deepEqual(
        entries.map((entry) => aboutOf(entry).fingerprint),
        [...expected].toSorted(),
      );
      for (const each of counts) assert.deepEqual(each, countsOf(entries));
      const changedOnly = await allPages(store, pair, { limit });
      assert.deepEqual(
        changedOnly.entries,
        entries.filter(({ state }) => state !== 'unchanged'),
      );
    });
    await fuzz(t, property);
  });

  it('nothing is gone that the second run did not cover', async (t) => {
    const property = fc.asyncProperty(drafts, drafts, async (was, is) => {
      const empty: Coverage = { areas: [], missing: [] };
      assert.equal((await compare({ a: was, b: is }, { a: WHOLE, b: empty })).counts.gone, 0);
    });
    await fuzz(t, property);
  });
});

function mirrored(entry: DiffEntry, back: DiffEntry | undefined): DiffState | undefined {
  if (entry.state === 'changed' || entry.state === 'unchanged') return entry.state;
  if (entry.state === 'new') return entry.why === undefined ? 'gone' : 'not_looked_at';
  return (back?.why === undefined) === (entry.state === 'gone') ? 'new' : undefined;
}

function countsOf(entries: readonly DiffEntry[]): Comparison['counts'] {
  const counts = { new: 0, gone: 0, changed: 0, unchanged: 0, not_looked_at: 0 };
  for (const { state } of entries) counts[state] += 1;
  return counts;
}
