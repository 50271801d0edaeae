import { lstatSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { type Confiner, confinedArgv } from './confinement.ts';
import type { EndUser } from './end-user.ts';
import { createOutputMeter, type OutputMeter } from './output.ts';
import { readBack } from './read-back.ts';
import { removeTree } from './remove-tree.ts';
import { createScratch, openList } from './scratch.ts';
import { signalGroup } from './signal.ts';
import { type ProcessInput, type StartedProcess, startProcess } from './spawn.ts';
import { confinementFault, faultOf, findStartFault, type StartFault } from './start-fault.ts';
import { endTree, type TreeMark } from './tree.ts';
import type { Command, Execution, ExecutionChannels } from './types.ts';

/** How long output may be silent after the end of the tree before its pipes are given up. */
const DRAIN_QUIET_MS = 1000;
const STDERR_START_BYTES = 512;

/** What all runs of one executor share. */
export interface RunSetting {
  readonly clock: Clock;
  readonly log: Log;
  readonly scratchParent: string;
  /** Random name of this life of the gateway; part of every marker. */
  readonly instance: string;
  readonly killGraceMs: number;
  /** Undefined where util-linux is missing: layer 0 alone. */
  readonly confiner: Confiner | undefined;
  readonly strayDescriptors: readonly number[];
  /** Ends all of a user id of its own. */
  readonly endUser: EndUser;
  /** Layers to name in the result. */
  layers(command: Command): readonly string[];
}

/** One command on its way through one place. */
export interface RunTask {
  readonly command: Command;
  readonly channels: ExecutionChannels;
  /** User id of its own; undefined runs as the gateway. */
  readonly uid: number | undefined;
}

type Decision = 'timed_out' | 'cancelled' | 'output_cap';

/** Entry of the environment by which processes of a run are found again. */
export function runMarker(instance: string, runId: string): string {
  return `SALLYPORT_RUN=${instance}/${runId}`;
}

/** Path of the working directory of a run; its name alone is enough to rebuild the marker. */
export function scratchPath(setting: Pick<RunSetting, 'scratchParent' | 'instance'>, runId: string): string {
  return `${setting.scratchParent}/${setting.instance}.${runId}`;
}

/** Runs one command from its scratch directory to the proof that nothing of it is left. Never throws. */
export async function runCommand(setting: RunSetting, task: RunTask): Promise<Execution> {
  const { command, channels } = task;
  const layers = setting.layers(command);
  const fault = await findStartFault(command, task.uid);
  if (fault !== undefined) return notStarted(fault, layers);
  const scratch = scratchPath(setting, command.runId);
  let survivors = 0;
  try {
    await createScratch({ path: scratch, files: command.files ?? [], uid: task.uid });
  } catch (error) {
    return notStarted(faultOf(error), layers);
  }
  try {
    if (channels.signal.aborted) return cancelledBeforeStart(layers);
    const execution = await runInScratch(setting, { ...task, scratch });
    ({ survivors } = execution);
    return { ...execution, layers };
  } catch (error) {
    return notStarted(startError(error, scratch), layers);
  } finally {
    // A survivor could refill the directory for ever; the next start removes it.
    if (survivors > 0) setting.log.error('run.survived', { runId: command.runId, survivors });
    else if (!(await removeTree(scratch))) setting.log.error('scratch.kept', { runId: command.runId, scratch });
  }
}

/** The result of a call that was withdrawn before it had a process. */
export function cancelledBeforeStart(layers: readonly string[]): Execution {
  return { ...EMPTY, ending: 'cancelled', layers };
}

/** The result of a command that could not be started. */
export function notStarted(startFault: StartFault, layers: readonly string[] = []): Execution {
  return { ...EMPTY, ending: 'not_started', startFault, layers };
}

const EMPTY = {
  exitCode: null,
  signal: null,
  durationMs: 0,
  stdout: { bytes: 0, truncated: false },
  stderr: { bytes: 0, truncated: false },
  files: new Map<string, Buffer>(),
  survivors: 0,
};

interface ScratchedTask extends RunTask {
  readonly scratch: string;
}

interface Meters {
  readonly stdout: OutputMeter;
  readonly stderr: OutputMeter;
  stderrStart(): string;
}

async function runInScratch(setting: RunSetting, task: ScratchedTask): Promise<Execution> {
  const { command, channels } = task;
  const decision = Promise.withResolvers<Decision>();
  const meters = createMeters(task, () => decision.resolve('output_cap'));
  const cancel = () => decision.resolve('cancelled');
  channels.signal.addEventListener('abort', cancel, { once: true });
  let timer: NodeJS.Timeout | undefined;
  try {
    const startedAt = setting.clock.monotonic();
    const started = await start(setting, task, meters);
    timer = setTimeout(() => decision.resolve('timed_out'), command.timeoutMs);
    const { isDrained, ...ended } = await settle(setting, { task, started, decision: decision.promise });
    const startFault = confinementFault(ended.exitCode, meters.stderrStart());
    const account = (meter: OutputMeter) => {
      const { bytes, truncated } = meter.account();
      return { bytes, truncated: truncated || !isDrained };
    };
    const isRefused = ended.ending === 'exited' && startFault !== undefined && meters.stdout.account().bytes === 0;
    return {
      ...ended,
      ...(isRefused ? { ending: 'not_started', startFault: { ...startFault } } : {}),
      durationMs: setting.clock.monotonic() - startedAt,
      stdout: account(meters.stdout),
      stderr: account(meters.stderr),
      files: collectFiles(task),
      layers: [],
    };
  } finally {
    clearTimeout(timer);
    channels.signal.removeEventListener('abort', cancel);
  }
}

async function start(setting: RunSetting, task: ScratchedTask, meters: Meters): Promise<StartedProcess> {
  const { command, uid, scratch } = task;
  const { confiner } = setting;
  const [name, value] = runMarker(setting.instance, command.runId).split('=');
  const list = typeof command.stdin === 'object' ? await openList(command.stdin.copyOf) : undefined;
  const stdin: ProcessInput = list === undefined ? textInput(command.stdin) : { descriptor: list.fd };
  try {
    return await startProcess({
      argv: confiner === undefined ? [command.binary, ...command.argv] : confinedArgv(confiner, command, { uid }),
      env: { ...environment(scratch), [name ?? '']: value ?? '' },
      cwd: scratch,
      stdin,
      uid: confiner === undefined ? uid : undefined,
      strayDescriptors: setting.strayDescriptors,
      onStdout: (chunk) => meters.stdout.take(chunk),
      onStderr: (chunk) => meters.stderr.take(chunk),
    });
  } finally {
    await list?.close();
  }
}

/** The whole environment of a tool besides its marker. Attack: a secret or an LD_PRELOAD in the gateway's own. */
export function environment(scratch: string): Record<string, string> {
  return { PATH: '/usr/bin:/bin', HOME: scratch, TMPDIR: scratch, LC_ALL: 'C.UTF-8', TERM: 'dumb' };
}

function textInput(stdin: Command['stdin']): ProcessInput {
  return typeof stdin === 'string' ? { text: stdin } : undefined;
}

interface Settling {
  readonly task: ScratchedTask;
  readonly started: StartedProcess;
  readonly decision: Promise<Decision>;
}

interface Settled extends Pick<Execution, 'ending' | 'exitCode' | 'signal' | 'survivors' | 'killMs'> {
  /** Whether the output came to an end. */
  readonly isDrained: boolean;
}

async function settle(setting: RunSetting, { task, started, decision }: Settling): Promise<Settled> {
  const { clock } = setting;
  let hasExited = false;
  const exited = started.exited.then((exit) => {
    hasExited = true;
    return exit;
  });
  const mark: TreeMark = {
    // With a user id of its own nothing but the leader needs its pid, and that one may be reused after its end.
    get leader() {
      return hasExited && task.uid !== undefined ? undefined : started.pid;
    },
    uid: task.uid,
    isUidProved: setting.layers(task.command).includes('L1'),
    marker: runMarker(setting.instance, task.command.runId),
    scratch: task.scratch,
  };
  const ending = await Promise.race([exited.then(() => 'exited' as const), decision]);
  const decidedAt = clock.monotonic();
  if (ending !== 'exited') {
    signalGroup(started.pid, 'SIGTERM');
    await Promise.race([exited, sleep(setting.killGraceMs)]);
  }
  // Also after a normal exit: what it left in the background would scan on, unseen and unlimited.
  const { survivors, killed } = await endTree(mark, clock, setting.endUser);
  const killMs = clock.monotonic() - decidedAt;
  const exit = await Promise.race([exited, sleep(DRAIN_QUIET_MS, { exitCode: null, signal: null })]);
  // Attack: what no look found but still writes is a survivor all the same; its user id must not be used again.
  const isDrained = await started.drain(DRAIN_QUIET_MS);
  return {
    ending,
    ...exit,
    survivors: isDrained ? survivors : Math.max(survivors, 1),
    isDrained,
    ...(ending === 'exited' && !killed ? {} : { killMs }),
  };
}

function createMeters({ command, channels }: RunTask, onCap: () => void): Meters {
  let stderrStart = '';
  const { limits } = command;
  return {
    stdout: createOutputMeter({
      cap: limits.stdoutBytes,
      onChunk: (chunk) => channels.onStdout(chunk),
      ...(limits.atStdoutCap === 'kill' ? { onCap } : {}),
    }),
    stderr: createOutputMeter({
      cap: limits.stderrBytes,
      onChunk: (chunk) => {
        if (stderrStart.length < STDERR_START_BYTES) stderrStart += chunk.toString('latin1', 0, STDERR_START_BYTES);
        channels.onStderr(chunk);
      },
    }),
    stderrStart: () => stderrStart,
  };
}

function collectFiles({ command, scratch, uid }: ScratchedTask): ReadonlyMap<string, Buffer> {
  const patterns = command.readBack ?? [];
  if (patterns.length === 0) return new Map();
  try {
    const owner = uid ?? process.geteuid?.() ?? -1;
    return readBack({ scratch, patterns, fileBytes: command.limits.fileBytes, owner });
  } catch {
    return new Map(); // the tool removed its own directory: there is nothing to read
  }
}

function startError(error: unknown, scratch: string): StartFault {
  const fault = faultOf(error);
  if (fault.code !== 'ENOENT') return fault;
  // Node.js reports a missing working directory as ENOENT of the program, which was there a moment ago.
  const isThere = lstatSync(scratch, { throwIfNoEntry: false }) !== undefined;
  return isThere ? fault : { code: 'ENOENT_CWD', message: 'the working directory was removed before the start' };
}
