import { lstatSync } from 'node:fs';
import { chainArgv, chainPrograms, hasOwnFileSystem } from './chain.ts';
import { createOutputMeter, type OutputMeter } from './output.ts';
import { readBack } from './read-back.ts';
import { removeTree } from './remove-tree.ts';
import { type Prepared, prepareRun } from './prepare.ts';
import { environment, type RunSetting, runMarker, scratchPath } from './run-setting.ts';
import { openList } from './scratch.ts';
import { watchScratch } from './scratch-watch.ts';
import { type Decision, settle } from './settle.ts';
import { type ProcessInput, type StartedProcess, startProcess } from './spawn.ts';
import {
  chainFault,
  confinementFault,
  faultOf,
  findStartFault,
  type StartFault,
  withMissingHelper,
} from './start-fault.ts';
import type { Command, Execution, ExecutionChannels, LayerName } from './types.ts';

const STDERR_START_BYTES = 512;

/** One command on its way through one place. */
export interface RunTask {
  readonly command: Command;
  readonly channels: ExecutionChannels;
}

/** Runs one command from its scratch directory to the proof that nothing of it is left. Never throws. */
export async function runCommand(setting: RunSetting, task: RunTask): Promise<Execution> {
  const { command, channels } = task;
  const layers = setting.layers(command);
  const fault = findStartFault(command);
  if (fault !== undefined) return notStarted(fault, layers);
  const scratch = scratchPath(setting, command.runId);
  let survivors = 0;
  let prepared: Prepared | undefined;
  try {
    prepared = await prepareRun(setting, command, scratch);
  } catch (error) {
    return notStarted(faultOf(error), layers);
  }
  try {
    if (channels.signal.aborted) return cancelledBeforeStart(layers);
    const execution = await runInScratch(setting, { ...task, ...prepared });
    ({ survivors } = execution);
    return { ...execution, layers };
  } catch (error) {
    return notStarted(startError(error, scratch, command.binary), layers);
  } finally {
    await prepared.cgroup
      ?.remove()
      .catch((err: unknown) => setting.log.error('scratch.kept', { runId: command.runId, err }));
    // A survivor could refill the directory for ever; the next start removes it.
    if (survivors > 0) setting.log.error('run.survived', { runId: command.runId, survivors });
    else if (!(await removeTree(scratch))) setting.log.error('scratch.kept', { runId: command.runId, scratch });
  }
}

/** The result of a call that was withdrawn before it had a process. */
export function cancelledBeforeStart(layers: readonly LayerName[]): Execution {
  return { ...EMPTY, ending: 'cancelled', layers };
}

/** The result of a command that could not be started. */
export function notStarted(startFault: StartFault, layers: readonly LayerName[] = []): Execution {
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
  memoryExceeded: false,
};

type ScratchedTask = RunTask & Prepared;

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
  const watch = watchScratch(task.scratch, () => decision.resolve('output_cap'));
  let timer: NodeJS.Timeout | undefined;
  try {
    const startedAt = setting.clock.monotonic();
    const started = await start(setting, task, meters);
    timer = setTimeout(() => decision.resolve('timed_out'), command.timeoutMs);
    const { isDrained, ...ended } = await settle(setting, {
      ...task,
      runId: command.runId,
      ...aroundTool(setting, task),
      started,
      decision: decision.promise,
    });
    const refused = refusedStart(setting, { started, ended, meters });
    const startFault = refused && (await withMissingHelper(refused, chainPrograms(setting.means)));
    const account = (meter: OutputMeter) => {
      const { bytes, truncated } = meter.account();
      return { bytes, truncated: truncated || !isDrained };
    };
    return {
      ...ended,
      ...(startFault === undefined ? {} : { ending: 'not_started', startFault }),
      durationMs: setting.clock.monotonic() - startedAt,
      stdout: account(meters.stdout),
      stderr: account(meters.stderr),
      files: collectFiles(task),
      ...chainOf(started),
      memoryExceeded: task.cgroup?.oomKilled() ?? false,
      layers: [],
    };
  } finally {
    clearTimeout(timer);
    watch.stop();
    channels.signal.removeEventListener('abort', cancel);
  }
}

