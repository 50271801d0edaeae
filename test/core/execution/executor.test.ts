import assert from 'node:assert/strict';
import { closeSync, existsSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { collect, scriptNeeds, sharedBench, startBench } from './harness.ts';

describe('one run', () => {
  const bench = sharedBench();

  test('a run gives the exit code, the output and the layers in force', async () => {
    const { run } = bench();
    const ran = await run({ binary: '/bin/sh', argv: ['-c', 'echo out; echo err >&2; exit 3'] });
    assert.equal(ran.ending, 'exited');
    assert.equal(ran.exitCode, 3);
    assert.equal(ran.out, 'out\n');
    assert.equal(ran.err, 'err\n');
    assert.deepEqual(ran.layers.slice(0, 3), ['L0', 'L1', 'L2']);
    assert.equal(ran.survivors, 0);
    assert.equal(ran.killMs, undefined);
  });

  test('an argument is one argument, whatever is in it', async () => {
    const { run } = bench();
    const odd = 'a b; $(touch x) "\'\n*';
    const ran = await run({ binary: '/usr/bin/printf', argv: ['%s|', odd, '--help'] });
    assert.equal(ran.out, `${odd}|--help|`);
  });

  test('every refused start is told, never thrown', async () => {
    const { run, directory, fake } = bench();
    writeFileSync(fake('words'), 'not a program\n', { mode: 0o755 });
    writeFileSync(fake('plain'), '#!/bin/sh\n', { mode: 0o644 });
    const code = async (command: Parameters<typeof run>[0]) => {
      const ran = await run(command);
      assert.equal(ran.ending, 'not_started');
      return ran.startFault?.code;
    };
    assert.equal(await code({ binary: '/nonexistent/tool' }), 'ENOENT');
    assert.equal(await code({ binary: fake('plain') }), 'EACCES');
    assert.equal(await code({ binary: directory }), 'EACCES');
    assert.equal(await code({ binary: fake('words') }), 'ENOEXEC');
    assert.equal(await code({ binary: 'true' }), 'EINVAL');
    assert.equal(await code({ argv: ['a\0b'] }), 'EINVAL');
    assert.equal(await code({ argv: ['x'.repeat(131_072)] }), 'E2BIG');
    assert.equal(await code({ argv: Array.from({ length: 200 }, () => 'x'.repeat(131_000)) }), 'E2BIG');
    assert.equal(await code({ runId: '../outside' }), 'EINVAL');
    assert.equal(await code({ files: [{ name: '../outside', content: '' }] }), 'EINVAL');
    assert.equal(await code({ files: [{ name: 'list', content: { copyOf: '/nonexistent' } }] }), 'ENOENT');
    assert.equal(await code({ stdin: { copyOf: '/dev/zero' } }), 'EINVAL');
    assert.equal(await code({ capability: 'raw' }), 'CONFINEMENT');
  });

  test('a limit of the confinement that cannot be set is a refused start, not a result of the tool', async () => {
    const { run } = bench();
    const ran = await run({ limits: { dataBytes: Number.NaN } });
    assert.equal(ran.ending, 'not_started');
    assert.equal(ran.startFault?.code, 'CONFINEMENT');
  });

  test('a call withdrawn before its start has no process', async () => {
    const { executor } = bench();
    const ran = await collect(executor, {}, { signal: AbortSignal.abort() });
    assert.equal(ran.ending, 'cancelled');
    assert.equal(ran.exitCode, null);
  });

  test('a withdrawn call ends its process and says so', async () => {
    const { executor } = bench();
    const call = new AbortController();
    const running = collect(
      executor,
      { binary: '/bin/sh', argv: ['-c', 'echo ready; exec sleep 600'] },
      { signal: call.signal, onOutput: () => call.abort() },
    );
    assert.equal(executor.active, 1);
    const ran = await running;
    assert.equal(ran.ending, 'cancelled');
    // The polite one, unless a busy machine let the grace pass first.
    assert.match(String(ran.signal), /^SIG(TERM|KILL)$/);
    assert.equal(ran.survivors, 0);
    assert.equal(executor.active, 0);
  });

  test('what was written before the time limit is kept', async () => {
    const { run } = bench();
    const script = 'echo half; echo file > part.txt; sleep 600';
    const ran = await run({ binary: '/bin/sh', argv: ['-c', script], timeoutMs: 300, readBack: ['part.txt'] });
    assert.equal(ran.ending, 'timed_out');
    assert.equal(ran.out, 'half\n');
    assert.equal(ran.files.get('part.txt')?.toString(), 'file\n');
  });

  test('standard input is at its end, or exactly the text or the list', async () => {
    const { run, fake } = bench();
    const words = Array.from({ length: 50_000 }, (_, index) => `word-${index}\n`).join('');
    writeFileSync(fake('list'), words, { mode: 0o600 });
    const sum = async (stdin?: string | { copyOf: string }) =>
      (await run({ binary: '/usr/bin/wc', argv: ['-c'], ...(stdin === undefined ? {} : { stdin }) })).out.trim();
    assert.equal(await sum(), '0');
    assert.equal(await sum('two\nlines\n'), '10');
    assert.equal(await sum({ copyOf: fake('list') }), String(words.length));
  });

  test('a tool that does not read its input neither hangs nor breaks the run', async () => {
    const { run } = bench();
    const ran = await run({ stdin: 'x'.repeat(4_000_000) });
    assert.equal(ran.ending, 'exited');
    assert.equal(ran.exitCode, 0);
  });

  test('files are there before the start, private to the tool', async () => {
    const { run, fake } = bench();
    writeFileSync(fake('list'), 'from the list', { mode: 0o600 });
    const ran = await run({
      binary: '/bin/sh',
      argv: ['-c', 'cat text copy; stat -c %a:%u text copy; id -u'],
      files: [
        { name: 'text', content: 'written ' },
        { name: 'copy', content: { copyOf: fake('list') } },
      ],
    });
    const [content, first, second, uid] = ran.out.replace('list600', 'list\n600').split('\n');
    assert.equal(content, 'written from the list');
    assert.equal(first, `600:${uid}`);
    assert.equal(second, `600:${uid}`);
  });

  test('a listener that throws loses output, and the account says so', async () => {
    const { executor } = bench();
    const execution = await executor.run(
      {
        runId: 'thrower',
        binary: '/bin/echo',
        argv: ['x'],
        timeoutMs: 10_000,
        capability: 'none',
        needs: scriptNeeds('/bin'),
        reach: { endpoints: [] },
        limits: {
          stdoutBytes: 10,
          stderrBytes: 10,
          atStdoutCap: 'kill',
          fileBytes: 1,
          dataBytes: 2 ** 28,
          addressSpaceBytes: 2 ** 31,
        },
      },
      {
        onStdout: () => {
          throw new Error('parser');
        },
        onStderr: () => undefined,
        signal: new AbortController().signal,
      },
    );
    assert.equal(execution.ending, 'exited');
    assert.deepEqual(execution.stdout, { bytes: 2, truncated: true });
  });

  test('a working directory that vanishes is not reported as a missing program', async () => {
    const { run, fake, scratchParent } = bench();
    writeFileSync(fake('list'), 'x');
    const stdin = {
      // Asked for after the directory was made and before the start: the moment in which it can vanish.
      get copyOf() {
        for (const name of readdirSync(scratchParent)) rmSync(`${scratchParent}/${name}`, { recursive: true });
        return fake('list');
      },
    };
    const ran = await run({ stdin });
    assert.equal(ran.ending, 'not_started');
    assert.equal(ran.startFault?.code, 'ENOENT_CWD');
  });
});

test('more runs than places are refused, and places come back', async (t) => {
  const { executor, run } = await startBench(t, { places: 1 });
  const call = new AbortController();
  const sleepers = Array.from({ length: 5 }, () => collect(executor, { binary: '/bin/sleep', argv: ['600'] }, call));
  assert.equal((await run({})).startFault?.code, 'EAGAIN');
  call.abort();
  await Promise.all(sleepers);
  assert.equal((await run({})).exitCode, 0);
});

test('close ends every tree, refuses new runs and leaves no directory', async (t) => {
  const { executor, run, fake, scratchParent } = await startBench(t);
  const running = [
    collect(executor, { binary: fake('stubborn') }),
    collect(executor, { binary: fake('escape'), argv: ['2', 'stay'] }),
  ];
  await new Promise((resolve) => setTimeout(resolve, 400));
  await executor.close();
  for (const ran of await Promise.all(running)) {
    assert.equal(ran.ending, 'cancelled');
    assert.equal(ran.survivors, 0);
  }
  assert.equal(existsSync(scratchParent), false);
  assert.equal((await run({})).startFault?.code, 'SHUTTING_DOWN');
});

test('a gateway out of descriptors refuses the start and recovers', async (t) => {
  const { run, scratchParent } = await startBench(t);
  const held: number[] = [];
  t.after(() => {
    for (const descriptor of held.splice(0)) closeSync(descriptor);
  });
  assert.throws(
    () => {
      for (;;) held.push(openSync('/dev/null', 'r'));
    },
    { code: 'EMFILE' },
  );
  const ran = await run({});
  assert.equal(ran.ending, 'not_started');
  assert.equal(ran.startFault?.code, 'EMFILE');
  for (const descriptor of held.splice(0)) closeSync(descriptor);
  assert.equal((await run({})).exitCode, 0);
  assert.deepEqual(readdirSync(scratchParent), []);
});
