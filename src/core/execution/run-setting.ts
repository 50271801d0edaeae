import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { CgroupLimits } from './cgroup.ts';
import type { Means } from './chain.ts';
import type { Command, LayerName } from './types.ts';

/** What all runs of one executor share. */
export interface RunSetting {
  readonly clock: Clock;
  readonly log: Log;
  readonly scratchParent: string;
  /** Random name of this life of the gateway; part of every marker. */
  readonly instance: string;
  readonly killGraceMs: number;
  /** What confines; without any of it layer 0 alone. */
  readonly means: Means;
  readonly strayDescriptors: readonly number[];
  /** Limits of one control group. */
  readonly cgroupLimits: CgroupLimits;
  /** Layers to name in the result. */
  layers(command: Command): readonly LayerName[];
}

/** Entry of the environment by which processes of a run are found again. */
export function runMarker(instance: string, runId: string): string {
  return `SALLYPORT_RUN=${instance}/${runId}`;
}

/** Path of the working directory of a run; its name alone is enough to rebuild the marker. */
export function scratchPath(setting: Pick<RunSetting, 'scratchParent' | 'instance'>, runId: string): string {
  return `${setting.scratchParent}/${setting.instance}.${runId}`;
}

/** The whole environment of a tool besides its marker. Attack: a secret or an LD_PRELOAD in the gateway's own. */
export function environment(scratch: string): Record<string, string> {
  return { PATH: '/usr/bin:/bin', HOME: scratch, TMPDIR: scratch, LC_ALL: 'C.UTF-8', TERM: 'dumb' };
}
