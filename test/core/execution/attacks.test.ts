/* Attacks on what every run has, layers 0 and 1, in each combination with those above them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { lstatSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findLauncher } from '../../../src/core/execution/launcher.ts';
import { LAUNCHER_PLACE } from '../../fixtures/launcher-place.ts';
import { outcomes } from '../../fixtures/launcher.ts';
import { collect, COMBINATIONS, living, publicDirectory, sharedBench, startBench } from './harness.ts';

const INHERITING = fileURLToPath(new URL('./inheriting.ts', import.meta.url));

function field(report: string, name: string): string {
  return new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(report)?.[1] ?? 'absent';
}

for (const { name, disable } of COMBINATIONS) {
  describe(`what every run has (${name})`, () => {
    const bench = sharedBench({ disable });

    test('layers 0 and 1 are proved by their attacks, and what is switched off is absent', () => {
      const states = new Map(bench().executor.layers.map((layer) => [layer.name, layer.state]));
      assert.deepEqual([states.get('L0'), states.get('L1'), states.get('raw')], ['proved', 'proved', 'absent']);
      for (const layer of disable) assert.equal(states.get(layer), 'absent');
      assert.ok(![...states.values()].includes('failed'), JSON.stringify(bench().executor.layers, null, 2));
    });

    test('the environment is from scratch and nothing else of the gateway reaches the tool', async (t) => {
      process.env['LD_PRELOAD_OF_THE_GATEWAY'] = 'secret';
      t.after(() => delete process.env['LD_PRELOAD_OF_THE_GATEWAY']);
      const { run, fake } = bench();
      const { out, err } = await run({ binary: fake('report') });
      const section = (part: string) => out.split(`==${part}\n`)[1]?.split('==')[0]?.trim() ?? '';
      const names = section('environment')
        .split('\n')
        .map((line) => line.split('=')[0] ?? '')
        .sort();
      const ours = ['HOME', 'LC_ALL', 'PATH', 'SALLYPORT_RUN', 'TERM', 'TMPDIR'];
      // bubblewrap(1) tells its child the directory that it changed to; it is the same one.
      assert.deepEqual(
        names.filter((each) => each !== 'PWD'),
        ours,
        err,
      );
      const [path, mode = ''] = section('directory').split('\n');
      assert.match(section('environment'), new RegExp(`^HOME=${path}$`, 'm'));
      for (const [, pwd] of section('environment').matchAll(/^PWD=(.*)$/gm)) assert.equal(pwd, path);
      assert.match(mode, /^drwx------ /);
      assert.equal(section('stdin'), '');
    });

    test('no capability, and no new privileges', async () => {
      const { out } = await bench().run({ binary: bench().fake('report') });
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'])
        assert.equal(field(out, set), '0000000000000000', set);
      assert.equal(field(out, 'NoNewPrivs'), '1');
    });

    test('limits are in force inside: core, files, CPU, memory, open files, processes', async () => {
      const { out } = await bench().run({ binary: '/bin/cat', argv: ['/proc/self/limits'], timeoutMs: 3000 });
      const limit = (of: string) =>
        out
          .split('\n')
          .find((line) => line.startsWith(of))
          ?.slice(26)
          .trim()
          .split(/\s+/);
      assert.deepEqual(limit('Max core file size')?.slice(0, 2), ['0', '0']);
      assert.deepEqual(limit('Max data size')?.slice(0, 2), ['268435456', '268435456']);
      assert.deepEqual(limit('Max address space')?.slice(0, 2), ['2147483648', '2147483648']);
      assert.ok(Number(limit('Max cpu time')?.[1]) >= 4);
      assert.ok(Number(limit('Max file size')?.[1]) <= 67_108_864);
      assert.ok(Number(limit('Max open files')?.[1]) <= 1024);
      assert.ok(Number(limit('Max processes')?.[1]) > 0);
    });

    test('a tool that fills one file is ended at the file limit', async () => {
      assert.equal((await bench().run({ binary: bench().fake('fill-disk') })).signal, 'SIGXFSZ');
    });

    test('a tool that eats memory is refused more', async () => {
      const ran = await bench().run({ binary: bench().fake('eat-memory') });
      assert.doesNotMatch(ran.out, /took everything/);
      assert.notEqual(ran.exitCode, 0);
    });

    test('a crash leaves no core file and tells its signal', async () => {
      const ran = await bench().run({ binary: bench().fake('crash'), readBack: ['core*'] });
      assert.deepEqual([ran.signal, ran.files.size], ['SIGSEGV', 0]);
    });

    test('a fork bomb meets its limit, is ended whole, and the gateway starts other runs meanwhile', async (t) => {
      const { executor, fake, needs, run, directory } = bench();
      const call = new AbortController();
      const forked = Promise.withResolvers<string>();
      const bomb = collect(
        executor,
        { binary: fake('fork-bomb'), needs, timeoutMs: 60_000 },
        { signal: call.signal, onOutput: (out) => out.includes('\n') && forked.resolve(out) },
      );
      const made = Number(/^forked (\d+)$/m.exec(await forked.promise)?.[1]);
      assert.ok(made > 0 && made < 2000, String(made));
      const startedAt = performance.now();
      assert.deepEqual([(await run({})).exitCode, executor.active], [0, 1]);
      t.diagnostic(`${made} processes; another run beside them took ${(performance.now() - startedAt).toFixed(0)} ms`);
      call.abort();
      const ran = await bomb;
      t.diagnostic(`nothing left after ${ran.killMs?.toFixed(0)} ms`);
      assert.deepEqual([ran.ending, ran.survivors], ['cancelled', 0]);
      assert.deepEqual(living(directory), []);
    });
  });
}

test('a descriptor that the gateway itself inherited does not reach the tool', (t) => {
  const directory = publicDirectory(t);
  const launcher = findLauncher(LAUNCHER_PLACE);
  assert.ok(typeof launcher !== 'string');
  const script = 'exec 77</etc/hostname 78</etc/hostname; exec "$@"';
  // The most that stands between the gateway and the tool, and the least.
  for (const disable of [[], ['L2', 'L3']]) {
    const name = disable.join();
    const inner: string[] = [process.execPath, INHERITING, directory, disable.join(','), launcher.attacker];
    const { stdout, stderr } = spawnSync('/bin/bash', ['-c', script, 'bash', ...inner], { encoding: 'utf8' });
    // The descriptors themselves are taken, by nothing that can be read.
    assert.match(stdout, /^proved\n/, stderr);
    assert.match(stdout, / 1 -> /, name);
    assert.doesNotMatch(stdout, /hostname/, name);
    if (disable.every((layer) => layer !== 'L2')) assert.equal(outcomes(stdout).get('descriptors'), 'refused', name);
  }
});

test('a scratch parent that others may write is refused', async (t) => {
  const planted = `${publicDirectory(t)}/planted`;
  spawnSync('/bin/mkdir', ['-m', '777', planted]);
  await assert.rejects(startBench(t, { scratchParent: planted }), { code: 'ERR_EXEC_CONFINEMENT' });
  assert.equal(lstatSync(planted).mode & 0o777, 0o777);
});

test('without util-linux and without the native programs only layer 0 is there, and runs say so', async (t) => {
  const { executor, run } = await startBench(t, { programDirectories: ['/nonexistent'], disable: ['L2'] });
  const states = executor.layers.map(({ name, state }) => `${name} ${state}`);
  assert.deepEqual(states.slice(0, 4), ['L0 proved', 'L1 absent', 'L2 absent', 'L3 absent']);
  assert.deepEqual((await run({})).layers, ['L0']);
});

test('with the native programs util-linux is not needed', async (t) => {
  const { run } = await startBench(t, { programDirectories: ['/nonexistent'] });
  assert.deepEqual((await run({})).layers.slice(0, 3), ['L0', 'L1', 'L2']);
});

test('without NET_RAW of its own the gateway gives none: a raw tool is refused, not started without', async (t) => {
  const { executor, run } = await startBench(t, { rawEnabled: true, disable: ['L3'] });
  assert.equal(executor.rawAvailable, false);
  const ran = await run({ binary: '/bin/echo', argv: ['ran'], capability: 'raw' });
  assert.deepEqual([ran.ending, ran.startFault?.code, ran.out], ['not_started', 'CONFINEMENT', '']);
});
