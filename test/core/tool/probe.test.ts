import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { locateBinary } from '../../../src/core/tool/binary.ts';
import type { Command, Execution, Executor } from '../../../src/core/execution/types.ts';
import { probeTool, probeTools } from '../../../src/core/tool/probe.ts';
import { sampleTool } from './sample-tool.ts';

const root = await mkdtemp(join(tmpdir(), 'sallyport-probe-'));
after(() => rm(root, { recursive: true, force: true }));
const bin = join(root, 'bin');
const second = join(root, 'second');
await mkdir(bin, { mode: 0o755 });
await mkdir(second, { mode: 0o755 });

async function program(directory: string, name: string, mode = 0o755): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, '#!/bin/sh\n');
  await chmod(path, mode);
  return path;
}

await program(bin, 'good');
await program(second, 'good');
await program(bin, 'writable', 0o777);
await program(second, 'writable');
await program(bin, 'data', 0o644);
await symlink('good', join(bin, 'alias'));
await mkdir(join(bin, 'folder'));
const open = join(root, 'open');
await mkdir(open);
await program(open, 'swapped');
await chmod(open, 0o777);
await symlink(join(open, 'swapped'), join(bin, 'swapped'));

const ENDED: Execution = {
  ending: 'exited',
  exitCode: 1,
  signal: null,
  durationMs: 1,
  stdout: { bytes: 0, truncated: false },
  stderr: { bytes: 0, truncated: false },
  files: new Map(),
  layers: ['L0'],
  survivors: 0,
  memoryExceeded: false,
};

function executorThat(execution: Partial<Execution>, output = '', raw = false) {
  const commands: Command[] = [];
  const executor: Pick<Executor, 'run' | 'rawAvailable'> = {
    rawAvailable: raw,
    run: (command, channels) => {
      commands.push(command);
      void channels.onStdout(Buffer.from(output.slice(0, 3)));
      void channels.onStderr(Buffer.from(output.slice(3)));
      return Promise.resolve({ ...ENDED, ...execution });
    },
  };
  const options = {
    executor,
    clock: { now: () => 42, monotonic: () => 0 },
    signal: new AbortController().signal,
    directories: [bin, second],
  };
  return { commands, options };
}

describe('locateBinary', () => {
  it('gives the real path of the first file of that name', async () => {
    assert.deepEqual(await locateBinary('good', [bin, second]), { path: join(bin, 'good') });
    assert.deepEqual(await locateBinary('alias', [bin]), { path: join(bin, 'good') });
  });

  it('refuses a file that everybody may write, and does not look further', async () => {
    assert.match(JSON.stringify(await locateBinary('writable', [bin, second])), /fault.*writable by everybody/);
  });

  it('refuses a file in a directory that everybody may write, also behind a link', async () => {
    assert.match(JSON.stringify(await locateBinary('swapped', [bin])), /fault.*writable by everybody/);
  });

  it('refuses what cannot be executed, and says where it looked for what is missing', async () => {
    for (const name of ['data', 'folder']) assert.ok('fault' in (await locateBinary(name, [bin])));
    assert.match(JSON.stringify(await locateBinary('absent', [bin, second])), /second/);
  });
});

describe('probing a tool', () => {
  it('pins the path and learns the version, whatever the exit code', async () => {
    const { options, commands } = executorThat({ exitCode: 255 }, 'Good 7.93 (x)');
    const tool = sampleTool({ binary: 'alias', probe: { argv: ['--version'], version: /Good (\d[\w.]*)/ } });
    assert.deepEqual(await probeTool(tool, options), {
      available: true,
      path: join(bin, 'good'),
      version: '7.93',
      probedAt: 42,
    });
    assert.equal(commands[0]?.capability, 'none');
    assert.deepEqual(commands[0]?.argv, ['--version']);
  });

  it('says what is wrong and the command that mends it', async () => {
    const { options } = executorThat({});
    const cases = await Promise.all([
      probeTool(sampleTool({ binary: 'absent' }), options),
      probeTool(sampleTool({ binary: 'writable' }), options),
      probeTool(sampleTool({ binary: 'good', requires: ['/nonexistent/file'] }), options),
      probeTool(sampleTool({ binary: 'good', requires: [join(bin, 'writable')] }), options),
      probeTool(sampleTool({ binary: 'good' }), options),
      probeTool(sampleTool({ binary: 'good' }), executorThat({ ending: 'timed_out', exitCode: null }, '1').options),
      probeTool(sampleTool({ binary: 'good' }), executorThat({ ending: 'output_cap' }, '1').options),
      probeTool(
        sampleTool({ binary: 'good' }),
        executorThat({ ending: 'not_started', startFault: { code: 'EACCES', message: '' } }).options,
      ),
    ]);
    for (const found of cases) {
      assert.equal(found.available, false);
      assert.match(found.fault ?? '', /apt-get install -y --no-install-recommends coreutils$/);
    }
  });

  it('does not offer a tool that needs raw packets where there are none', async () => {
    const tool = sampleTool({ binary: 'good', raw: 'required', needsRaw: () => true });
    const without = executorThat({}, '1.0');
    assert.match((await probeTool(tool, without.options)).fault ?? '', /raw packets/);
    assert.equal(without.commands.length, 0);
    assert.equal((await probeTool(tool, executorThat({}, '1.0', true).options)).available, true);
  });

  it('answers for every tool', async () => {
    const tools = [sampleTool({ name: 'a', binary: 'good' }), sampleTool({ name: 'b', binary: 'absent' })];
    const found = await probeTools(tools, executorThat({}, '1.0').options);
    assert.deepEqual(
      [...found].map(([name, { available }]) => [name, available]),
      [
        ['a', true],
        ['b', false],
      ],
    );
  });

  it('shows no terminal escape of a version text', async () => {
    const tool = sampleTool({ binary: 'good', probe: { argv: [], version: /v(.*)/ } });
    assert.equal((await probeTool(tool, executorThat({}, 'v1\u001b[2K.0').options)).version, '1.0');
  });
});
