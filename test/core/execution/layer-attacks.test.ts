/*
 * One executable attack for each property, in each combination of layers. The same attacker runs bare first: what the
 * machine itself lets through there has to be stopped by the layers that claim it, and has to get through again once
 * they are switched off. An attack that fails for another reason proves nothing and is named.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { findLauncher } from '../../../src/core/execution/launcher.ts';
import { signalProcess } from '../../../src/core/execution/signal.ts';
import type { LayerName } from '../../../src/core/execution/types.ts';
import { startSurroundings } from '../../fixtures/attack-surroundings.ts';
import { outcomes, runNative } from '../../fixtures/launcher.ts';
import { LAUNCHER_PLACE } from '../../fixtures/launcher-place.ts';
import { COMBINATIONS, living, sharedBench } from './harness.ts';

/** Which layers stop an attack, each of them alone. */
const STOPPED_BY: Readonly<Record<string, readonly LayerName[]>> = {
  'read-key': ['L2', 'L3'],
  'write-outside': ['L2', 'L3'],
  'change-mode': ['L2', 'L3'],
  'list-home': ['L2', 'L3'],
  'exec-other': ['L2', 'L3'],
  'exec-written': ['L2'],
  'memfd-exec': ['L2'],
  'link-result': ['L2'],
  'connect-unlisted': ['L2'],
  'connect-mptcp': ['L2'],
  'connect-fastopen': ['L2'],
  'bind-port': ['L2'],
  'unix-socket': ['L2'],
  'abstract-socket': ['L2'],
  'netlink-diag': ['L2'],
  'signal-gateway': ['L2', 'L3'],
  'limit-gateway': ['L2', 'L3'],
  'read-environ': ['L2', 'L3'],
  'read-memory': ['L2', 'L3'],
  ptrace: ['L2'],
  setsid: ['L2'],
  setpgid: ['L2'],
  userns: ['L2', 'L3'],
  mount: ['L2', 'L3'],
  'io-uring': ['L2'],
  keyring: ['L2'],
  'sysv-ipc': ['L2'],
  personality: ['L2'],
  bpf: ['L1', 'L2'],
  'foreign-abi': ['L2'],
  'raw-socket': ['L1', 'L2'],
  'packet-socket': ['L1', 'L2'],
  'suid-gain': ['L1', 'L2'],
  memory: ['L1', 'L2'],
  'fill-disk': ['L1', 'L2'],
};
/** What every machine lets its users do to themselves: bare, these have to get through, or the attacker is broken. */
const ALWAYS_REACHED = `read-key write-outside list-home exec-other exec-written link-result connect-unlisted
  unix-socket signal-gateway limit-gateway read-environ setsid setpgid memory fill-disk`.split(/\s+/);
const ATTACKS = Object.keys(STOPPED_BY);

const launcher = findLauncher(LAUNCHER_PLACE);
if (typeof launcher === 'string') throw new Error(launcher);
const { attacker } = launcher;
const surroundings = await startSurroundings();
after(() => surroundings.stop());

/** The attacker as a plain process of the same user. */
const bare = outcomes((await runNative([attacker, ...surroundings.coordinates, ...ATTACKS], surroundings.scratch)).out);
const isReached = (found: ReadonlyMap<string, string>, name: string) => found.get(name)?.startsWith('reached') ?? false;
const mayPass = ATTACKS.filter((name) => isReached(bare, name));

test('without any layer the attacks get through, except what the machine itself refuses', (t) => {
  t.diagnostic(`refused by this machine: ${ATTACKS.filter((name) => !mayPass.includes(name)).join(', ')}`);
  assert.deepEqual(
    ALWAYS_REACHED.filter((name) => !mayPass.includes(name)),
    [],
  );
});

for (const { name, disable } of [...COMBINATIONS, { name: 'L0 alone', disable: ['L1', 'L2', 'L3'] as const }]) {
  describe(`attacks (${name})`, () => {
    const bench = sharedBench({ disable });

    test('each is stopped by the layers that are proved, and gets through where none of them claims it', async () => {
      const { run, executor } = bench();
      assert.deepEqual(
        executor.layers.filter(({ state }) => state === 'failed'),
        [],
      );
      const fill = surroundings.coordinates.filter((each) => !each.startsWith('fill='));
      const ran = await run({
        binary: attacker,
        argv: [...fill, 'fill=fill', ...ATTACKS],
        needs: {},
        reach: { endpoints: [{ network: '127.0.0.1', protocol: 'tcp', ports: [{ from: 2, to: 2 }] }] },
        timeoutMs: 60_000,
      });
      assert.match(ran.out, /\ndone\n$/, ran.err);
      const unproved = executor.layers.flatMap((layer) => layer.unproved);
      const found = outcomes(ran.out);
      const wrong = ATTACKS.flatMap((attack) => {
        const stoppers = (STOPPED_BY[attack] ?? []).filter((layer) => ran.layers.includes(layer));
        const stops = stoppers.length > 0;
        if (stops && !unproved.includes(attack)) {
          return found.get(attack)?.startsWith('refused') ? [] : [`${attack} got through ${stoppers.join(' and ')}`];
        }
        return mayPass.includes(attack) && !isReached(found, attack)
          ? [`${attack} is ${found.get(attack)} although no layer is there that claims it`]
          : [];
      });
      assert.deepEqual(wrong, []);
    });

    test('what the layers claim is what is switched on', () => {
      const states = new Map(bench().executor.layers.map((layer) => [layer.name, layer.state]));
      for (const layer of disable) assert.equal(states.get(layer), 'absent', layer);
      // The launcher is built for these tests and needs no right: only L3 may be missing on a machine.
      for (const layer of ['L0', 'L1', 'L2'] as const) {
        if (!disable.some((off) => off === layer)) assert.equal(states.get(layer), 'proved', layer);
      }
    });

    test('nothing of a tree that hides outlives its tool where layer 2 or 3 holds', async () => {
      const { run, directory, executor } = bench();
      const ran = await run({ binary: attacker, argv: ['tree', `outside=${directory}/`], needs: {}, timeoutMs: 500 });
      assert.equal(ran.ending, 'timed_out');
      assert.equal(ran.out.match(/=unknown pid=\d+/g)?.length, 4, ran.out);
      assert.equal(executor.active, 0);
      const left = living(directory);
      for (const pid of left) signalProcess(pid, 'SIGKILL');
      // Layers 0 and 1 do not claim the one that left session, environment and directory, and do not see it.
      const expected = ran.layers.some((layer) => layer === 'L2' || layer === 'L3') ? 0 : 1;
      assert.deepEqual([left.length, ran.survivors], [expected, 0]);
    });

    test('the directory is given back', () => assert.deepEqual(readdirSync(bench().scratchParent), []));
  });
}
