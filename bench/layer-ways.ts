import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../src/core/clock.ts';
import { chainArgv } from '../src/core/execution/chain.ts';
import { createExecutor, type ExecutorOptions } from '../src/core/execution/executor.ts';
import { launcherPlaceOf } from '../src/core/execution/launcher.ts';
import { findMeans } from '../src/core/execution/means.ts';
import { type Prepared, prepareRun } from '../src/core/execution/prepare.ts';
import { inheritableDescriptors } from '../src/core/execution/proc.ts';
import { removeTree } from '../src/core/execution/remove-tree.ts';
import { environment, type RunSetting } from '../src/core/execution/run-setting.ts';
import { startProcess } from '../src/core/execution/spawn.ts';
import type { Command, Executor, LayerName } from '../src/core/execution/types.ts';
import type { Log } from '../src/core/log.ts';

/** One way to start the program that does nothing; resolves when it ended and its output did. Throws unless it worked. */
export interface LayerWay {
  readonly name: string;
  readonly start: () => Promise<void>;
}

/** All of them that this machine can go, and which layers it lacks, with the reason. */
export interface LayerWays {
  readonly ways: readonly LayerWay[];
  readonly absent: readonly string[];
  readonly close: () => Promise<void>;
}

/** The way that the others are compared with. */
export const BARE_NAME = 'bare spawn';
/** Layers used together, besides L0. */
const SETS: readonly (readonly LayerName[])[] = [
  [],
  ['L1'],
  ['L1', 'L2'],
  ['L1', 'L3'],
  ['L1', 'L2', 'L3'],
  ['L1', 'L2', 'L4'],
  ['L1', 'L2', 'L3', 'L4'],
  ['L1', 'L2', 'L5'],
  ['L1', 'L2', 'L3', 'L4', 'L5'],
];
const SWITCHABLE: readonly LayerName[] = ['L1', 'L2', 'L3', 'L4', 'L5'];
const MIB = 1_048_576;
const DRAIN_QUIET_MS = 1000;
const NOTHING = () => undefined;
const SILENT: Log = { info: NOTHING, warn: NOTHING, error: NOTHING };
const ROOT = join(import.meta.dirname, '..');

/** Proves every set of layers in this process and makes two ways of each: its chain alone, and a whole run. */
export async function createLayerWays(directory: string): Promise<LayerWays> {
  const program = await realpath('/usr/bin/true');
  const missing = await findMissing(join(directory, 'all'));
  const sets: LayerSet[] = [];
  const close = async () => {
    for (const set of sets) await set.close();
  };
  for (const [at, layers] of SETS.entries()) {
    if (layers.some((name) => missing.has(name))) continue;
    sets.push(await createSet({ layers, program, parent: join(directory, String(at)) }));
  }
  const bare = { name: BARE_NAME, start: () => startBare(program) };
  return {
    ways: [bare, ...sets.map(({ chain }) => chain), ...sets.map(({ run }) => run)],
    absent: [...missing].map(([name, sentence]) => `${name} is ${sentence}`),
    close,
  };
}

/** The layers that are not proved here, each with what was seen. */
async function findMissing(parent: string): Promise<ReadonlyMap<LayerName, string>> {
  const executor = await createExecutor(optionsOf(SWITCHABLE, parent));
  await executor.close();
  const missing = executor.layers.filter(({ name, state }) => SWITCHABLE.includes(name) && state !== 'proved');
  return new Map(missing.map(({ name, state, evidence }) => [name, `${state}: ${evidence}`]));
}

interface SetRequest {
  readonly layers: readonly LayerName[];
  readonly program: string;
  readonly parent: string;
}

interface LayerSet {
  readonly chain: LayerWay;
  readonly run: LayerWay;
  readonly close: () => Promise<void>;
}

