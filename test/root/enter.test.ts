import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, linkSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Ended, ROOT } from '../cli/command-line.ts';
import { directory, NEEDS_ROOT } from './real-checkout.ts';

const UID = 64_280;
const SCRIPT = join(ROOT, 'deploy', 'enter.sh');

function enter(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Ended {
  const { status, stdout, stderr } = spawnSync('sh', [SCRIPT, ...args], {
    env: { PATH: process.env['PATH'] ?? '', SALLYPORT_USER: String(UID), ...environment },
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr };
}

const prepare = (dataDir: string): Ended =>
  enter(['--prepare', 'data', '--', 'id', '-u'], { SALLYPORT_DATA_DIR: dataDir });

test('the user is a name or numbers, and never root', { skip: NEEDS_ROOT }, () => {
  const who = (user: string): Ended => enter(['--prepare', 'none', '--', 'id'], { SALLYPORT_USER: user });
  assert.match(who('1234').stdout, /^uid=1234\S* gid=1234\S* groups=1234\S*\n$/);
  assert.match(who('1234:77').stdout, /^uid=1234\S* gid=77\S* groups=77\S*\n$/);
  assert.match(who('nobody').stdout, /^uid=\d+\(nobody\)/);
  for (const user of ['root', '0', '0:0', '00', '1234:0', '4294967295', '4294967296', '-1', '1:', '1:x', 'no one']) {
    const { code, stdout, stderr } = who(user);
    assert.equal(code, 1, user);
    assert.equal(stdout, '', user);
    assert.match(stderr, /SALLYPORT_USER/, user);
  }
});

test('what an older version left to root is taken over, links in it are not followed', { skip: NEEDS_ROOT }, (t) => {
  const place = directory(t);
  const [data, outside] = [join(place, 'data'), join(place, 'outside')];
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(join(data, 'sallyport.db'), '{}', { mode: 0o600 });
  writeFileSync(outside, 'of root');
  symlinkSync(outside, join(data, 'log'));
  const { code, stdout, stderr } = prepare(data);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, `${UID}\n`);
  assert.equal(statSync(data).uid, UID);
  assert.equal(statSync(join(data, 'sallyport.db')).uid, UID);
  assert.equal(statSync(outside).uid, 0);
});

test('a new data directory is made for the user alone', { skip: NEEDS_ROOT }, (t) => {
  const data = join(directory(t), 'new', 'data');
  assert.equal(prepare(data).code, 0);
  const { uid, gid, mode } = statSync(data);
  assert.deepEqual([uid, gid, mode & 0o777], [UID, UID, 0o700]);
});

const REFUSED: Readonly<Record<string, (data: string) => void>> = {
  'others can write it': (data) => chmodSync(data, 0o777),
  "no gateway's files": (data) => writeFileSync(join(data, 'passwd'), ''),
  'hard links': (data) => {
    writeFileSync(join(data, '..', 'shadow'), '');
    writeFileSync(join(data, 'sallyport.db'), '{}');
    linkSync(join(data, '..', 'shadow'), join(data, 'other'));
  },
  'chown -hR 64280:64280': (data) => chownSync(data, 64_281, 64_281),
};

test('a directory that is not surely the gateway’s is not given away, and the way out is named', {
  skip: NEEDS_ROOT,
}, (t) => {
  for (const [reason, make] of Object.entries(REFUSED)) {
    const data = join(directory(t), 'data');
    mkdirSync(data, { mode: 0o700 });
    make(data);
    const owner = statSync(data).uid;
    const { code, stdout, stderr } = prepare(data);
    assert.equal(code, 1, reason);
    assert.equal(stdout, '', reason);
    assert.ok(stderr.includes(reason), stderr);
    assert.equal(statSync(data).uid, owner, reason);
  }
  const link = join(directory(t), 'data');
  symlinkSync('/etc', link);
  assert.match(prepare(link).stderr, /is a link/);
  assert.equal(statSync('/etc').uid, 0);
});

test('a configuration file that the user cannot read is named before anything starts', { skip: NEEDS_ROOT }, (t) => {
  const place = directory(t);
  const file = join(place, 'gateway.yaml');
  writeFileSync(file, '{}', { mode: 0o600 });
  const environment = { SALLYPORT_CONFIG: file, SALLYPORT_DATA_DIR: join(place, 'data') };
  const { code, stdout, stderr } = enter(['--', 'id'], environment);
  assert.equal(code, 1);
  assert.equal(stdout, '');
  assert.ok(stderr.includes(`${file} cannot be read by uid ${UID}`), stderr);
});

test('a data directory below a closed one can be reached, and only it', {
  skip: NEEDS_ROOT || (spawnSync('unshare', ['--mount', 'true']).status === 0 ? false : 'needs mount namespaces'),
}, (t) => {
  const closed = directory(t, 0o700);
  writeFileSync(join(closed, 'secret'), 'of root', { mode: 0o644 });
  const data = join(closed, 'deep', 'data');
  const look = 'cd "$SALLYPORT_DATA_DIR" && touch made && ls -A . .. && test ! -e ../../secret';
  const { code, stdout, stderr } = enter(['--prepare', 'data', '--', 'sh', '-c', look], { SALLYPORT_DATA_DIR: data });
  assert.equal(code, 0, stderr);
  assert.equal(stdout, '.:\nmade\n\n..:\ndata\n');
  assert.equal(statSync(join(data, 'made')).uid, UID);
});

test('as another user the command is simply run, and a wish to be somebody else is refused', {
  skip: NEEDS_ROOT,
}, () => {
  const again = (user: string): Ended =>
    enter(['--prepare', 'none', '--', 'env', `SALLYPORT_USER=${user}`, 'sh', SCRIPT, '--', 'id', '-u']);
  assert.equal(again(String(UID)).stdout, `${UID}\n`);
  assert.equal(again('').stdout, `${UID}\n`);
  assert.equal(again('1').code, 1);
});
