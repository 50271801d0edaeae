import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeCheckout, offerToolchain } from './checkout.ts';
import { ROOT } from './command-line.ts';

test('the launcher and the entry scripts are POSIX scripts that every sh here can parse', () => {
  for (const script of ['sallyport', 'deploy/enter.sh', 'deploy/reach.sh']) {
    for (const shell of ['sh', 'dash', 'bash']) {
      const { status, error, stderr } = spawnSync(shell, ['-n', join(ROOT, script)], { encoding: 'utf8' });
      if (error === undefined) assert.equal(status, 0, `${shell}: ${stderr}`);
      else assert.notEqual(shell, 'sh');
    }
    assert.match(readFileSync(join(ROOT, script), 'utf8'), /^#!\/bin\/sh\n/);
  }
});

test('the continuous check calls exactly sallyport test', () => {
  const lines = readFileSync(join(ROOT, '.ci', 'run'), 'utf8')
    .trim()
    .split('\n');
  assert.equal(lines.at(-1), 'exec ./sallyport test </dev/null');
  assert.equal(statSync(join(ROOT, '.ci', 'run')).mode & 0o100, 0o100);
  assert.equal(statSync(join(ROOT, 'sallyport')).mode & 0o100, 0o100);
});

test('a fresh checkout gets the pinned Node and npm and its dependencies, once', async (t) => {
  const checkout = makeCheckout(t);
  await offerToolchain(checkout);
  const first = await checkout.run(['version', 'a b', '']);
  assert.equal(first.code, 0, first.stderr);
  assert.equal(first.stdout, 'main version a b \n');
  const npm = checkout.calls().filter((call) => call.startsWith('npm'));
  assert.equal(npm.filter((call) => call.startsWith('npm pack --ignore-scripts')).length, 2);
  assert.equal(npm.filter((call) => call === 'npm-cli ci --ignore-scripts').length, 1);

  const count = checkout.calls().length;
  assert.equal((await checkout.run(['version'])).code, 0);
  assert.deepEqual(
    checkout.calls().slice(count),
    ['enter --prepare none'],
    'a checkout that is ready installs nothing',
  );

  writeFileSync(join(checkout.root, 'package-lock.json'), '{"changed":true}');
  assert.equal((await checkout.run(['version'])).code, 0);
  const again = checkout.calls().slice(count);
  assert.ok(
    again.some((call) => call.startsWith('npm-cli ci')),
    'a changed lockfile is installed',
  );
  assert.ok(!again.some((call) => call.startsWith('npm pack')), 'the toolchain is still right');
});

test('an archive that is not the pinned one is refused, and nothing of it runs', async (t) => {
  const checkout = makeCheckout(t);
  await offerToolchain(checkout);
  writeFileSync(join(checkout.root, '..', 'archives', 'npm@10.9.9.tgz'), 'another archive');
  const { code, stdout, stderr } = await checkout.run(['version']);
  assert.equal(code, 1);
  assert.equal(stdout, '');
  assert.match(stderr, /ERR_CHECKSUM/);
  assert.ok(!existsSync(join(checkout.root, '.toolchain', 'node_modules')));
});

test('an architecture without a pinned Node is a named error', async (t) => {
  const checkout = makeCheckout(t);
  checkout.script('uname', '[ "$1" = -s ] && echo Linux || echo riscv64\n');
  const { code, stderr } = await checkout.run(['version']);
  assert.equal(code, 1);
  assert.match(stderr, /ERR_PLATFORM_UNSUPPORTED/);
});

test('when npm cannot fetch, its last words are shown and nothing is left half done', async (t) => {
  const checkout = makeCheckout(t);
  checkout.script('npm', 'echo "E503 registry away"\nexit 1\n');
  const { code, stderr } = await checkout.run(['version']);
  assert.equal(code, 1);
  assert.match(stderr, /could not fetch node-linux.*E503 registry away/);
  assert.ok(!existsSync(join(checkout.root, '.toolchain', 'stamp')));
});

test('it works through links, from another directory, with no HOME, an unwritable HOME and a tight umask', async (t) => {
  const checkout = makeCheckout(t);
  await offerToolchain(checkout);
  const top = join(checkout.root, '..');
  symlinkSync('the checkout/sallyport', join(top, 'one'));
  symlinkSync(join(top, 'one'), join(checkout.bin, 'two'));
  checkout.script('tight', 'umask 077\nexec "$LAUNCHER" "$@"\n');
  const ways = [
    { launcher: join(top, 'one'), cwd: '/' },
    { launcher: join(checkout.bin, 'two'), environment: { HOME: '' } },
    { environment: { HOME: '/proc/nothing' } },
    { environment: { HOME: '/proc/self' } },
    { launcher: join(checkout.bin, 'tight'), environment: { LAUNCHER: join(checkout.root, 'sallyport') } },
    { environment: { CDPATH: top } },
  ];
  for (const way of ways) {
    rmSync(join(checkout.root, '.toolchain'), { recursive: true, force: true });
    const { code, stdout, stderr } = await checkout.run(['status'], way);
    assert.equal(code, 0, `${JSON.stringify(way)}: ${stderr}`);
    assert.equal(stdout, 'main status\n');
    const { mode } = statSync(join(checkout.root, '.toolchain', 'node_modules', 'npm'));
    assert.equal(mode & 0o055, 0o055, 'tools run as another user and must be able to read it');
  }
});

test('several first calls at once make one installation', async (t) => {
  const checkout = makeCheckout(t);
  await offerToolchain(checkout);
  const all = await Promise.all(Array.from({ length: 5 }, () => checkout.run(['version'])));
  for (const { code, stderr } of all) assert.equal(code, 0, stderr);
  assert.equal(checkout.calls().filter((call) => call.startsWith('npm-cli ci')).length, 1);
  assert.equal(checkout.calls().filter((call) => call.startsWith('npm pack')).length, 2);
});

test('test with an argument that it does not know is wrong usage', async (t) => {
  const checkout = makeCheckout(t);
  await offerToolchain(checkout);
  assert.equal((await checkout.run(['test', '--nigtly'])).code, 2);
});

test('a question for help installs no package, and the lab never sees --no-install', async (t) => {
  const checkout = makeCheckout(t);
  await offerToolchain(checkout);
  for (const verb of ['up', 'test', 'lab']) {
    const { stdout, stderr } = await checkout.run([verb, '--help']);
    assert.equal(stdout, `main ${verb} --help\n`);
    assert.doesNotMatch(stderr, /going on without|servers are not started/);
  }
  assert.ok(!checkout.calls().some((call) => call.startsWith('build')));
  const { stdout } = await checkout.run(['lab', 'up', '--no-install', '--port', '1 2']);
  assert.equal(stdout, 'main up --port 1 2\n');
});

test('up, restart and lab build the native programs first, and go on where there is no compiler', async (t) => {
  const checkout = makeCheckout(t);
  await offerToolchain(checkout);
  for (const verb of ['up', 'restart', 'lab']) {
    const count = checkout.calls().length;
    const { code, stdout } = await checkout.run([verb, 'x', '--no-install']);
    assert.equal(code, 0);
    assert.match(stdout, /^main /);
    assert.ok(
      checkout
        .calls()
        .slice(count)
        .includes(`build ${join(checkout.root, '.toolchain', 'launcher')}`),
    );
  }
  const without = await checkout.run(['up', '--no-install'], { environment: { NO_COMPILER: '3' } });
  assert.equal(without.code, 0);
  assert.match(without.stderr, /going on without the launcher/);
});

test('as root NET_RAW is kept only where the configuration needs it, and a question prepares nothing', async (t) => {
  const checkout = makeCheckout(t);
  await offerToolchain(checkout);
  checkout.script('id', 'echo 0\n');
  const entered = async (verb: string, environment: Readonly<Record<string, string>>): Promise<string | undefined> => {
    assert.equal((await checkout.run([verb, '--no-install'], { environment })).code, 0);
    return checkout.calls().findLast((call) => call.startsWith('enter'));
  };
  assert.equal(await entered('up', {}), 'enter --prepare all');
  for (const verb of ['up', 'restart']) {
    assert.equal(await entered(verb, { RAW: 'yes' }), 'enter --keep-raw --prepare all');
  }
  assert.equal(await entered('keys', { RAW: 'yes' }), 'enter --prepare data');
  assert.equal(await entered('version', { RAW: 'yes' }), 'enter --prepare none');
});
