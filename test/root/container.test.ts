import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { LayerState } from '../../src/core/execution/types.ts';
import { findRunc, runCommandInContainer, runInContainer, whyNoContainer } from '../fixtures/container.ts';
import { dockerSeccomp } from '../fixtures/docker-seccomp.ts';
import { launcherPlace } from '../fixtures/launcher.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CONTAINER = join(ROOT, 'test', 'fixtures', 'container.ts');
/** Before each of these the native programs are built: the checkout is read-only for the container. */
const SUITES = ['test/core/execution/*.test.ts', 'test/core/targets/*.test.ts'];
/** What a container like this cannot have; a test inside that is skipped for any other reason is a hole. */
const NOT_IN_A_CONTAINER = /\broot\b|NET_RAW|user namespace|bwrap|bubblewrap|cgroup/i;
const skip = whyNoContainer() ?? false;
const timeoutMs = 60_000;
const EPERM = 1;
const ENOSYS = 38;

/** System calls by which Docker's profile is known: number on x86-64 and arm64 (below 424 they differ), arguments, errno. */
const CALLS = {
  'unshare(CLONE_NEWUSER)': { x64: 272, arm64: 97, args: '0x10000000', errno: EPERM },
  'mount()': { x64: 165, arm64: 40, args: '0, 0, 0, 0, 0', errno: EPERM },
  'keyctl(KEYCTL_GET_KEYRING_ID)': { x64: 250, arm64: 219, args: '0, -3, 0', errno: EPERM },
  'personality(ADDR_NO_RANDOMIZE)': { x64: 135, arm64: 92, args: '0x40000', errno: EPERM },
  'clone3()': { x64: 435, arm64: 435, args: '0, 0', errno: ENOSYS },
  'personality(query)': { x64: 135, arm64: 92, args: '0xffffffff', errno: 0 },
  'ptrace(PTRACE_TRACEME)': { x64: 101, arm64: 117, args: '0, 0, 0, 0', errno: 0 },
} as const;

function perl(script: string, seccomp = true) {
  return runCommandInContainer({ argv: ['/usr/bin/perl', '-e', script], timeoutMs, seccomp });
}

/** perl-base has syscall(2), and every Debian has perl-base: the container needs no compiler. */
async function errnos(seccomp: boolean): Promise<Record<string, number>> {
  const lines = Object.entries(CALLS).map(([name, call]) => {
    const number = process.arch === 'arm64' ? call.arm64 : call.x64;
    return `$! = 0; my $r = syscall(${number}, ${call.args}); print "${name}=", ($r == -1 ? $! + 0 : 0), "\\n";`;
  });
  // One process for each, since what one call allows changes what the next one may.
  const { code, output } = await perl(lines.map((line) => `if (!fork) { ${line} exit } wait;`).join('\n'), seccomp);
  assert.equal(code, 0, output);
  return Object.fromEntries(
    output
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.lastIndexOf('=')), Number(line.slice(line.lastIndexOf('=') + 1))]),
  );
}

/** What is left on the machine of the containers that a process made: processes by a marker, control groups, directories. */
function leftOf(pid: number, marker: string): string[] {
  const id = `sallyport-container-${pid}-`;
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && commandOf(name).includes(marker));
  const groups = globSync(`/sys/fs/cgroup/{,*/}${id}*`);
  return [...processes, ...groups, ...readdirSync(tmpdir()).filter((name) => name.startsWith(id))];
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // it ended meanwhile
  }
}

/** A process of its own that waits for a container; resolved when the container runs its program. */
async function startWaiter(t: TestContext, marker: string) {
  const program = `const { runCommandInContainer } = await import(${JSON.stringify(CONTAINER)});
    const script = 'sleep 600; : ' + process.env.MARKER;
    await runCommandInContainer({ argv: ['/bin/sh', '-c', script], timeoutMs: 600_000 });`;
  const env = { ...process.env, MARKER: marker };
  const waiter = spawn(process.execPath, ['--input-type=module', '-e', program], { env, stdio: 'ignore' });
  const pid = waiter.pid ?? 0;
  t.after(() => waiter.kill('SIGTERM'));
  const ended = new Promise((resolve) => waiter.once('exit', (code, signal) => resolve(signal ?? code)));
  while (!runsScript(marker)) {
    t.signal.throwIfAborted();
    assert.equal(waiter.exitCode, null, 'the waiter ended before its container began');
    await wait(20);
  }
  return { waiter, pid, ended };
}

function runsScript(marker: string): boolean {
  return readdirSync('/proc').some((name) => {
    const command = /^\d+$/.test(name) ? commandOf(name) : '';
    return command.startsWith('/bin/sh\0') && command.includes(marker);
  });
}

test('as root a missing runc is an error that says what to install, never a skip', () => {
  const empty = mkdtempSync(join(tmpdir(), 'no-runc-'));
  try {
    assert.throws(() => findRunc([empty]), /apt-get install runc/);
  } finally {
    rmSync(empty, { recursive: true });
  }
});

