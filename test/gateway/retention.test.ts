import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Config } from '../../schemas/config.ts';
import type { Run } from '../../schemas/run-record.ts';
import { sweepOnce } from '../../src/gateway/retention.ts';
import { openStore } from '../../src/store/store.ts';
import { caller, engineFixture, memoryRecorder } from '../fixtures/engine.ts';
import { openGuards } from '../fixtures/policy.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** A store with one run that ended at the fixture's time, and a sweep at a later time. */
async function setUp(t: TestContext) {
  const dataDir = mkdtempSync(join(tmpdir(), 'sallyport-test-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const store = await openStore(dataDir);
  t.after(() => store.close());
  const fixture = engineFixture({ realStore: store, ending: { output: 'word\n' } });
  const started = await fixture.start();
  const { runId } = started;
  await started.ended;
  const run: Run = await started.read();
  const none = () => undefined;
  const sweepAfter = (ms: number, retention: Partial<Config['runs']['retention']>) =>
    sweepOnce({
      store,
      audit: openGuards().audit,
      planner: { sweep: async () => 0 },
      budgets: { upkeep: async () => undefined },
      config: () =>
        ({
          runs: { retention: { keepMs: 0, runMs: 0, outputMs: DAY, outputBytes: 1_073_741_824, ...retention } },
        }) as Config,
      clock: { now: () => Date.parse(run.endedAt ?? '') + ms, monotonic: () => ms },
      recorder: memoryRecorder(),
      log: { info: none, warn: none, error: none },
      signal: new AbortController().signal,
    });
  const output = async () => (await store.output.read(runId, 'stdout', { offset: 0, limit: 100 })).bytes.toString();
  return { store, runId, sweepAfter, output };
}

test('raw output leaves with its age and the record stays, with what was found', async (t) => {
  const { store, runId, sweepAfter, output } = await setUp(t);
  await sweepAfter(DAY - 1000, {});
  assert.equal(await output(), 'word\n');
  await sweepAfter(DAY + 1000, {});
  assert.equal(await output(), '');
  const run = await store.runs.get(runId);
  assert.equal(run?.state, 'succeeded');
  assert.equal(run?.owner, caller.id);
  assert.ok(await store.runs.result(runId));
});

test('whole runs leave only when the operator said at which age, and never before the age at which they must be kept', async (t) => {
  const { store, runId, sweepAfter } = await setUp(t);
  await sweepAfter(1000 * DAY, {});
  assert.ok(await store.runs.get(runId), 'kept for ever by default');
  const created = Date.parse((await store.runs.get(runId))?.createdAt ?? '');
  assert.ok(created > 0);
  await sweepAfter(2 * DAY, { runMs: DAY, keepMs: 3 * DAY });
  assert.ok(await store.runs.get(runId));
  await sweepAfter(4 * DAY, { runMs: DAY, keepMs: 3 * DAY });
  assert.equal(await store.runs.get(runId), undefined);
});
