import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { acquireLock } from '../../src/store/lock-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-lock-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const code = { code: 'ERR_STORE_UNAVAILABLE' };
const module = new URL('../../src/store/lock-file.ts', import.meta.url).href;

/** A process that takes the lock, says so, and holds it until it is killed. */
async function holder(path: string) {
  const script = `const { acquireLock } = await import(process.argv[1]);
    await acquireLock(process.argv[2], { waitMs: 0 }); console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, module, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

test('a lock is exclusive between processes and free after its release', async () => {
  const path = join(directory, 'a');
  const child = await holder(path);
  await assert.rejects(acquireLock(path, { waitMs: 0 }), code);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const lock = await acquireLock(path, { waitMs: 0 });
  await assert.rejects(acquireLock(path, { waitMs: 50 }), code);
  lock.release();
  assert.equal(existsSync(path), false);
});

test('a pid that was given to another process does not keep a dead holder alive', async () => {
  const path = join(directory, 'reused');
  const lock = await acquireLock(path, { waitMs: 0 });
  const holderOfNow = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  lock.release();
  writeFileSync(path, JSON.stringify({ ...holderOfNow, startTicks: '1', nonce: 'old' }));
  (await acquireLock(path, { waitMs: 0 })).release();
  writeFileSync(path, JSON.stringify({ ...holderOfNow, bootId: 'before the reboot', nonce: 'old' }));
  (await acquireLock(path, { waitMs: 0 })).release();
});

test('a holder in another container lives as long as it touches its lock', async () => {
  const path = join(directory, 'foreign');
  const lock = await acquireLock(path, { waitMs: 0 });
  const foreign = { ...(JSON.parse(readFileSync(path, 'utf8')) as object), pidNamespace: 'pid:[1]', nonce: 'other' };
  lock.release();
  writeFileSync(path, JSON.stringify(foreign));
  const touching = setInterval(() => writeFileSync(path, JSON.stringify(foreign)), 20);
  await assert.rejects(acquireLock(path, { waitMs: 100, foreignStaleMs: 2000 }), code);
  clearInterval(touching);
  (await acquireLock(path, { waitMs: 0, foreignStaleMs: 100 })).release();
});

test('content that is no holder is not believed for ever', async () => {
  const path = join(directory, 'garbage');
  writeFileSync(path, '{"pid":');
  (await acquireLock(path, { waitMs: 0, foreignStaleMs: 60 })).release();
});

test('a release after a take-over leaves the lock of the new holder', async () => {
  const path = join(directory, 'late');
  const first = await acquireLock(path, { waitMs: 0 });
  rmSync(path);
  const second = await acquireLock(path, { waitMs: 0 });
  first.release();
  assert.equal(existsSync(path), true);
  second.release();
});

test('many at once take a dead lock over one after the other', async () => {
  const path = join(directory, 'many');
  const lock = await acquireLock(path, { waitMs: 0 });
  const dead = { ...(JSON.parse(readFileSync(path, 'utf8')) as object), startTicks: '1', nonce: 'dead' };
  lock.release();
  writeFileSync(path, JSON.stringify(dead));
  let inside = 0;
  await Promise.all(
    Array.from({ length: 10 }, async () => {
      const mine = await acquireLock(path, { waitMs: 20_000 });
      inside += 1;
      assert.equal(inside, 1);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
      mine.release();
    }),
  );
});