test('the profile is decided as Docker decides it, by architecture, kernel and capabilities', () => {
  const names = (options: Partial<Parameters<typeof dockerSeccomp>[0]>) =>
    dockerSeccomp({ arch: 'x64', kernel: '6.1.0-18-amd64', capabilities: [], ...options })
      .syscalls.filter((rule) => rule.action === 'SCMP_ACT_ALLOW' && rule.args.length === 0)
      .flatMap((rule) => rule.names);
  assert.ok(!names({}).includes('mount') && names({ capabilities: ['CAP_SYS_ADMIN'] }).includes('mount'));
  assert.ok(names({}).includes('ptrace') && !names({ kernel: '4.7.10' }).includes('ptrace'));
  assert.ok(names({ kernel: '4.10.1' }).includes('ptrace'));
  assert.ok(names({}).includes('arch_prctl') && !names({ arch: 'arm64' }).includes('arch_prctl'));
  assert.throws(() => names({ arch: 'mips' }));
});

test('the container has no capability, no new privileges and a seccomp filter', { skip }, async () => {
  const { output } = await perl('open F, "/proc/self/status"; print grep { /^(Uid|Cap|NoNewPrivs|Seccomp)/ } <F>');
  const status = new Map(output.split('\n').map((line) => line.split(/:\s*/, 2) as [string, string]));
  assert.match(status.get('Uid') ?? '', /^64[3-8]\d\d\t/);
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) assert.equal(status.get(set), '0'.repeat(16));
  assert.equal(status.get('NoNewPrivs'), '1');
  assert.equal(status.get('Seccomp'), '2');
});

test('the filter is Docker’s default profile, and what it refuses is refused by nothing else', { skip }, async () => {
  const expected = Object.fromEntries(Object.entries(CALLS).map(([name, { errno }]) => [name, errno]));
  assert.deepEqual(await errnos(true), expected);
  const without = await errnos(false);
  for (const name of ['unshare(CLONE_NEWUSER)', 'keyctl(KEYCTL_GET_KEYRING_ID)', 'personality(ADDR_NO_RANDOMIZE)'])
    assert.equal(without[name], 0, name);
  assert.notEqual(without['clone3()'], ENOSYS);
});

test('the container sees its own processes, loopback and /tmp only, and can write nowhere else', { skip }, async () => {
  const { code, output } = await runCommandInContainer({
    argv: [
      '/bin/sh',
      '-c',
      `ls /sys/class/net; ls /home /run /mnt /srv /var/tmp | grep -vE '^(/.*:)?$'; ls /root 2>/dev/null; ls /proc | grep -cE '^[0-9]+$' | sed 's/^[1-9]$/few/'
       for f in /usr/x /etc/x /x "${ROOT}/x" /sys/x /proc/sys/kernel/x /sys/fs/cgroup/x; do (: >"$f") 2>/dev/null && echo "wrote $f"; done
       cat /proc/keys; cp /bin/true /tmp/true && /tmp/true && echo ran`,
    ],
    timeoutMs,
  });
  assert.equal(code, 0, output);
  assert.deepEqual(output.trim().split('\n'), ['lo', 'few', 'ran']);
});

test('a /tmp as of docker run --tmpfs executes nothing', { skip }, async () => {
  const argv = ['/bin/sh', '-c', 'cp /bin/true /tmp/true && /tmp/true'];
  assert.equal((await runCommandInContainer({ argv, timeoutMs, noexecTmp: true })).code, 126);
});

test('a container that cannot be made is an error, not an exit code', { skip }, async () => {
  await assert.rejects(
    runCommandInContainer({ argv: ['/bin/true'], timeoutMs, cwd: 'not absolute' }),
    /made no container/,
  );
  assert.equal((await runCommandInContainer({ argv: ['/bin/false'], timeoutMs })).code, 1);
});

test('a container that outlives its time is an error and leaves nothing', { skip }, async () => {
  const marker = `late-${process.pid}`;
  const late = runCommandInContainer({ argv: ['/bin/sh', '-c', `sleep 600; : ${marker}`], timeoutMs: 1000 });
  await assert.rejects(late, /outlived 1000 ms/);
  assert.deepEqual(leftOf(process.pid, marker), []);
});

test('a test that is asked to end removes its container first', { skip, timeout: timeoutMs }, async (t) => {
  const marker = `term-${process.pid}`;
  const { waiter, pid, ended } = await startWaiter(t, marker);
  waiter.kill('SIGTERM');
  assert.equal(await ended, 'SIGTERM');
  assert.deepEqual(leftOf(pid, marker), []);
});

test('the container of a killed test ends at once, and the next test removes the rest', {
  skip,
  timeout: timeoutMs,
}, async (t) => {
  const marker = `kill-${process.pid}`;
  const { waiter, pid, ended } = await startWaiter(t, marker);
  waiter.kill('SIGKILL');
  assert.equal(await ended, 'SIGKILL');
  while (runsScript(marker) && !t.signal.aborted) await wait(20);
  await perl('exit 0');
  assert.deepEqual(leftOf(pid, marker), []);
});

