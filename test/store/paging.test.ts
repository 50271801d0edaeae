import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FINDING_KINDS, type Finding, SEVERITIES } from '../../schemas/finding.ts';
import { RUN_STATES, type Run } from '../../schemas/run-record.ts';
import type { FindingQuery, Page, RunQuery } from '../../src/core/store/types.ts';
import { fuzz } from '../fixtures/fuzz.ts';
import { at, newRunId, newStore, sampleEvent, sampleObservation, sampleRun } from './rig.ts';

const OWNERS = ['a', 'b'];
const TOOLS = ['nmap', 'dig'];
const TARGETS = ['x', 'y', 'z'];
const TIMES = { min: 1000, max: 1005 };
const oneOf = <T>(values: readonly T[]) => fc.constantFrom(...values);
const perhaps = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

/** Only what is there: the store tells an absent condition from none by its absence. */
function given<T extends object>(query: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)) as never;
}

async function everyPage<T>(list: (after: string | undefined) => Promise<Page<T>>, limit: number): Promise<T[]> {
  const all: T[] = [];
  let after: string | undefined;
  do {
    const page = await list(after);
    assert.ok(page.items.length <= limit);
    assert.ok(page.next === undefined || page.items.length === limit, 'a page that is not the last one is full');
    all.push(...page.items);
    after = page.next;
  } while (after !== undefined);
  return all;
}

const runShape = fc.record({
  owner: oneOf(OWNERS),
  tool: oneOf(TOOLS),
  state: oneOf(RUN_STATES),
  targets: fc.subarray(TARGETS),
  time: fc.integer(TIMES),
});
const runQuery = fc.record({
  owner: perhaps(oneOf(OWNERS)),
  tool: perhaps(oneOf([...TOOLS, 'sqlmap'])),
  states: perhaps(fc.subarray([...RUN_STATES])),
  target: perhaps(oneOf(TARGETS)),
  since: perhaps(fc.integer(TIMES)),
  until: perhaps(fc.integer(TIMES)),
  limit: fc.integer({ min: 1, max: 7 }),
});

function isAsked(run: Run, { owner, tool, states, target, since, until }: Omit<RunQuery, 'limit'>): boolean {
  const time = Date.parse(run.createdAt);
  return (
    (owner === undefined || run.owner === owner) &&
    (tool === undefined || run.tool === tool) &&
    (states === undefined || states.includes(run.state)) &&
    (target === undefined ||
      run.targets.some((each) => each.canonical === target || each.addresses.includes(target))) &&
    (since === undefined || time >= since) &&
    (until === undefined || time < until)
  );
}

test('pages of runs are exactly what a plain list filtered and sorted in memory gives', async (t) => {
  const { store } = await newStore(t);
  const made: Run[] = [];
  const property = fc.asyncProperty(fc.array(runShape, { maxLength: 6 }), runQuery, async (shapes, query) => {
    for (const { targets, time, ...shape } of shapes) {
      const [canonical = 'none', ...addresses] = targets;
      const run = sampleRun({
        ...shape,
        createdAt: at(time),
        targets: [{ role: 'host', given: 'g', canonical, addresses }],
      });
      made.push(run);
    }
    // Rows of one time are ordered by their making, so they are made one after the other: in one batch, in order.
    await Promise.all(
      made.slice(-shapes.length || made.length).map((run) => store.runs.create(run, { event: sampleEvent(1) })),
    );
    const { limit, ...rest } = query;
    const asked = given(rest);
    const found = await everyPage((after) => store.runs.list(given({ ...query, after })), limit);
    const expected = made.filter((run) => isAsked(run, asked)).toReversed();
    expected.sort((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt));
    assert.deepEqual(
      found.map(({ runId }) => runId),
      expected.map(({ runId }) => runId),
    );
    if (made.length > 60) made.length = await clear(made.map(({ runId }) => runId));
  });
  const clear = async (ids: readonly string[]): Promise<number> => {
    for (const runId of ids) {
      const run = await store.runs.get(runId);
      if (run !== undefined && ['awaiting_approval', 'queued', 'running'].includes(run.state)) {
        await store.runs.change({ runId, from: run.state, patch: { state: 'lost' }, events: [] });
      }
    }
    await Promise.all(ids.map((runId) => store.runs.remove(runId)));
    return 0;
  };
  await fuzz(t, property);
});

