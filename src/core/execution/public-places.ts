import { lstatSync, unlinkSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import { type HeldDirectory, holdDirectory } from './directory.ts';
import { removeTree } from './remove-tree.ts';

/** Directories in which every user may leave something. */
const PUBLIC_PLACES = ['/tmp', '/var/tmp', '/dev/shm', '/run/lock'] as const;
/** Entries looked at in each of them, and the time for all: a full directory must not hold a run. */
const MOST_ENTRIES = 10_000;
const BATCH = 256;
const LIMIT_MS = 2000;

/**
 * Removes what a user id of a tool owns directly in the directories that everybody may write, as far as time allows;
 * false when something stayed. Only after nothing runs under it.
 * Attack: a run leaves a file there that the next run under the same user id reads or trusts.
 */
export async function removePublicFiles(
  uid: number,
  clock: Clock,
  places: readonly string[] = PUBLIC_PLACES,
): Promise<boolean> {
  const deadline = clock.monotonic() + LIMIT_MS;
  const isLate = () => clock.monotonic() > deadline;
  let isClean = true;
  for (const place of places) {
    let held: HeldDirectory;
    try {
      held = holdDirectory(place);
    } catch {
      continue; // this machine has no such directory, or it is a link to one of the others
    }
    try {
      isClean = (await removeOwned(held, uid, isLate)) && isClean;
    } catch {
      isClean = false; // not listable
    } finally {
      held.close();
    }
  }
  return isClean;
}

async function removeOwned(place: HeldDirectory, uid: number, isLate: () => boolean): Promise<boolean> {
  let isClean = true;
  let seen = 0;
  for (const { name } of place.list(MOST_ENTRIES)) {
    if (isLate()) return false;
    const path = place.entry(name);
    const found = lstatSync(path, { throwIfNoEntry: false });
    seen += 1;
    if (seen % BATCH === 0) await nextTurn();
    if (found?.uid !== uid) continue;
    const isGone = found.isDirectory() ? await removeTree(path, isLate) : removed(path);
    isClean = isGone && isClean;
  }
  return isClean;
}

function removed(path: Buffer): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch {
    return false; // gone meanwhile, or on a read-only mount
  }
}
