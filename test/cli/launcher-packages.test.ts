import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Checkout, makeCheckout, offerToolchain } from './checkout.ts';
import { ended } from './command-line.ts';

const HELD = 'exit 101';

interface Machine extends Checkout {
  readonly policy: string;
  /** What policy-rc.d said at each installation. */
  readonly held: () => readonly string[];
}

/** A machine that lacks the packages alpha, beta and gamma; apt-get is a stand-in, and so is what it would change. */
async function machineWithout(t: TestContext, uid = 0): Promise<Machine> {
  const checkout = makeCheckout(t);
  await offerToolchain(checkout);
  const policy = join(checkout.bin, '..', 'policy-rc.d');
  const launcher = join(checkout.root, 'sallyport');
  const text = readFileSync(launcher, 'utf8')
    .replace(/^tool_packages=.*$/m, "tool_packages='alpha:alpha beta:beta gamma:gamma'")
    .replace(/^lab_services=.*$/m, "lab_services='beta:beta-server'")
    .replace(/^policy=.*$/m, `policy='${policy}'`)
    .replaceAll('/run/sallyport-install.lock', '"$tools/machine.lock"');
  writeFileSync(launcher, text);
  checkout.script('id', `echo ${uid}\n`);
  checkout.script('dpkg', '');
  checkout.script('update-rc.d', '');
  checkout.script('apt-get', APT);
  const seen = join(checkout.bin, 'held');
  const held = (): string[] => (existsSync(seen) ? readFileSync(seen, 'utf8').trim().split('\n') : []);
  return { ...checkout, policy, held };
}

/** Installs by making a program of that name; $ABSENT is a package that this release does not have. */
const APT = `here=$(dirname "$0")
case "$*" in *" install "*) ;; *) exit 0 ;; esac
tail -n 1 "$here/../policy-rc.d" >>"$here/held"
[ -z "\${SLOW:-}" ] || { echo >"$here/started"; sleep "$SLOW"; }
names=\${*##*--no-install-recommends}
for name in $names; do [ "$name" != "\${ABSENT:-}" ] || exit 100; done
for name in $names; do cp "$here/dpkg" "$here/$name"; done
`;

test('as root the missing packages are installed with no server started, and what was there is restored', async (t) => {
  for (const before of [undefined, '#!/bin/sh\n# of the operator\nexit 0\n']) {
    const machine = await machineWithout(t);
    if (before !== undefined) writeFileSync(machine.policy, before);
    const { code, stderr } = await machine.run(['up']);
    assert.equal(code, 0, stderr);
    assert.deepEqual(machine.held(), [HELD]);
    assert.equal(existsSync(machine.policy) ? readFileSync(machine.policy, 'utf8') : undefined, before);
    assert.ok(
      machine.calls().includes('update-rc.d beta-server disable'),
      'a new server does not start at boot either',
    );
    assert.ok(!machine.calls().some((call) => call.includes('apt-get') && call.includes('update')));
    const count = machine.calls().filter((call) => call.startsWith('apt-get')).length;
    await machine.run(['up']);
    assert.equal(machine.calls().filter((call) => call.startsWith('apt-get')).length, count, 'nothing is missing now');
  }
});

test('one package that this release does not have does not keep the others away, and is named', async (t) => {
  const machine = await machineWithout(t);
  const { code, stdout, stderr } = await machine.run(['up'], { environment: { ABSENT: 'beta' } });
  assert.equal(code, 0);
  assert.equal(stdout, 'main up\n');
  assert.ok(existsSync(join(machine.bin, 'alpha')) && existsSync(join(machine.bin, 'gamma')));
  assert.match(stderr, /going on without: beta $/m);
  assert.ok(machine.held().every((line) => line === HELD));
  assert.ok(!existsSync(machine.policy));
});

test('a signal during the installation leaves no policy behind', async (t) => {
  const machine = await machineWithout(t);
  const child = machine.start(['up'], { environment: { SLOW: '0.5' } });
  const end = ended(child);
  while (!existsSync(join(machine.bin, 'started'))) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(existsSync(machine.policy), 'control: it is held now');
  // As Ctrl-C does it: the shell that installs gets the signal too.
  const shells = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ').map(Number);
  for (const pid of [...shells, child.pid ?? 0]) process.kill(pid, 'SIGTERM');
  await end;
  for (const pid of shells) while (existsSync(`/proc/${pid}`)) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(!existsSync(machine.policy));
});

test('what a killed installation left is mended by the next one', async (t) => {
  const machine = await machineWithout(t);
  const own = '#!/bin/sh\n# of the operator\nexit 0\n';
  const mark = /^policy_mark='(.*)'$/m.exec(readFileSync(join(machine.root, 'sallyport'), 'utf8'))?.[1];
  writeFileSync(machine.policy, `#!/bin/sh\n${mark}\nexit 101\n`);
  writeFileSync(`${machine.policy}.sallyport-saved`, own);
  assert.equal((await machine.run(['up'])).code, 0);
  assert.equal(readFileSync(machine.policy, 'utf8'), own);
  assert.ok(!existsSync(`${machine.policy}.sallyport-saved`));
});

test('where servers cannot be held back, nothing is installed', async (t) => {
  const machine = await machineWithout(t);
  const launcher = join(machine.root, 'sallyport');
  const text = readFileSync(launcher, 'utf8').replace(/^policy=.*$/m, 'policy=/proc/policy-rc.d');
  writeFileSync(launcher, text);
  const { code, stderr } = await machine.run(['up']);
  assert.equal(code, 0);
  assert.deepEqual(machine.held(), []);
  assert.match(stderr, /going on without: alpha beta gamma/);
});

test('another user and --no-install get the exact command, and the system is not touched', async (t) => {
  const asUser = await machineWithout(t, 1000);
  const asRoot = await machineWithout(t);
  for (const [machine, args] of [
    [asUser, ['up']],
    [asRoot, ['up', '--no-install']],
  ] as const) {
    const { code, stderr } = await machine.run(args);
    assert.equal(code, 0);
    assert.match(stderr, /apt-get install -y --no-install-recommends alpha beta gamma/);
    assert.ok(!machine.calls().some((call) => call.startsWith('apt-get')));
  }
});

test('a verb that starts nothing installs no package', async (t) => {
  const machine = await machineWithout(t);
  for (const verb of ['version', 'doctor', 'validate', 'stop', 'restart']) await machine.run([verb]);
  assert.ok(!machine.calls().some((call) => call.startsWith('apt-get')));
});