const draftShape = fc.record({
  kind: oneOf(FINDING_KINDS),
  severity: oneOf(SEVERITIES),
  target: oneOf([...TARGETS, 'ü\u{1f600}'.repeat(40), '\ud800']),
  address: perhaps(oneOf(TARGETS)),
  port: perhaps(oneOf([80, 443])),
});
const findingRun = fc.record({
  owner: oneOf(OWNERS),
  tool: oneOf(TOOLS),
  time: fc.integer(TIMES),
  seen: fc.array(fc.tuple(fc.integer({ min: 0, max: 8 }), draftShape), { maxLength: 8 }),
});
const findingQuery = fc.record({
  owner: perhaps(oneOf(OWNERS)),
  kind: perhaps(oneOf(FINDING_KINDS)),
  severity: perhaps(oneOf(SEVERITIES)),
  tool: perhaps(oneOf(TOOLS)),
  target: perhaps(oneOf([...TARGETS, '\ud800'])),
  port: perhaps(oneOf([80, 443, 22])),
  since: perhaps(fc.integer(TIMES)),
  limit: fc.integer({ min: 1, max: 5 }),
});

/** What one run saw last of each fingerprint. */
interface ModelRun {
  readonly runId: string;
  readonly order: number;
  readonly owner: string;
  readonly tool: string;
  readonly time: number;
  readonly seen: ReadonlyMap<number, ReturnType<typeof sampleObservation>['draft']>;
}

/** The findings that a list of runs amounts to: the last run that saw one says what it is. */
function modelFindings(runs: readonly ModelRun[]) {
  const found = new Map<string, { last: ModelRun; n: number; first: number; owner: string }>();
  for (const run of [...runs].sort((a, b) => a.time - b.time || a.order - b.order)) {
    for (const n of run.seen.keys()) {
      const id = `${run.owner} ${n}`;
      found.set(id, { last: run, n, first: found.get(id)?.first ?? run.time, owner: run.owner });
    }
  }
  return [...found.values()].map(({ last, n, first, owner }) => {
    const draft = last.seen.get(n);
    assert.ok(draft !== undefined);
    return { draft, owner, n, tool: last.tool, runId: last.runId, first, last: last.time };
  });
}

function isWanted(each: ReturnType<typeof modelFindings>[number], query: Omit<FindingQuery, 'limit'>): boolean {
  const { draft } = each;
  const { severity, target, since } = query;
  return (
    (query.owner === undefined || each.owner === query.owner) &&
    (query.kind === undefined || draft.kind === query.kind) &&
    (severity === undefined || SEVERITIES.indexOf(draft.severity) >= SEVERITIES.indexOf(severity)) &&
    (query.tool === undefined || each.tool === query.tool) &&
    (target === undefined || draft.target === target || draft.address === target) &&
    (query.port === undefined || draft.port === query.port) &&
    (since === undefined || each.last >= since)
  );
}

const shown = ({ fingerprint, runId, firstSeen, lastSeen, title, severity }: Finding) =>
  [Number.parseInt(fingerprint, 16), runId, firstSeen, lastSeen, title, severity].join(' ');

