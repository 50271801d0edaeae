import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ended, ROOT, startCli } from '../cli/command-line.ts';
import { copyCheckout, directory, NEEDS_ROOT, statusOf } from './real-checkout.ts';

const NOTHING = '0'.repeat(16);
const NET_RAW = '2000'.padStart(16, '0');
const SETS = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'];
const SIGUSR1_BIT = 1n << 9n;

function assertRights(pid: number, rights: string): void {
  const status = statusOf(pid);
  assert.deepEqual(
    SETS.map((name) => status[name]),
    SETS.map(() => rights),
  );
  assert.ok(!status['Uid']?.split('\t').includes('0'), status['Uid']);
  assert.ok(!status['Gid']?.split('\t').includes('0'), status['Gid']);
  assert.equal(status['Groups']?.trim(), '');
  assert.equal(status['NoNewPrivs'], '1');
}

test('as root, up starts a gateway that is another user without any right, and every verb goes on working', {
  skip: NEEDS_ROOT,
}, async (t) => {
  const { run, pid, dataDir } = copyCheckout(t);
  const up = await run(['up', '--no-install']);
  assert.equal(up.code, 0, up.stderr);
  assertRights(pid(), NOTHING);
  assert.ok(readFileSync(`/proc/${pid()}/cmdline`, 'utf8').split('\0').includes('--disable-sigusr1'));

  const uid = Number(statusOf(pid())['Uid']?.split('\t')[0]);
  for (const name of ['.', 'first-key', 'sallyport.db', 'log', 'pid']) {
    const { uid: owner, mode } = statSync(join(dataDir, name));
    assert.equal(owner, uid, name);
    assert.equal(mode & 0o077, 0, name);
  }
  const status = await run(['status']);
  // How well it is depends on the machine's load; that it can be asked does not.
  assert.match(status.stdout, /^health: /m, status.stderr);
  const made = await run(['keys', 'create', 'later', '--scope', 'tools:read', '--json']);
  assert.equal(made.code, 0, made.stderr);
  assert.equal(statSync(join(dataDir, 'sallyport.db')).uid, uid);
  const { key } = JSON.parse(made.stdout) as { key: string };
  const address = readFileSync(join(dataDir, 'address'), 'utf8').trim();
  const answer = await fetch(`${address}/v1/tools`, { headers: { authorization: `Bearer ${key}` } });
  assert.equal(answer.status, 200);
  assert.equal((await run(['stop'])).code, 0);
  assert.ok(!existsSync(join(dataDir, 'address')));
});

test('with raw packets configured it has NET_RAW alone until they are switched off, and SIGUSR1 opens no inspector', {
  skip: NEEDS_ROOT,
}, async (t) => {
  const { parent, run, pid, dataDir } = copyCheckout(t);
  const file = join(parent, 'gateway.yaml');
  const environment = { SALLYPORT_CONFIG: file };
  writeFileSync(file, 'execution: { raw: { enabled: true } }\n');
  const up = await run(['up', '--no-install'], environment);
  assert.equal(up.code, 0, up.stderr);
  const first = pid();
  assertRights(first, NET_RAW);
  const refused = await run(['restart']);
  assert.equal(refused.code, 1, 'its variables can still be read and compared');
  assert.match(refused.stderr, /SALLYPORT_CONFIG/);
  assert.equal(pid(), first);

  writeFileSync(file, '{}\n');
  const restarted = await run(['restart'], environment);
  assert.equal(restarted.code, 0, restarted.stderr);
  const second = pid();
  const status = statusOf(second);
  for (const name of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) assert.equal(status[name], NOTHING);

  assert.equal(BigInt(`0x${status['SigCgt'] ?? ''}`) & SIGUSR1_BIT, 0n, 'Node does not listen for the signal');
  process.kill(second, 'SIGUSR1');
  // The answer comes after the signal: what Node would have said is in the log by then.
  await run(['status'], environment);
  assert.doesNotMatch(readFileSync(join(dataDir, 'log'), 'utf8'), /Debugger listening/);
});

test('a checkout below a directory that only root may enter works, and shows nothing else of it', {
  skip: NEEDS_ROOT || (spawnSync('unshare', ['--mount', 'true']).status === 0 ? false : 'needs mount namespaces'),
}, async (t) => {
  const { parent: closed, run, pid } = copyCheckout(t, 0o700);
  writeFileSync(join(closed, 'secret'), 'of root');
  const up = await run(['up', '--no-install']);
  assert.equal(up.code, 0, up.stderr);
  assertRights(pid(), NOTHING);
  assert.ok(!existsSync(join('/proc', String(pid()), 'root', closed, 'secret')));
  assert.equal(statSync(closed).mode & 0o777, 0o700);
  assert.match((await run(['status'])).stdout, /^health: /m);
  assert.equal((await run(['stop'])).code, 0);
  assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(closed), 'the mounts went with the namespace');
});

test('the command line and the server refuse to be root themselves', { skip: NEEDS_ROOT }, async (t) => {
  const dataDir = join(directory(t), 'data');
  const environment = { SALLYPORT_DATA_DIR: dataDir, SALLYPORT_PORT: '0' };
  for (const verb of ['up', 'keys', 'stop', 'doctor']) {
    const { code, stderr } = await ended(startCli([verb], { environment }));
    assert.equal(code, 1);
    assert.match(stderr, /does not run as root/);
  }
  const server = spawnSync(process.execPath, [join(ROOT, 'src', 'server.ts')], {
    env: { PATH: process.env['PATH'], ...environment },
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(server.status, 1);
  assert.match(server.stdout, /ERR_EXEC_CONFINEMENT/);
});

test('a test file that was started as root goes on as a user without rights', { skip: NEEDS_ROOT }, (t) => {
  const file = join(directory(t), 'one.test.mjs');
  writeFileSync(
    file,
    "import { readFileSync } from 'node:fs';\nprocess.stdout.write(readFileSync('/proc/self/status'));\n",
  );
  const { stdout } = spawnSync(process.execPath, ['--import', join(ROOT, 'test/fixtures/drop-root.ts'), file], {
    encoding: 'utf8',
  });
  assert.match(stdout, /^Uid:\t64[3-8]\d\d\t/m);
  assert.match(stdout, /^CapBnd:\t0{16}$/m);
});
