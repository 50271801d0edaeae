import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'node:test';
import { ROOT, runCli, temporaryDirectory } from './command-line.ts';

/** Holds the data directory like a gateway whose event loop ignores the request to end. */
const STUBBORN = `
import { acquireLock } from ${JSON.stringify(pathToFileURL(join(ROOT, 'src', 'store', 'lock-file.ts')).href)};
process.on('SIGTERM', () => {});
await acquireLock(process.argv[1], { waitMs: 0 });
console.log('held');
setInterval(() => {}, 1000);
`;
const SKIP = process.env['SALLYPORT_TEST_NIGHTLY'] === '1' ? false : 'waits out the time limit of stop: --nightly';

test('stop kills a gateway that does not end in time, and says so', { skip: SKIP }, async (t) => {
  const dataDir = temporaryDirectory(t);
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', STUBBORN, join(dataDir, 'pid')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const ended = once(child, 'exit');
  const environment = { SALLYPORT_DATA_DIR: dataDir, SALLYPORT_SHUTDOWN_GRACE_MS: '0' };
  const { code, stderr } = await runCli(['stop'], { environment });
  assert.equal(code, 1);
  assert.match(stderr, /was killed/);
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  assert.equal((await runCli(['status'], { environment })).code, 3);
});
