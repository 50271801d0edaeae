import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from '../../src/store/store.ts';
import { newDirectory, sampleEvent, sampleRun } from './rig.ts';

test('the passwords of a waiting call are not in the file any more once it runs and the gateway has stopped', async () => {
  const dataDir = newDirectory();
  const store = await openStore(dataDir);
  const run = sampleRun({ state: 'queued', startedAt: null });
  const passwords = Array.from({ length: 3000 }, (_none, at) => `planted-password-${at}`);
  const job = { input: { passwords }, options: {}, detached: false };
  await store.runs.create(run, { job, event: sampleEvent(1) });
  await store.runs.change({
    runId: run.runId,
    from: 'queued',
    patch: { state: 'running' },
    events: [sampleEvent(2)],
    job: null,
  });
  await store.close();
  const files = readdirSync(dataDir).map((name) => readFileSync(join(dataDir, name)));
  assert.ok(files.length > 0);
  for (const file of files) assert.ok(!file.includes('planted-password-'));
});