/** Throws when the layers are not all proved together although each was. */
async function createSet({ layers, program, parent }: SetRequest): Promise<LayerSet> {
  await mkdir(parent);
  const options = optionsOf(layers, join(parent, 'runs'));
  const executor = await createExecutor(options);
  const name = layers.length === 0 ? 'L0' : layers.join('+');
  const missing = executor.layers.find((layer) => layers.includes(layer.name) && layer.state !== 'proved');
  if (missing !== undefined) throw new Error(`${name}: ${missing.name} is ${missing.state}: ${missing.evidence}`);
  const { offered } = await findMeans(options);
  const setting: RunSetting = {
    ...options,
    instance: 'bench',
    means: offered,
    strayDescriptors: inheritableDescriptors(),
    layers: () => layers,
  };
  const scratch = join(parent, 'chain');
  const id = layers.join('');
  const prepared = await prepareRun(setting, commandOf(program, `chain-${id}`), scratch);
  let runs = 0;
  return {
    chain: { name: `chain ${name}`, start: () => startChain(setting, prepared) },
    run: { name: `run ${name}`, start: () => startRun(executor, commandOf(program, `${id}-${(runs += 1)}`)) },
    close: async () => {
      await prepared.cgroup?.remove();
      await removeTree(scratch);
      await executor.close();
    },
  };
}

function optionsOf(layers: readonly LayerName[], scratchParent: string): ExecutorOptions {
  return {
    clock: systemClock,
    log: SILENT,
    scratchParent,
    places: 16,
    killGraceMs: 2000,
    rawEnabled: false,
    disable: SWITCHABLE.filter((name) => !layers.includes(name)),
    cgroupLimits: { memoryBytes: 512 * MIB, processes: 256, cpuPercent: 400 },
    launcher: launcherPlaceOf(ROOT),
  };
}

function commandOf(binary: string, runId: string): Command {
  return {
    runId,
    binary,
    argv: [],
    timeoutMs: 60_000,
    limits: {
      stdoutBytes: 8 * MIB,
      stderrBytes: MIB,
      atStdoutCap: 'kill',
      fileBytes: 8 * MIB,
      dataBytes: 256 * MIB,
      addressSpaceBytes: 2048 * MIB,
    },
    capability: 'none',
    needs: {},
    // Of RFC 5737: so that the layers that look at it have something to permit.
    reach: { endpoints: [{ network: '192.0.2.1', protocol: 'tcp', ports: [{ from: 80, to: 80 }] }] },
  };
}

/** What everybody else does: pipes for the output, and the end of the process and of both. */
async function startBare(program: string): Promise<void> {
  const child = spawn(program, [], { env: { PATH: '/usr/bin:/bin' }, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.resume();
  child.stderr.resume();
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`the bare program ended with ${code}`);
}

/** The programs of the chain alone, as a run starts them; the directory and the control group are there already. */
async function startChain(setting: RunSetting, prepared: Prepared): Promise<void> {
  let said = '';
  const started = await startProcess({
    argv: chainArgv(setting.means, prepared),
    env: environment(prepared.scratch),
    cwd: prepared.scratch,
    stdin: undefined,
    hasLifeline: setting.means.launcher !== undefined,
    strayDescriptors: setting.strayDescriptors,
    onStdout: NOTHING,
    onStderr: (chunk) => void (said += chunk.toString()),
  });
  const { exitCode } = await started.exited;
  await started.drain(DRAIN_QUIET_MS);
  const { fault } = started.status();
  if (exitCode !== 0) throw new Error(`the chain ended with ${exitCode} ${fault?.message ?? ''} ${said}`);
}

/** The whole way: checks, private directory, chain, the proof that nothing is left, removal. */
async function startRun(executor: Executor, command: Command): Promise<void> {
  const { signal } = new AbortController();
  const execution = await executor.run(command, { onStdout: NOTHING, onStderr: NOTHING, signal });
  const { exitCode, survivors } = execution;
  if (exitCode !== 0 || survivors !== 0) throw new Error(`the run ended with ${JSON.stringify(execution)}`);
}
