import { randomBytes } from 'node:crypto';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { SallyportError } from '../errors.ts';
import { eachProcess, processPlace, processUids } from './proc.ts';

/** User ids looked at from `uidBase` on before giving up. */
const RANGE = 1024;

/** Private user ids for tools. Whoever holds one may end everything that runs under it. */
export interface UidClaims {
  /** A user id that no other process and no other gateway uses. Throws ERR_EXEC_CONFINEMENT when there is none. */
  acquire(): Promise<number>;
  /** Gives a user id back for the next run; only after nothing runs under it. */
  release(uid: number): void;
  /** Gives all of them back to the machine. */
  close(): void;
}

export interface UidClaimOptions {
  /** Directory shared by all gateways of this machine, for root only. */
  readonly directory: string;
  readonly uidBase: number;
  /** Ends and removes what a dead gateway left under the user id; resolves with the number that could not be ended. */
  readonly endAll: (uid: number) => Promise<number>;
}

/**
 * Claims user ids by files, one for each, that name their owner by pid and start time.
 * Attack: two gateways with the same `uidBase` would end and read each other's runs; a claim keeps them apart.
 */
export async function openUidClaims(options: UidClaimOptions): Promise<UidClaims> {
  const { directory, uidBase } = options;
  assertRootOnly(directory);
  const owner = `${process.pid} ${processPlace(process.pid)?.startedAt ?? ''}`;
  const held = new Set<number>();
  const idle: number[] = [];
  await takeOverStale(options, owner);
  const acquire = async (): Promise<number> => {
    // Attack: what a run left in the machine would be met by the next one at once; the longest idle comes first.
    const again = idle.shift();
    if (again !== undefined) return again;
    const inUse = await usedUids();
    for (let uid = uidBase; uid < uidBase + RANGE; uid += 1) {
      // Somebody else's account: its processes must never be taken for ours.
      if (inUse.has(uid) || !claim(`${directory}/${uid}`, owner)) continue;
      held.add(uid);
      return uid;
    }
    throw new SallyportError('ERR_EXEC_CONFINEMENT', 'No user id from execution.uidBase on is free.');
  };
  return {
    acquire,
    release: (uid) => void idle.push(uid),
    close: () => {
      for (const uid of held) {
        const path = `${directory}/${uid}`;
        // Gone, or another gateway's by now: not ours to remove.
        if (readClaim(path) === owner) rmSync(path, { force: true });
      }
      held.clear();
      idle.length = 0;
    },
  };
}

function assertRootOnly(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const found = lstatSync(directory);
  // Attack: a directory prepared by another user could name living processes as stale, or the reverse.
  if (!found.isDirectory() || found.uid !== 0 || (found.mode & 0o022) !== 0) {
    throw new SallyportError('ERR_EXEC_CONFINEMENT', `${directory} must be a directory that only root can write.`);
  }
}

function claim(path: string, owner: string): boolean {
  const own = `${path}.${randomBytes(6).toString('hex')}`;
  writeFileSync(own, owner, { mode: 0o600, flag: 'wx' });
  try {
    linkSync(own, path); // atomic, and with its content: a reader never sees an empty claim
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    unlinkSync(own);
  }
}

async function takeOverStale(options: UidClaimOptions, owner: string): Promise<void> {
  for (const name of readdirSync(options.directory)) {
    const path = `${options.directory}/${name}`;
    if (!/^\d+$/.test(name)) continue;
    const seen = readClaim(path);
    if (seen === undefined || isAlive(seen)) continue;
    const mine = `${path}.${randomBytes(6).toString('hex')}`;
    if (!moved(path, mine)) continue;
    // Two gateways starting at once: the other one may have put its own claim here between look and move.
    if (readClaim(mine) !== seen) linkSync(mine, path);
    else if (claim(path, owner) && (await options.endAll(Number(name))) === 0) unlinkSync(path);
    unlinkSync(mine);
  }
}

function readClaim(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined; // given back meanwhile
  }
}

function moved(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch {
    return false; // another gateway was faster
  }
}

function isAlive(claimed: string): boolean {
  const [pid, startedAt] = claimed.split(' ');
  return processPlace(Number(pid))?.startedAt === startedAt;
}

async function usedUids(): Promise<ReadonlySet<number>> {
  const used = new Set<number>();
  await eachProcess((pid) => {
    for (const uid of processUids(pid) ?? []) used.add(uid);
  });
  return used;
}
