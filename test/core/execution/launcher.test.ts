import '../../fixtures/drop-root.ts';
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { launcherPlace, outcomes, runNative } from '../../fixtures/launcher.ts';
import { ATTACKS, startSurroundings } from '../../fixtures/attack-surroundings.ts';

const { launcher, attacker } = launcherPlace();
const surroundings = await startSurroundings();
after(() => surroundings.stop());
const { scratch, coordinates, listening, basics } = surroundings;

/** Runs the attacks with the launcher alone around them: no supervisor, no other layer, no other user. */
async function attackConfined(options: readonly string[], attacks: readonly string[]) {
  const confined = [launcher, ...basics, `write=${scratch}`, ...options, '--', attacker];
  return runNative([...confined, ...coordinates, ...attacks], scratch);
}

/**
 * What the machine itself may refuse to a user, by its settings or because the user has no right to it: where it does,
 * the attack is no measure there.
 */
const OFTEN_REFUSED = new Set(
  `packet-socket raw-socket bpf userns mount io-uring keyring personality read-memory ptrace connect-mptcp
  connect-fastopen netlink-diag foreign-abi suid-gain fork-limit`.split(/\s+/),
);

const bare = outcomes(
  (await runNative(['/bin/sh', '-c', 'exec "$0" "$@" 3<&-', attacker, ...coordinates, ...ATTACKS], scratch)).out,
);
const strict = await attackConfined(
  ['nofile=64', 'fsize=67108864', 'data=268435456', `nproc=${surroundings.processes + 64}`],
  ATTACKS,
);
const confined = outcomes(strict.out);

for (const attack of ATTACKS) {
  test(`the launcher alone refuses ${attack}`, () => {
    assert.match(confined.get(attack) ?? 'not tried', /^refused/);
  });
}

for (const attack of ATTACKS.filter((each) => each !== 'descriptors')) {
  test(`without the launcher ${attack} is reached, or the machine says why not`, () => {
    const outcome = bare.get(attack) ?? 'not tried';
    if (OFTEN_REFUSED.has(attack)) assert.match(outcome, /^(reached|refused (E[A-Z]+|signal 11))/);
    else assert.equal(outcome, 'reached');
  });
}

test('without the launcher an inherited descriptor is found', async () => {
  const { out } = await runNative([attacker, 'descriptors']);
  assert.match(out, /^descriptors=reached [1-9]\d* open, first 3$/m);
});

test('it says what is in force before the program starts', () => {
  assert.match(strict.status, /^ready abi=[1-9]\d* tcp=[01] scope=[01]\n$/);
  assert.equal(strict.code, 0);
});

test('the program has no capability, no way to new ones, and a filter', async () => {
  const { out } = await attackConfined(['read=/proc/self/status'], ['status']);
  const status = outcomes(out);
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) assert.equal(status.get(`status:${set}`), '0'.repeat(16));
  assert.equal(status.get('status:NoNewPrivs'), '1');
  assert.equal(status.get('status:Seccomp'), '2');
  assert.equal(status.get('status:Umask'), '0077');
});

test('listed TCP ports are reached, alone and in a range, and no other', async () => {
  const reached = async (connect: string) => {
    return outcomes((await attackConfined([`connect=${connect}`], ['connect-unlisted'])).out).get('connect-unlisted');
  };
  const port = listening;
  assert.equal(await reached(`1,${port}`), 'reached');
  assert.equal(await reached(`${port - 1}-${port + 1},9`), 'reached');
  assert.equal(await reached('any'), 'reached');
  assert.equal(await reached(`1-8,${port + 1}`), 'refused EACCES');
  assert.equal(await reached('none'), 'refused EACCES');
});

test('Unix sockets are given where they are asked for, and abstract names of others still are not', async () => {
  const given = outcomes(
    (await attackConfined(['socket=unix'], ['unix-socket', 'abstract-socket', 'packet-socket'])).out,
  );
  assert.equal(given.get('unix-socket'), 'reached');
  assert.equal(given.get('abstract-socket'), 'refused EPERM');
  assert.match(given.get('packet-socket') ?? '', /^refused/);
});

test('NET_RAW is given where it is asked for, alone', { skip: bare.get('userns') !== 'reached' }, async () => {
  // A user and network namespace of its own: the right is there to be handed on, and to be taken away.
  const own = ['/usr/bin/unshare', '--user', '--map-root-user', '--net', '--keep-caps', '--'];
  const run = async (options: readonly string[]) => {
    const argv = [...own, launcher, ...basics, 'read=/proc/self/status', ...options, '--', attacker];
    return outcomes((await runNative([...argv, 'raw-socket', 'packet-socket', 'status'])).out);
  };
  const raw = await run(['caps=net_raw', 'socket=packet']);
  assert.deepEqual([raw.get('raw-socket'), raw.get('packet-socket')], ['reached', 'reached']);
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
    assert.equal(raw.get(`status:${set}`), '0000000000002000');
  }
  const none = await run(['caps=none', 'socket=packet']);
  assert.match(none.get('raw-socket') ?? '', /^refused/);
  assert.match(none.get('packet-socket') ?? '', /^refused EPERM/);
  assert.equal(none.get('status:CapBnd'), '0'.repeat(16));
});

test('a script runs by the interpreter that is listed, and by no other', async () => {
  const script = surroundings.script;
  const end = await runNative([launcher, ...basics, 'execute=/bin/sh', '--', script]);
  assert.equal(end.out, 'the script ran\n');
  const other = await runNative([launcher, ...basics, '--', script]);
  assert.match(other.status, /\nfault exec 13\n$/);
  assert.deepEqual([other.code, other.out], [125, '']);
});

test('what is allowed works: writing in the working directory, reading a listed file, /dev/null', async () => {
  const work =
    'echo kept > file && mkdir sub && mv file sub/ && read -r line < "$0" && echo "$line" > /dev/null && echo fine';
  const options = [...basics, `write=${scratch}`, `read=${surroundings.secret}`, '--', '/bin/sh', '-c', work];
  // mkdir and mv are programs of their own: a shell that may run them.
  const programs = ['execute=/usr/bin/mkdir', 'execute=/usr/bin/mv'];
  const end = await runNative([launcher, ...programs, ...options, surroundings.secret], scratch);
  assert.equal(end.out, 'fine\n', end.err);
});
