import { lstatSync, readdirSync } from 'node:fs';
import type { Clock } from '../clock.ts';
import { removeTree } from './remove-tree.ts';
import { runMarker } from './run-setting.ts';
import { endTree } from './tree.ts';

const SCRATCH_NAME = /^([0-9a-f]{12})\.([A-Za-z0-9_-]{1,64})$/;

/** What an earlier life had left. */
export interface Swept {
  /** Working directories of an earlier life that were found. */
  readonly directories: number;
  /** Those of them whose processes had to be ended. */
  readonly ended: number;
  /** Processes that could not be ended. */
  readonly survivors: number;
}

/**
 * Ends what an earlier gateway with the same scratch parent left behind and removes its directories. The names of the
 * directories say which markers to look for, so runs of a gateway with another scratch parent are never touched.
 * Call it before the first run: it takes every directory there for an old one.
 */
export async function sweepLeftovers(scratchParent: string, clock: Clock): Promise<Swept> {
  const swept = { directories: 0, ended: 0, survivors: 0 };
  for (const name of readdirSync(scratchParent)) {
    const [, instance, runId] = SCRATCH_NAME.exec(name) ?? [];
    const scratch = `${scratchParent}/${name}`;
    if (instance === undefined || runId === undefined || !lstatSync(scratch).isDirectory()) continue;
    swept.directories += 1;
    const mark = { leader: undefined, marker: runMarker(instance, runId), scratch };
    const { survivors, killed } = await endTree(mark, clock);
    if (killed) swept.ended += 1;
    swept.survivors += survivors;
    if (survivors === 0) await removeTree(scratch);
  }
  return swept;
}
