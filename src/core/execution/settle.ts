import { constants } from 'node:os';
import type { RunCgroup } from './cgroup.ts';
import { type RunSetting, runMarker } from './run-setting.ts';
import { signalGroup, signalProcess } from './signal.ts';
import type { StartedProcess } from './spawn.ts';
import { endTree } from './tree.ts';
import type { Execution } from './types.ts';
import { within } from '../within.ts';

/** Why the gateway ends a run before it ends by itself. */
export type Decision = 'timed_out' | 'cancelled' | 'output_cap';

/** How long output may be silent after the end of the tree before its pipes are given up. */
const DRAIN_QUIET_MS = 1000;
/** Time that the supervisor has to end everything and prove it; then the gateway looks and ends by itself. */
const SUPERVISOR_MS = 5500;

/** One run between its start and its end. */
export interface Settling {
  readonly runId: string;
  readonly scratch: string;
  readonly cgroup: RunCgroup | undefined;
  /** Processes of the chain itself that may outlive the tool for a moment (init of bubblewrap, slirp4netns). */
  readonly companions: number;
  /** bubblewrap stands between the supervisor and the tool. */
  readonly isWrapped: boolean;
  readonly started: StartedProcess;
  readonly decision: Promise<Decision>;
}

/** How a process tree came to its end. */
export interface Settled extends Pick<Execution, 'ending' | 'exitCode' | 'signal' | 'survivors' | 'killMs'> {
  /** Whether the output came to an end. */
  readonly isDrained: boolean;
}

/** Waits for the end or the decision, ends the whole tree, and proves that nothing of it is left. */
export async function settle(setting: RunSetting, run: Settling): Promise<Settled> {
  const { clock } = setting;
  const { started, cgroup } = run;
  const isSupervised = setting.means.launcher !== undefined;
  const { exited } = started;
  const ending = await Promise.race([exited.then(() => 'exited' as const), run.decision]);
  const decidedAt = clock.monotonic();
  if (ending !== 'exited') {
    if (isSupervised) signalProcess(started.pid, 'SIGTERM');
    else signalGroup(started.pid, 'SIGTERM');
    await within(exited, setting.killGraceMs);
    started.cut();
    await endGroup(cgroup);
    if (isSupervised) await within(exited, SUPERVISOR_MS);
  }
  // Also after a normal exit: what it left in the background would scan on, unseen and unlimited.
  const { survivors, killed } = await endWhole(setting, run);
  const killMs = clock.monotonic() - decidedAt;
  const exit = asSignal(run, (await within(exited, DRAIN_QUIET_MS)) ?? { exitCode: null, signal: null });
  // Attack: what no look found but still writes is a survivor all the same.
  const isDrained = await started.drain(DRAIN_QUIET_MS);
  return {
    ending,
    ...exit,
    survivors: isDrained ? survivors : Math.max(survivors, 1),
    isDrained,
    ...(ending === 'exited' && !killed ? {} : { killMs }),
  };
}

type Exit = Pick<Execution, 'exitCode' | 'signal'>;

/** Signals that end a process by themselves; a program that exits with 128 and such a number is not known. */
const FATAL: ReadonlySet<string> = new Set([
  'SIGILL',
  'SIGABRT',
  'SIGBUS',
  'SIGFPE',
  'SIGKILL',
  'SIGSEGV',
  'SIGPIPE',
  'SIGTERM',
  'SIGXCPU',
  'SIGXFSZ',
  'SIGSYS',
]);

/** bubblewrap tells the signal that ended its child as exit code 128 + number, like a shell (bwrap(1)). */
function asSignal({ isWrapped }: Settling, exit: Exit): Exit {
  if (!isWrapped || exit.exitCode === null || exit.exitCode <= 128) return exit;
  const number = exit.exitCode - 128;
  const name = Object.entries(constants.signals).find(([, each]) => each === number)?.[0];
  return name !== undefined && FATAL.has(name) ? { exitCode: null, signal: name } : exit;
}

async function endWhole(setting: RunSetting, { runId, scratch, cgroup, companions, started }: Settling) {
  const { killed } = started.status();
  // The kernel's word, through waitpid(2) of the supervisor that adopts every orphan: nothing is left to look for.
  if (killed !== undefined) return { survivors: 0, killed: killed > companions };
  await endGroup(cgroup);
  const mark = { leader: started.pid, marker: runMarker(setting.instance, runId), scratch };
  const end = await endTree(mark, setting.clock);
  return { ...end, survivors: Math.max(end.survivors, cgroup?.count() ?? 0) };
}

/** What it could not end is counted afterwards; the other ways of ending go on meanwhile. */
async function endGroup(cgroup: RunCgroup | undefined): Promise<void> {
  await cgroup?.kill().catch(() => undefined);
}
