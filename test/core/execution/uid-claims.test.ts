import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { openUidClaims } from '../../../src/core/execution/uid-claims.ts';
import { isRoot, publicDirectory } from './harness.ts';

const BASE = 71_200;
const NEEDS_ROOT = 'needs root: user ids are only claimed by a gateway that may switch users';

function claims(directory: string, ended: number[] = []) {
  const endAll = async (uid: number) => {
    ended.push(uid);
    return 0;
  };
  return openUidClaims({ directory: `${directory}/claims`, uidBase: BASE, endAll });
}

void test('two gateways with the same base never hold the same user id', async (t) => {
  if (!isRoot) return t.skip(NEEDS_ROOT);
  const directory = publicDirectory(t);
  const [one, other] = [await claims(directory), await claims(directory)];
  const held = [await one.acquire(), await other.acquire(), await one.acquire(), await other.acquire()];
  assert.equal(new Set(held).size, 4);
  one.close();
  other.close();
  assert.deepEqual(readdirSync(`${directory}/claims`), []);
});

void test('a released user id is used again before a new one', async (t) => {
  if (!isRoot) return t.skip(NEEDS_ROOT);
  const pool = await claims(publicDirectory(t));
  const first = await pool.acquire();
  pool.release(first);
  assert.equal(await pool.acquire(), first);
  pool.close();
});

void test('the user id that was idle longest is handed out first', async (t) => {
  if (!isRoot) return t.skip(NEEDS_ROOT);
  const pool = await claims(publicDirectory(t));
  const [first, second] = [await pool.acquire(), await pool.acquire()];
  pool.release(second);
  pool.release(first);
  assert.deepEqual([await pool.acquire(), await pool.acquire()], [second, first]);
  pool.close();
});

test('closing passes over a claim that is gone or another gateway’s', async (t) => {
  if (!isRoot) return t.skip(NEEDS_ROOT);
  const directory = publicDirectory(t);
  const pool = await claims(directory);
  const [gone, taken, own] = [await pool.acquire(), await pool.acquire(), await pool.acquire()];
  rmSync(`${directory}/claims/${gone}`);
  writeFileSync(`${directory}/claims/${taken}`, '1 1');
  pool.close();
  assert.deepEqual(readdirSync(`${directory}/claims`), [String(taken)]);
  assert.equal(existsSync(`${directory}/claims/${own}`), false);
});

test('a claim of a dead gateway is taken over after its processes were ended', async (t) => {
  if (!isRoot) return t.skip(NEEDS_ROOT);
  const directory = publicDirectory(t);
  (await claims(directory)).close();
  writeFileSync(`${directory}/claims/${BASE + 3}`, `${process.pid} 1`);
  const ended: number[] = [];
  const pool = await claims(directory, ended);
  assert.deepEqual(ended, [BASE + 3]);
  assert.equal(existsSync(`${directory}/claims/${BASE + 3}`), false);
  pool.close();
});

void test('a user id under which a stranger’s process runs is passed over, and the process lives', async (t) => {
  if (!isRoot) return t.skip(NEEDS_ROOT);
  const stranger = spawn('/bin/sleep', ['600'], { uid: BASE, gid: BASE });
  t.after(() => stranger.kill('SIGKILL'));
  await once(stranger, 'spawn');
  const ended: number[] = [];
  const pool = await claims(publicDirectory(t), ended);
  assert.equal(await pool.acquire(), BASE + 1);
  assert.deepEqual(ended, []);
  assert.equal(stranger.exitCode, null);
  pool.close();
});

void test('a claim directory that others may write is refused', async (t) => {
  if (!isRoot) return t.skip(NEEDS_ROOT);
  const directory = publicDirectory(t);
  mkdirSync(`${directory}/claims`);
  chmodSync(`${directory}/claims`, 0o777);
  await assert.rejects(claims(directory), { code: 'ERR_EXEC_CONFINEMENT' });
});
