import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import {
  eachProcess,
  lastProcess,
  type ProcessPlace,
  processDirectory,
  processEnvironment,
  processPlace,
} from './proc.ts';
import { signalGroup, signalProcess } from './signal.ts';

/** Longest time spent on ending a tree before its survivors are reported. */
const END_LIMIT_MS = 8000;
/** Looks in a row that have to find nothing. */
const EMPTY_LOOKS = 3;
/** Looks at the youngest process after each look at all of them; about 20 µs each. */
const YOUNGEST_LOOKS = 32;
const FIRST_PAUSE_MS = 2;
const LAST_PAUSE_MS = 50;

/** How the processes of one run are recognised. */
export interface TreeMark {
  /** Process that the gateway started, leader of its group and session; undefined once its pid may be another's. */
  readonly leader: number | undefined;
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

/** Living processes of the run with their groups, found by looking at every process, never by what the run says of itself. */
export async function findTree(mark: TreeMark): Promise<ReadonlyMap<number, ProcessPlace>> {
  const places = new Map<number, ProcessPlace>();
  const found = new Map<number, ProcessPlace>();
  const look = (pid: number) => {
    const place = processPlace(pid);
    if (place === undefined) return;
    places.set(pid, place);
    const isInSession = mark.leader !== undefined && (place.session === mark.leader || place.group === mark.leader);
    // Attack: a tool that starts its daemon with an empty environment is still known by its session or directory.
    if (isInSession || isMarked(pid, mark)) found.set(pid, place);
  };
  await eachProcess(look);
  // Attack: a chain that forks and exits faster than a list of all processes can be read; its last link is the youngest.
  for (let times = 0; times < YOUNGEST_LOOKS && found.size === 0; times += 1) {
    const pid = lastProcess();
    if (pid !== undefined) look(pid);
  }
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const [pid, place] of places) if (found.has(place.parent)) found.set(pid, place);
  }
  return found;
}

/** Ends every process of the run at once and looks again until three looks in a row found none, at most 8 s. */
export async function endTree(mark: TreeMark, clock: Clock): Promise<TreeEnd> {
  const deadline = clock.monotonic() + END_LIMIT_MS;
  let pause = FIRST_PAUSE_MS;
  let killed = false;
  let emptyLooks = 0;
  for (;;) {
    const left = await findTree(mark);
    emptyLooks = left.size === 0 ? emptyLooks + 1 : 0;
    // Attack: a chain that forks and exits all the time slips through one look.
    if (emptyLooks >= EMPTY_LOOKS) return { survivors: 0, killed };
    if (clock.monotonic() > deadline) return { survivors: Math.max(left.size, 1), killed };
    killed ||= left.size > 0;
    endFound(left);
    if (left.size === 0) continue;
    await sleep(pause);
    pause = Math.min(pause * 2, LAST_PAUSE_MS);
  }
}

/**
 * Attack: kill(-group) alone leaves whoever called setsid, so each one found is ended by its own id; that alone leaves
 * the next link of a chain that was forked after the look, which is still in the group.
 */
function endFound(found: ReadonlyMap<number, ProcessPlace>): void {
  const own = processPlace(process.pid);
  // Nobody gets into a group of another session (setpgid(2)): the members of these are all of the run.
  const groups = new Set(
    [...found.values()].filter(({ session }) => session !== own?.session).map(({ group }) => group),
  );
  for (const group of groups) if (group > 1) signalGroup(group, 'SIGKILL');
  for (const pid of found.keys()) signalProcess(pid, 'SIGKILL');
}

function isMarked(pid: number, mark: TreeMark): boolean {
  if (processEnvironment(pid).includes(mark.marker)) return true;
  const directory = processDirectory(pid);
  return directory !== undefined && (directory === mark.scratch || directory.startsWith(`${mark.scratch}/`));
}
