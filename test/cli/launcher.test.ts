import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeCheckout, offerToolchain } from './checkout.ts';
import { ROOT } from './command-line.ts';

test('the launcher is a POSIX script that every sh here can parse', () => {
  for (const shell of ['sh', 'dash', 'bash']) {
    const { status, error, stderr } = spawnSync(shell, ['-n', join(ROOT, 'sallyport')], { encoding: 'utf8' });
    if (error === undefined) assert.equal(status, 0, `${shell}: ${stderr}`);
    else assert.notEqual(shell, 'sh');
  }
  assert.match(readFileSync(join(ROOT, 'sallyport'), 'utf8'), /^#!\/bin\/sh\n/);
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
  assert.equal(checkout.calls().length, count, 'a checkout that is ready calls nothing');

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
  // The stand-in for Node leaves out its first two arguments: the program and, here, the verb.
  const { stdout } = await checkout.run(['lab', 'up', '--no-install', '--port', '1 2']);
  assert.equal(stdout, 'main --port 1 2\n');
});
