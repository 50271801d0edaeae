import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import type { EndUser, UserEnd } from './end-user.ts';
import {
  eachProcess,
  type ProcessPlace,
  processDirectory,
  processEnvironment,
  processPlace,
  processUids,
} from './proc.ts';
import { signalGroup, signalProcess } from './signal.ts';

/** Longest time spent on ending a tree before its survivors are reported. */
const END_LIMIT_MS = 8000;
const FIRST_PAUSE_MS = 2;
const LAST_PAUSE_MS = 50;

/** How the processes of one run are recognised. */
export interface TreeMark {
  /** Process that the gateway started, leader of its group and session; undefined once its pid may be another's. */
  readonly leader: number | undefined;
  /** User id that belongs to this run alone; undefined when the run shares the gateway's. */
  readonly uid: number | undefined;
  /** Whether the switch to that user id was proved; otherwise the run may still be under the gateway's own. */
  readonly isUidProved: boolean;
  /** Entry of the environment, `SALLYPORT_RUN=<instance>/<run>`. */
  readonly marker: string;
  /** Private working directory. */
  readonly scratch: string;
}

/** How the end of a process tree went. */
export interface TreeEnd {
  /** Processes still alive after the last look. */
  readonly survivors: number;
  /** Whether anything was there to be ended. */
  readonly killed: boolean;
}

/** Living processes of the run, found by looking at every process, never by what the run says about itself. */
export async function findTree(mark: TreeMark): Promise<readonly number[]> {
  if (mark.uid === undefined) return findMarked(mark);
  const byUid = await findByUid(mark.uid, mark.leader);
  // Attack: a switch of users that silently did nothing would make every look by user id find nobody.
  return mark.isUidProved ? byUid : [...new Set([...byUid, ...(await findMarked(mark))])];
}

/**
 * Ends every process of the run at once and looks again until none is left, at most 8 s. With a user id of its own the
 * kernel ends all of it in one pass; `endUser` is how.
 */
export async function endTree(mark: TreeMark, clock: Clock, endUser?: EndUser): Promise<TreeEnd> {
  const deadline = clock.monotonic() + END_LIMIT_MS;
  let user: UserEnd = mark.uid === undefined || endUser === undefined ? 'unavailable' : 'disturbed';
  let pause = FIRST_PAUSE_MS;
  let killed = false;
  let emptyLooks = 0;
  for (;;) {
    const left = await findTree(mark);
    emptyLooks = left.length === 0 ? emptyLooks + 1 : 0;
    // Attack: a chain that forks and exits all the time slips through a look; only the kernel's own pass cannot miss it.
    const enough = user === 'ended' && !killed ? 1 : 2;
    if (user !== 'disturbed' && emptyLooks >= enough) return { survivors: 0, killed };
    if (clock.monotonic() > deadline) return { survivors: Math.max(left.length, 1), killed };
    killed ||= left.length > 0;
    // Attack: kill(-group) alone leaves whoever called setsid; each one found is ended by its own id.
    if (mark.leader !== undefined && left.includes(mark.leader)) signalGroup(mark.leader, 'SIGKILL');
    for (const pid of left) signalProcess(pid, 'SIGKILL');
    if (user === 'disturbed' && mark.uid !== undefined && endUser !== undefined) {
      // After the leader, which may still be root on its way to that user id.
      user = await endUser(mark.uid);
      emptyLooks = 0;
    }
    if (left.length === 0) continue;
    await sleep(pause);
    pause = Math.min(pause * 2, LAST_PAUSE_MS);
  }
}

async function findByUid(uid: number, leader: number | undefined): Promise<readonly number[]> {
  const found: number[] = [];
  await eachProcess((pid) => {
    const uids = processUids(pid);
    // The leader is still root for the moment between its start and setpriv.
    if (uids?.includes(uid) === true || (pid === leader && uids !== undefined)) found.push(pid);
  });
  return found;
}

async function findMarked(mark: TreeMark): Promise<readonly number[]> {
  const places = new Map<number, ProcessPlace>();
  const found = new Set<number>();
  await eachProcess((pid) => {
    const place = processPlace(pid);
    if (place === undefined) return;
    places.set(pid, place);
    const isInSession = mark.leader !== undefined && (place.session === mark.leader || place.group === mark.leader);
    // Attack: a tool that starts its daemon with an empty environment is still known by its session or directory.
    if (isInSession || isMarked(pid, mark)) found.add(pid);
  });
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const [pid, place] of places) if (found.has(place.parent)) found.add(pid);
  }
  return [...found];
}

function isMarked(pid: number, mark: TreeMark): boolean {
  if (processEnvironment(pid).includes(mark.marker)) return true;
  const directory = processDirectory(pid);
  return directory !== undefined && (directory === mark.scratch || directory.startsWith(`${mark.scratch}/`));
}