function chainOf(started: StartedProcess): Pick<Execution, 'chain'> {
  const { ready, killed } = started.status();
  if (ready === undefined) return {};
  return { chain: killed === undefined ? ready : new Map([...ready, ['ended', killed]]) };
}

/** What of the chain stands beside the tool until the end. */
function aroundTool({ means }: RunSetting, { command, egressRules }: ScratchedTask) {
  const isWrapped = hasOwnFileSystem(means, command);
  return { isWrapped, companions: (isWrapped ? 1 : 0) + (egressRules === undefined ? 0 : 1) };
}

interface Refused {
  readonly started: StartedProcess;
  readonly ended: Pick<Execution, 'ending' | 'exitCode'>;
  readonly meters: Meters;
}

/** Why nothing of the tool ran, as the chain before it tells; undefined when it did run. */
function refusedStart({ means }: RunSetting, { started, ended, meters }: Refused): StartFault | undefined {
  if (ended.ending !== 'exited') return undefined;
  if (means.launcher === undefined) {
    return meters.stdout.account().bytes === 0 ? confinementFault(ended.exitCode, meters.stderrStart()) : undefined;
  }
  const { fault, ready } = started.status();
  if (fault !== undefined) return fault;
  // Only the launcher, last before the tool, says `ready`: what ended without it never came that far.
  return ready === undefined ? chainFault(meters.stderrStart()) : undefined;
}

async function start(setting: RunSetting, task: ScratchedTask, meters: Meters): Promise<StartedProcess> {
  const { command, scratch } = task;
  const [name, value] = runMarker(setting.instance, command.runId).split('=');
  const list = typeof command.stdin === 'object' ? await openList(command.stdin.copyOf) : undefined;
  const stdin: ProcessInput = list === undefined ? textInput(command.stdin) : { descriptor: list.fd };
  try {
    return await startProcess({
      argv: chainArgv(setting.means, task),
      env: { ...environment(scratch), [name ?? '']: value ?? '' },
      cwd: scratch,
      stdin,
      hasLifeline: setting.means.launcher !== undefined,
      strayDescriptors: setting.strayDescriptors,
      onStdout: (chunk) => meters.stdout.take(chunk),
      onStderr: (chunk) => meters.stderr.take(chunk),
    });
  } finally {
    await list?.close();
  }
}

function textInput(stdin: Command['stdin']): ProcessInput {
  return typeof stdin === 'string' ? { text: stdin } : undefined;
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
        return channels.onStderr(chunk);
      },
    }),
    stderrStart: () => stderrStart,
  };
}

function collectFiles({ command, scratch }: ScratchedTask): ReadonlyMap<string, Buffer> {
  const patterns = command.readBack ?? [];
  if (patterns.length === 0) return new Map();
  try {
    const owner = process.geteuid?.() ?? -1;
    return readBack({ scratch, patterns, fileBytes: command.limits.fileBytes, owner });
  } catch {
    return new Map(); // the tool removed its own directory: there is nothing to read
  }
}

function startError(error: unknown, scratch: string, binary: string): StartFault {
  const fault = faultOf(error);
  if (fault.code !== 'ENOENT' && fault.code !== 'EACCES') return fault;
  const program = (error as NodeJS.ErrnoException).path;
  // Node.js reports a missing working directory as ENOENT of the program, which was there a moment ago.
  const isThere = lstatSync(scratch, { throwIfNoEntry: false }) !== undefined;
  if (!isThere) return { code: 'ENOENT_CWD', message: 'the working directory was removed before the start' };
  if (program === undefined || program === binary) return fault;
  return { code: 'HELPER_MISSING', message: `${program} cannot be executed any more (${fault.code})` };
}
