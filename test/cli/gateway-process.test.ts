import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { findAddress, findGateway } from '../../src/cli/gateway-process.ts';
import { readTail } from '../../src/cli/logs.ts';
import { acquireLock } from '../../src/store/lock-file.ts';
import { ended, startCli, temporaryDirectory } from './command-line.ts';

test('the lock that the gateway takes is the one that the command line reads', async (t) => {
  const dataDir = temporaryDirectory(t);
  assert.equal(findGateway(dataDir), undefined);
  const lock = await acquireLock(join(dataDir, 'pid'), { waitMs: 0 });
  assert.equal(findGateway(dataDir)?.pid, process.pid);
  assert.equal(findAddress(dataDir), undefined);
  writeFileSync(join(dataDir, 'address'), 'http://127.0.0.1:1\n');
  assert.equal(findAddress(dataDir), 'http://127.0.0.1:1');
  lock.release();
  assert.equal(findGateway(dataDir), undefined);
  assert.equal(findAddress(dataDir), undefined, 'an address without a gateway is nobody');
});

test('a holder counts only with the right start time, in this boot, and whole', async (t) => {
  const dataDir = temporaryDirectory(t);
  const path = join(dataDir, 'pid');
  const lock = await acquireLock(path, { waitMs: 0 });
  const holder = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  lock.release();
  const wrong = [
    { ...holder, startTicks: '1' },
    { ...holder, bootId: 'another' },
    { ...holder, pid: -1 },
    { ...holder, pid: 0 },
    { ...holder, pid: String(process.pid) },
    { pid: process.pid },
    process.pid,
  ];
  for (const text of [...wrong.map((each) => JSON.stringify(each)), '', '{', '\0']) {
    writeFileSync(path, text);
    assert.equal(findGateway(dataDir), undefined, text);
  }
  writeFileSync(path, JSON.stringify(holder));
  assert.equal(findGateway(dataDir)?.pid, process.pid);
});

test('the end of a log is read in whole lines', (t) => {
  const path = join(temporaryDirectory(t), 'log');
  assert.equal(readTail(path, 3), undefined);
  writeFileSync(path, 'a\nb\nc\nd');
  const { lines, end } = readTail(path, 2) ?? {};
  assert.deepEqual({ lines, end }, { lines: ['c', 'd'], end: 7 });
  assert.deepEqual(readTail(path, 0)?.lines, []);
  writeFileSync(path, 'a\nb\n');
  assert.deepEqual(readTail(path, 9)?.lines, ['a', 'b']);
});

test('logs --follow prints what comes, also after the log was set aside, until Ctrl-C', async (t) => {
  const dataDir = temporaryDirectory(t);
  const path = join(dataDir, 'log');
  writeFileSync(path, 'old\nlast\n');
  const child = startCli(['logs', '-n', '1', '--follow'], { environment: { SALLYPORT_DATA_DIR: dataDir } });
  let seen = '';
  const until = (text: string): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (seen.includes(text)) resolve();
      };
      child.stdout?.on('data', look);
      look();
    });
  child.stdout?.prependListener('data', (chunk: Buffer) => (seen += chunk.toString('utf8')));
  const end = ended(child);
  await until('last\n');
  appendFileSync(path, 'half a ');
  appendFileSync(path, 'line ü\n');
  await until('half a line ü\n');
  renameSync(path, `${path}.1`);
  writeFileSync(path, 'a new log that is longer than the old one was\n');
  await until('old one was\n');
  child.kill('SIGINT');
  assert.equal((await end).code, 0);
  assert.equal(seen, 'last\nhalf a line ü\na new log that is longer than the old one was\n');
});
