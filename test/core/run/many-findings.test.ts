import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { MAX_FINDINGS_OF_RUN } from '../../../src/core/findings/tally.ts';
import type { FindingDraft } from '../../../src/core/findings/types.ts';
import type { AnyTool } from '../../../src/core/tool/definition.ts';
import { openStore } from '../../../src/store/store.ts';
import { echo, engineFixture } from '../../fixtures/engine.ts';

const draft = (at: number): FindingDraft => ({
  kind: 'note',
  target: 'h',
  key: String(at),
  title: `note ${at}`,
  severity: 'info',
  confidence: 'firm',
});

test('a run that found more than is kept says so, keeps the most that may be kept, and can be removed', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sallyport-test-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const store = await openStore(dataDir);
  t.after(() => store.close());
  const tool: AnyTool = {
    ...echo,
    findings: ({ input }) =>
      input['host'] === '10.0.0.9'
        ? [draft(1)]
        : Array.from({ length: MAX_FINDINGS_OF_RUN + 10 }, (_none, at) => draft(at)),
    coverage: () => ({ areas: [{ kinds: ['note'], subject: 'h' }], missing: [] }),
  };
  const fixture = engineFixture({ realStore: store, tool });
  const { runId, ended } = await fixture.start();
  let turns = 0;
  const ticking = setInterval(() => (turns += 1), 1);
  const answer = await ended;
  assert.equal(answer.complete, false);
  assert.equal((await store.runs.result(runId))?.complete, false);
  clearInterval(ticking);
  assert.ok(turns > 10, 'others had their turn while the findings were read');
  const run = await store.runs.get(runId);
  assert.equal(run?.findings.total, MAX_FINDINGS_OF_RUN);
  assert.equal(run?.complete, false);
  assert.match(run?.degraded.at(-1) ?? '', /more than is kept/);
  assert.deepEqual((await store.runs.coverage(runId))?.areas, []);
  let listed = 0;
  for (let after: string | undefined; ; ) {
    const page = await store.findings.ofRun(runId, { limit: 1000, ...(after === undefined ? {} : { after }) });
    listed += page.items.length;
    if (page.next === undefined) break;
    after = page.next;
  }
  assert.equal(listed, MAX_FINDINGS_OF_RUN);
  const other = await fixture.engine.start({
    tool: 'echo',
    input: { host: '10.0.0.9' },
    principal: { id: 'key-1', name: 'x', scopes: new Set() },
    requestId: 'r',
    signal: new AbortController().signal,
  });
  await other.ended;
  assert.equal(await store.runs.remove(runId), true);
  assert.equal(await store.runs.get(runId), undefined);
  assert.equal((await store.findings.list({ limit: 1 })).items[0]?.runId, other.runId, 'what the other run saw stays');
});