test('findings of runs that come and go are exactly those of a plain model, in every list and page', async (t) => {
  const { store } = await newStore(t);
  const property = fc.asyncProperty(
    fc.array(findingRun, { minLength: 1, maxLength: 5 }),
    fc.array(findingQuery, { minLength: 1, maxLength: 4 }),
    fc.infiniteStream(fc.boolean()),
    async (shapes, queries, removals) => {
      // Owners of this case alone: the store is the same for all cases.
      const suffix = randomBytes(4).toString('hex');
      let runs: ModelRun[] = [];
      for (const [order, { owner, tool, time, seen }] of shapes.entries()) {
        const runId = newRunId();
        const observations = seen.map(([n, draft]) => sampleObservation(n, given(draft)));
        await Promise.all([
          store.runs.create(sampleRun({ runId, owner: owner + suffix, tool, state: 'running', createdAt: at(time) }), {
            event: sampleEvent(1, time),
          }),
          ...observations.map((each, index) =>
            store.runs.change({
              runId,
              from: 'running',
              patch: {},
              events: [sampleEvent(index + 2, time)],
              observations: [each],
            }),
          ),
          store.runs.change({ runId, from: 'running', patch: { state: 'succeeded' }, events: [] }),
        ]);
        const last = new Map(observations.map(({ fingerprint, draft }) => [Number.parseInt(fingerprint, 16), draft]));
        runs.push({ runId, order, owner: owner + suffix, tool, time, seen: last });
      }
      const compare = async (): Promise<void> => {
        for (const { limit, owner = 'a', ...query } of queries) {
          const asked = given({ ...query, owner: owner + suffix });
          const found = await everyPage((after) => store.findings.list(given({ ...asked, limit, after })), limit);
          const expected = modelFindings(runs).filter((each) => isWanted(each, asked));
          assert.deepEqual(
            found.map(shown).sort(),
            expected
              .map(({ n, runId, first, last, draft }) =>
                [n, runId, at(first), at(last), draft.title, draft.severity].join(' '),
              )
              .sort(),
          );
          assert.deepEqual(
            found.map(({ lastSeen }) => lastSeen),
            found
              .map(({ lastSeen }) => lastSeen)
              .toSorted()
              .toReversed(),
          );
        }
        for (const run of runs) await compareRun(run);
      };
      const compareRun = async ({ runId, seen }: ModelRun): Promise<void> => {
        const found = await everyPage((after) => store.findings.ofRun(runId, given({ limit: 2, after })), 2);
        const ranks = found.map(({ severity }) => SEVERITIES.indexOf(severity));
        assert.deepEqual(
          ranks,
          ranks.toSorted((a, b) => b - a),
        );
        const ordered: number[] = [];
        for (let after: string | undefined; ; ) {
          const page = await store.findings.byFingerprint(runId, given({ limit: 3, after }));
          ordered.push(...page.map(({ finding }) => Number.parseInt(finding.fingerprint, 16)));
          after = page.at(-1)?.finding.fingerprint;
          if (page.length < 3) break;
        }
        assert.deepEqual(
          ordered,
          [...seen.keys()].toSorted((a, b) => a - b),
        );
        assert.deepEqual(
          new Map(found.map(({ fingerprint, target, title }) => [Number.parseInt(fingerprint, 16), [target, title]])),
          new Map([...seen].map(([n, { target, title }]) => [n, [target, title]])),
        );
      };
      await compare();
      for (const run of runs.slice(1)) {
        if (removals.next().value !== true) continue;
        assert.equal(await store.runs.remove(run.runId), true);
        runs = runs.filter((each) => each !== run);
      }
      await compare();
    },
  );
  await fuzz(t, property);
  assert.deepEqual(await store.check(), []);
});

test('a position that is none is refused, and pages do not shift when newer rows come', async (t) => {
  const { store } = await newStore(t);
  const create = (time: number) => store.runs.create(sampleRun({ createdAt: at(time) }), { event: sampleEvent(1) });
  for (const time of [1, 2, 3, 4]) await create(time);
  const first = await store.runs.list({ limit: 2 });
  await create(9);
  const second = await store.runs.list({ limit: 2, ...(first.next !== undefined && { after: first.next }) });
  assert.deepEqual(
    [...first.items, ...second.items].map(({ createdAt }) => Date.parse(createdAt)),
    [4, 3, 2, 1],
  );
  for (const after of ['', 'x', '1', '1.', "1.1'--", '1.1.1', '99999999999999999999.1', '1e3.1']) {
    await assert.rejects(store.runs.list({ limit: 1, after }), { code: 'ERR_INPUT_INVALID' }, after);
    await assert.rejects(store.findings.list({ limit: 1, after }), { code: 'ERR_INPUT_INVALID' }, after);
    await assert.rejects(store.findings.ofRun('r', { limit: 1, after }), { code: 'ERR_INPUT_INVALID' }, after);
    await assert.rejects(store.findings.byFingerprint('r', { limit: 1, after }), { code: 'ERR_INPUT_INVALID' }, after);
  }
  assert.equal(store.fault(), undefined);
});
