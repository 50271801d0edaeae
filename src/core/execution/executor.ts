import { randomBytes } from 'node:crypto';
import { rmdir } from 'node:fs/promises';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { CgroupLimits } from './cgroup.ts';
import { egressRulesOf, hasOwnFileSystem, type Means } from './chain.ts';
import type { LauncherPlace } from './launcher.ts';
import { layersOf, proveLayers } from './layers.ts';
import { sweepLeftovers } from './leftovers.ts';
import { findMeans } from './means.ts';
import { readPrivileges } from './privileges.ts';
import { inheritableDescriptors } from './proc.ts';
import { cancelledBeforeStart, notStarted, runCommand } from './run-command.ts';
import type { RunSetting } from './run-setting.ts';
import { confinementErrorOf } from './start-fault.ts';
import { prepareScratchParent } from './scratch.ts';
import type { Command, Execution, ExecutionChannels, Executor, LayerName } from './types.ts';

/** Processes beyond the configured places: probes of tools run beside the calls. */
const SPARE_PLACES = 4;

export interface ExecutorOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Absolute path of the parent of all working directories; belongs to one data directory alone. */
  readonly scratchParent: string;
  /** Runs at once. */
  readonly places: number;
  /** Time between SIGTERM and SIGKILL, milliseconds. */
  readonly killGraceMs: number;
  /** Whether raw tools may get NET_RAW. */
  readonly rawEnabled: boolean;
  /** Layers that are not to be used although they may be here. */
  readonly disable?: readonly LayerName[];
  /** Limits of the control group of one run, where there is one. */
  readonly cgroupLimits: CgroupLimits;
  /** Where the native programs lie; without it layer 2 is absent. */
  readonly launcher?: LauncherPlace;
  /** Where the programs of the system are looked for; the system's directories when absent. */
  readonly programDirectories?: readonly string[];
}

/**
 * Makes the one part of the program that starts processes: clears what an earlier life left, then attacks every layer
 * of confinement through the same path as a run and keeps what was seen. Throws ERR_EXEC_CONFINEMENT as root and when
 * not even a private working directory can be had; a layer that failed is in `layers`, and the caller decides about it.
 */
export async function createExecutor(options: ExecutorOptions): Promise<Executor> {
  const { clock, log, scratchParent } = options;
  const privileges = readPrivileges();
  await prepareScratchParent(scratchParent);
  const found = await findMeans(options);
  if (privileges.mayGiveRaw) requireTaker(found.offered);
  const swept = await sweepLeftovers(scratchParent, clock);
  const groups = (await found.offered.cgroups?.leftovers()) ?? 0;
  if (swept.directories + groups > 0) log.warn('leftovers.ended', { ...swept, groups });
  const bare: RunSetting = {
    clock,
    log,
    scratchParent,
    instance: randomBytes(6).toString('hex'),
    killGraceMs: options.killGraceMs,
    means: { userProcesses: found.offered.userProcesses },
    strayDescriptors: inheritableDescriptors(),
    cgroupLimits: options.cgroupLimits,
    layers: () => [],
  };
  const { layers, means } = await proveLayers({ setting: bare, ...found, mayGiveRaw: privileges.mayGiveRaw });
  // Once more: what is there and starts nothing takes nothing away.
  if (privileges.mayGiveRaw) requireTaker(means);
  for (const layer of layers) log.info('layer.probed', { ...layer });
  const rawAvailable = layers.some(({ name, state }) => name === 'raw' && state === 'proved');
  const setting: RunSetting = { ...bare, means, layers: layersOf(layers, (name, of) => applies(means, name, of)) };
  const pool = createPool(setting, options.places + SPARE_PLACES);
  return {
    layers,
    rawAvailable,
    translatesNetwork: (reach) => egressRulesOf(means, { reach }) !== undefined,
    get active() {
      return pool.active();
    },
    get survivors() {
      return pool.survivors();
    },
    lastFault: pool.lastFault,
    run: (command, channels) =>
      command.capability === 'raw' && !rawAvailable
        ? Promise.resolve(notStarted({ code: 'CONFINEMENT', message: 'NET_RAW cannot be given here' }))
        : pool.run(command, channels),
    close: async () => {
      await pool.close();
      await removeIfEmpty(scratchParent);
    },
  };
}

/** Attack: an ambient capability outlives execve(2); where nothing takes it away, every tool would have NET_RAW. */
function requireTaker({ launcher, confiner }: Means): void {
  if (launcher !== undefined || confiner !== undefined) return;
  throw new SallyportError(
    'ERR_EXEC_CONFINEMENT',
    'The gateway holds NET_RAW, and without layers 1 and 2 nothing takes it from a tool: start it without raw packets.',
  );
}

function applies(means: Means, name: LayerName, command: Command): boolean {
  if (name === 'raw') return command.capability === 'raw';
  if (name === 'L3') return hasOwnFileSystem(means, command);
  return name !== 'L5' || egressRulesOf(means, command) !== undefined;
}

/** What is still in there belongs to a run that left something behind: the next start looks after it. */
async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (!['ENOTEMPTY', 'ENOENT', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

interface Pool {
  readonly run: (command: Command, channels: ExecutionChannels) => Promise<Execution>;
  readonly active: () => number;
  readonly survivors: () => number;
  readonly lastFault: Executor['lastFault'];
  readonly close: () => Promise<void>;
}

function createPool(setting: RunSetting, places: number): Pool {
  const running = new Map<AbortController, Promise<Execution>>();
  let isClosed = false;
  let survived = 0;
  let lastFault: ReturnType<Executor['lastFault']>;
  return {
    lastFault: () => lastFault,
    active: () => running.size,
    survivors: () => survived,
    async run(command, channels) {
      if (isClosed) return notStarted({ code: 'SHUTTING_DOWN', message: 'the gateway is stopping' });
      if (channels.signal.aborted) return cancelledBeforeStart(setting.layers(command));
      if (running.size >= places) return notStarted({ code: 'EAGAIN', message: 'every place has a process' });
      const stop = new AbortController();
      const abort = () => stop.abort();
      channels.signal.addEventListener('abort', abort, { once: true });
      const execution = runCommand(setting, { command, channels: { ...bind(channels), signal: stop.signal } });
      running.set(stop, execution);
      try {
        const { ending, startFault, survivors } = await execution;
        survived += survivors;
        if (ending !== 'not_started') lastFault = undefined;
        else if (startFault !== undefined && confinementErrorOf(startFault) !== undefined) lastFault = startFault;
        return await execution;
      } finally {
        running.delete(stop);
        channels.signal.removeEventListener('abort', abort);
      }
    },
    async close() {
      isClosed = true;
      for (const stop of running.keys()) stop.abort();
      await Promise.all(running.values());
    },
  };
}

function bind(channels: ExecutionChannels): Pick<ExecutionChannels, 'onStdout' | 'onStderr'> {
  return { onStdout: (chunk) => channels.onStdout(chunk), onStderr: (chunk) => channels.onStderr(chunk) };
}
