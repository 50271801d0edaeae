import { readFileSync } from 'node:fs';
import { openCgroups } from './cgroup.ts';
import type { Means } from './chain.ts';
import { findConfiner } from './confinement.ts';
import type { ExecutorOptions } from './executor.ts';
import { mayEcho } from './egress.ts';
import { findLauncher } from './launcher.ts';
import { countOwnThreads } from './proc.ts';
import { findProgram } from './programs.ts';
import type { LayerName } from './types.ts';

/** What was found, and why the rest was not. */
export interface FoundMeans {
  readonly offered: Means;
  readonly missing: Partial<Record<LayerName, string>>;
}

function readMayEcho(): boolean {
  try {
    return mayEcho(readFileSync('/proc/sys/net/ipv4/ping_group_range', 'latin1'), process.getegid?.() ?? -1);
  } catch {
    return false; // not to be read in some containers
  }
}

/** Threads of one run and of a busy user beside it, before a fork is refused. */
const SPARE_PROCESSES = 1024;

/** Looks what this machine offers for confinement and leaves out what the operator switched off. Nothing is tried yet. */
export async function findMeans(options: ExecutorOptions): Promise<FoundMeans> {
  const off = new Set(options.disable ?? []);
  const missing: Partial<Record<LayerName, string>> = {};
  for (const name of off) missing[name] = `execution.disable names ${name}.`;
  if (!options.rawEnabled) missing.raw ??= 'execution.raw.enabled is false.';
  const directories = options.programDirectories;
  const program = (layer: LayerName, name: string) => {
    if (off.has(layer)) return undefined;
    const path = findProgram(name, directories);
    if (path === undefined) missing[layer] ??= `${name} is not installed.`;
    return path;
  };
  const native = off.has('L2') || options.launcher === undefined ? undefined : findLauncher(options.launcher);
  if (typeof native === 'string') missing.L2 = `${native}.`;
  const launcher = typeof native === 'string' ? undefined : native;
  const slirp = program('L5', 'slirp4netns');
  const nft = program('L5', 'nft');
  const cgroups = off.has('L4') || launcher === undefined ? undefined : await openCgroups();
  if (launcher === undefined) {
    // Both stand on the supervisor, which is part of the same build.
    missing.L4 ??= 'It needs the native supervisor, which is not there.';
    if (!off.has('L5')) missing.L5 = 'It needs the native supervisor, which is not there.';
  }
  return {
    offered: {
      confiner: off.has('L1') ? undefined : findConfiner(directories),
      launcher,
      bwrap: program('L3', 'bwrap'),
      cgroups,
      egress:
        launcher === undefined || slirp === undefined || nft === undefined
          ? undefined
          : { egress: launcher.egress, slirp, nft, echo: readMayEcho() },
      userProcesses: 2 * (await countOwnThreads()) + SPARE_PROCESSES,
    },
    missing,
  };
}