test('in the container a connect scan works and bubblewrap does not', { skip }, async () => {
  const scan = `use IO::Socket::INET; my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die;
    system "/usr/bin/nmap", "-n", "-sT", "-oG", "-", "-p", $s->sockport, "127.0.0.1";`;
  assert.match((await perl(scan)).output, /\d+\/open\/tcp/);
  const argv = ['/usr/bin/bwrap', '--ro-bind', '/', '/', '/bin/true'];
  const refused = await runCommandInContainer({ argv, timeoutMs });
  assert.equal(refused.code, 1);
  assert.match(refused.output, /No permissions to create (a )?new namespace/);
});

test('in the container the launcher’s whole layer holds, and its supervisor proves the end', { skip }, async () => {
  const programs = launcherPlace();
  const script = `sub say { print "$_[0]=", ($_[1] ? "reached" : $! + 0), "\\n" } $| = 1;
    say("setsid", syscall(${process.arch === 'arm64' ? 157 : 112}) != -1);
    say("read", open(F, "/etc/hostname")); say("write", open(F, ">/dev/shm/x")); say("scratch", open(F, ">/tmp/s/x"));
    say("execute", exec {"/usr/bin/id"} "id") if !fork; wait; say("signal", kill(0, getppid));`;
  const allowed = ['read=/usr/lib', 'read=/lib', 'read=/etc/ld.so.cache', 'write=/tmp/s', 'execute=/usr/bin/perl'];
  const loaders = ['execute=/lib64/ld-linux-x86-64.so.2', 'execute=/lib/ld-linux-aarch64.so.1'];
  const launch = [programs.launcher, 'caps=none', ...allowed, ...loaders, '--', '/usr/bin/perl', '-e', script];
  const shell = ['/bin/sh', '-c', 'mkdir /tmp/s && exec 3>&2 && exec "$@"', 'sh'];
  const argv = [...shell, programs.supervisor, '--', ...launch];
  const { code, output } = await runCommandInContainer({ argv, timeoutMs });
  assert.equal(code, 0, output);
  const said = Object.fromEntries([...output.matchAll(/^(\w+)=(\w+)$/gm)].map(([, name, answer]) => [name, answer]));
  // Scopes came with Landlock's ABI 6; before, the supervisor is protected from signals by nothing.
  const signal = /^ready .*scope=1$/m.test(output) ? '1' : 'reached';
  assert.deepEqual(said, { setsid: '1', read: '13', write: '13', scratch: 'reached', execute: '13', signal });
  assert.match(output, /^ready abi=[1-9]/m);
  assert.match(output, /^end 0$/m);
});

const PROVED = [process.execPath, 'test/fixtures/proved-layers.ts'];
const PROCESS_1 = {
  'is process 1': PROVED,
  'has an init above it': ['/bin/sh', '-c', '"$@" & wait "$!"', 'init', ...PROVED],
};
for (const [where, argv] of Object.entries(PROCESS_1))
  test(`a gateway that ${where} in the container proves layers 0 to 2 and has no other`, { skip }, async () => {
    launcherPlace();
    const { code, output } = await runCommandInContainer({ argv, timeoutMs });
    assert.equal(code, 0, output);
    const layers = Object.values(JSON.parse(output) as Record<string, Pick<LayerState, 'name' | 'state' | 'evidence'>>);
    const states = Object.fromEntries(layers.map(({ name, state }) => [name, state]));
    const expected = {
      L0: 'proved',
      L1: 'proved',
      L2: 'proved',
      L3: 'absent',
      L4: 'absent',
      L5: 'absent',
      raw: 'absent',
    };
    assert.deepEqual(states, expected, layers.map(({ name, evidence }) => `${name}: ${evidence}`).join('\n'));
  });

for (const pattern of SUITES)
  test(`in the container ${pattern} passes as it does outside`, { skip }, async (t) => {
    launcherPlace();
    const files = globSync(pattern, { cwd: ROOT }).sort();
    const { code, output } = await runInContainer({ files, timeoutMs: 600_000 });
    const count = (what: string): number => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(output)?.[1]);
    const skipped = [...output.matchAll(/^ *ok \d+ - (.*?) # SKIP ?(.*)$/gm)].map(([, name, why]) => `${name}: ${why}`);
    for (const each of skipped) t.diagnostic(`skipped: ${each}`);
    const holes = skipped.filter((each) => !NOT_IN_A_CONTAINER.test(each));
    assert.deepEqual(holes, []);
    assert.equal(code, 0, failures(output));
    assert.ok(count('pass') > files.length, output.slice(-400));
    assert.equal(count('fail') + count('cancelled'), 0);
  });

/** The failed tests of a TAP report with their details, as the message of the failed assertion. */
function failures(output: string): string {
  const found = [...output.matchAll(/^( *)not ok .*\n(?:\1 {2}.*\n)*/gm)].map(([text]) => text);
  return found.length > 0 ? found.join('').slice(0, 20_000) : output.slice(-4000);
}
