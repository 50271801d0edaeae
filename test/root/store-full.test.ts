import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from '../../src/store/store.ts';
import { endedRun, sampleEvent, sampleRun } from '../store/rig.ts';
import { NEEDS_ROOT } from './real-checkout.ts';

test('on a full disk writes fail whole and say so, reads go on, and with room again everything goes on', {
  skip: NEEDS_ROOT,
}, async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sallyport-full-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=0700', 'tmpfs', dataDir], {
    encoding: 'utf8',
  });
  assert.equal(mounted.status, 0, mounted.stderr);
  t.after(() => {
    spawnSync('umount', [dataDir]);
    rmSync(dataDir, { recursive: true, force: true });
  });
  const store = await openStore(dataDir);
  const kept = [await endedRun(store), await endedRun(store)];
  // All but a few pages: the store meets the end in the middle of a write.
  const { bavail, bsize } = statfsSync(dataDir);
  writeFileSync(join(dataDir, 'filler'), randomBytes((bavail - 20) * bsize));
  const failed: string[] = [];
  for (let i = 0; i < 100 && failed.length < 5; i++) {
    const run = sampleRun({ argv: [randomBytes(3000).toString('hex')] });
    const outcome = await store.runs.create(run, { event: sampleEvent(1) }).catch((thrown: unknown) => thrown);
    if (outcome instanceof Error) {
      assert.equal((outcome as Error & { code: string }).code, 'ERR_STORE_UNAVAILABLE');
      failed.push(run.runId);
    } else kept.push(run.runId);
  }
  assert.equal(failed.length, 5);
  assert.equal(store.fault()?.kind, 'disk_full');
  const listed = async () => (await store.runs.list({ limit: 1000 })).items.map(({ runId }) => runId).sort();
  assert.deepEqual(await listed(), kept.toSorted());
  assert.deepEqual(await store.keys.list(), []);

  rmSync(join(dataDir, 'filler'));
  await store.probe();
  assert.equal(store.fault(), undefined);
  kept.push(await endedRun(store));
  await store.close();
  const again = await openStore(dataDir);
  assert.deepEqual((await again.runs.list({ limit: 1000 })).items.map(({ runId }) => runId).sort(), kept.toSorted());
  assert.deepEqual(await again.check(), []);
  await again.close();
});
