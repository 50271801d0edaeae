import { randomBytes } from 'node:crypto';
import { rmdir } from 'node:fs/promises';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { findConfiner } from './confinement.ts';
import { createEndUser, type EndUser } from './end-user.ts';
import { type LayerContext, proveLayers } from './layers.ts';
import { sweepLeftovers } from './leftovers.ts';
import { inheritableDescriptors } from './proc.ts';
import { type Privileges, readPrivileges } from './privileges.ts';
import { cancelledBeforeStart, notStarted, type RunSetting, runCommand } from './run-command.ts';
import { removePublicFiles } from './public-places.ts';
import { prepareScratchParent } from './scratch.ts';
import { endTree } from './tree.ts';
import type { Command, Execution, ExecutionChannels, Executor, LayerState } from './types.ts';
import { openUidClaims, type UidClaims } from './uid-claims.ts';

/** Processes beyond the configured places: probes of tools run beside the calls. */
const SPARE_PLACES = 4;
const MACHINE_CLAIMS = '/run/sallyport-uids';

export interface ExecutorOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Absolute path of the parent of all working directories; belongs to one data directory alone. */
  readonly scratchParent: string;
  /** First user id for tools where the gateway may switch users. */
  readonly uidBase: number;
  /** Runs at once. */
  readonly places: number;
  /** Time between SIGTERM and SIGKILL, milliseconds. */
  readonly killGraceMs: number;
  /** Whether raw tools may get NET_RAW. */
  readonly rawEnabled: boolean;
  /** What this process may do; read from the kernel when absent. */
  readonly privileges?: Privileges;
  /** Where prlimit and setpriv are looked for; the system's directories when absent. */
  readonly programDirectories?: readonly string[];
  /** Directory of the user-id claims of all gateways on this machine. */
  readonly claimDirectory?: string;
}

/**
 * Makes the one part of the program that starts processes: clears what an earlier life left, then attacks every layer
 * of confinement through the same path as a run and keeps what was seen. Throws ERR_EXEC_CONFINEMENT when not even a
 * private working directory can be had; a layer that failed is in `layers`, and the caller decides about it.
 */
export async function createExecutor(options: ExecutorOptions): Promise<Executor> {
  const privileges = options.privileges ?? readPrivileges();
  const { clock, log, scratchParent } = options;
  await prepareScratchParent(scratchParent, privileges.maySwitchUid);
  const swept = await sweepLeftovers(scratchParent, clock);
  if (swept.directories > 0) log.warn('leftovers.ended', { ...swept });
  const confiner = findConfiner(options.programDirectories);
  const strayDescriptors = inheritableDescriptors();
  const endUser = createEndUser(confiner, strayDescriptors);
  const claims = privileges.maySwitchUid ? await openClaims(options, endUser) : undefined;
  const layers: LayerState[] = [];
  const setting: RunSetting = {
    clock,
    log,
    scratchParent,
    instance: randomBytes(6).toString('hex'),
    killGraceMs: options.killGraceMs,
    confiner,
    strayDescriptors,
    endUser,
    layers: (command) => namesOfProved(layers, command),
  };
  const pool = createPool(setting, claims, options.places + SPARE_PLACES);
  const context: LayerContext = { setting, privileges, rawEnabled: options.rawEnabled };
  layers.push(...(await proveLayers(context, pool.run)));
  for (const layer of layers) log.info('layer.probed', { ...layer });
  const rawAvailable = layers.some((layer) => layer.name === 'raw' && layer.state === 'proved');
  return {
    layers,
    rawAvailable,
    get active() {
      return pool.active();
    },
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

/** What is still in there belongs to a run that left something behind: the next start looks after it. */
async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (!['ENOTEMPTY', 'ENOENT', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

function namesOfProved(layers: readonly LayerState[], command: Command): readonly string[] {
  return layers
    .filter(({ name, state }) => state === 'proved' && (name !== 'raw' || command.capability === 'raw'))
    .map(({ name }) => name);
}

async function openClaims(options: ExecutorOptions, endUser: EndUser): Promise<UidClaims> {
  const { clock, uidBase, scratchParent } = options;
  const endAll = async (uid: number) => {
    const { survivors } = await endTree(
      { leader: undefined, uid, isUidProved: true, marker: '', scratch: '' },
      clock,
      endUser,
    );
    if (survivors === 0) await removePublicFiles(uid, clock);
    return survivors;
  };
  const open = (directory: string) => openUidClaims({ directory, uidBase, endAll });
  try {
    return await open(options.claimDirectory ?? MACHINE_CLAIMS);
  } catch (error) {
    // A container with a read-only root has no /run to write, and no second gateway in its PID namespace either.
    if ((error as NodeJS.ErrnoException).code !== 'EROFS') throw error;
    return open(`${scratchParent}/uids`);
  }
}

interface Pool {
  readonly run: (command: Command, channels: ExecutionChannels) => Promise<Execution>;
  readonly active: () => number;
  readonly close: () => Promise<void>;
}

function createPool(setting: RunSetting, claims: UidClaims | undefined, places: number): Pool {
  const running = new Map<AbortController, Promise<Execution>>();
  let isClosed = false;
  const runInPlace = async (command: Command, channels: ExecutionChannels): Promise<Execution> => {
    let uid: number | undefined;
    try {
      uid = await claims?.acquire();
    } catch (error) {
      return notStarted({ code: 'CONFINEMENT', message: error instanceof Error ? error.message : String(error) });
    }
    const execution = await runCommand(setting, { command, channels, uid });
    // A user id under which something still runs is never given to another run.
    if (uid !== undefined && execution.survivors === 0) {
      if (!(await removePublicFiles(uid, setting.clock))) setting.log.warn('scratch.kept', { uid });
      claims?.release(uid);
    }
    return execution;
  };
  return {
    active: () => running.size,
    async run(command, channels) {
      if (isClosed) return notStarted({ code: 'SHUTTING_DOWN', message: 'the gateway is stopping' });
      if (channels.signal.aborted) return cancelledBeforeStart(setting.layers(command));
      if (running.size >= places) return notStarted({ code: 'EAGAIN', message: 'every place has a process' });
      const stop = new AbortController();
      const abort = () => stop.abort();
      channels.signal.addEventListener('abort', abort, { once: true });
      const execution = runInPlace(command, { ...bind(channels), signal: stop.signal });
      running.set(stop, execution);
      try {
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
      claims?.close();
    },
  };
}

function bind(channels: ExecutionChannels): Pick<ExecutionChannels, 'onStdout' | 'onStderr'> {
  return { onStdout: (chunk) => channels.onStdout(chunk), onStderr: (chunk) => channels.onStderr(chunk) };
}
