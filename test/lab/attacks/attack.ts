import assert from 'node:assert/strict';
import type { ErrorCode } from '../../../src/core/errors.ts';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { until } from '../command.ts';
import type { LabGateway } from '../gateway.ts';
import type { Lab, LogName } from '../lab.ts';
import { ATTACKER, SECOND, SIX, TARGET } from '../layout.ts';
import type { Place } from '../network.ts';
import { type RestAnswer, runTool } from '../rest.ts';

/** What attacks may know of the lab in which they run. */
export interface Setting {
  readonly lab: Lab;
  readonly gateway: LabGateway;
}

export type Input = Readonly<Record<string, unknown>>;
type Given<T> = T | ((setting: Setting) => T);

/** A harmless call of the same tool by the same path, and where it must be seen to arrive. */
export interface Control {
  readonly input: Given<Input>;
  readonly reaches: Place;
}

/** A line of a service's log. */
export interface LogLine {
  readonly log: LogName;
  readonly line: RegExp;
}

/** A program in the attacker's namespace, what it reaches there and what the target writes down. */
export interface Unguarded {
  readonly argv: Given<readonly string[]>;
  readonly reaches: Given<Place>;
  readonly logs?: LogLine;
}

/** One attempt to reach what must not be reached. */
export interface Attack {
  /** What is tried; it completes the sentence "the tool does not …". */
  readonly name: string;
  readonly input: Given<Input>;
  /** The codes with which it may be refused; absent: the call runs, and does only what is allowed. */
  readonly refused?: readonly ErrorCode[];
  /** Where nothing may arrive, besides every address out of scope, which no attack may reach. */
  readonly spares?: Given<Place>;
  /** A line that a service's log must not get. */
  readonly unlogged?: LogLine;
  readonly control: Control;
  /** The same attack without the gateway in between, which does arrive: the proof that the counter would see it. */
  readonly unguarded?: Unguarded;
}

/** Within the limit of every tool: a tool that hangs must not hold the tests. */
const RUN = { timeoutMs: 30_000 };
const IN_SCOPE = new Set<string>([TARGET, SECOND, SIX.target]);
/** Multicast and link-local IPv6 of neighbour discovery: the kernel's own, never a target here. */
const OF_THE_LINK = /^f(f|e80)/;

/** A command as a user that is not root, as tools are: only their traffic is counted on the attacker's side. */
export function asTool(...argv: string[]): readonly string[] {
  return ['setpriv', '--reuid=64999', '--regid=64999', '--clear-groups', ...argv];
}

/** gobuster without the gateway, with a word list of the lab. */
export function guessAt(list: string, ...args: string[]): (setting: Setting) => readonly string[] {
  return ({ lab }) => ['gobuster', 'dir', '-q', '-w', `${lab.lists}/${list}`, ...args];
}

/** Carries out attacks one after the other and remembers which controls have proved their path. */
export function attackRunner(setting: Setting, tool: string): (attack: Attack) => Promise<void> {
  const proved = new Set<string>();
  const onlyOnce = async (key: string, prove: () => Promise<void>): Promise<void> => {
    if (proved.has(key)) return;
    await prove();
    proved.add(key);
  };
  return async (attack) => {
    const controlInput = given(setting, attack.control.input);
    await onlyOnce(JSON.stringify([controlInput, attack.control.reaches]), () =>
      proveControl(setting, tool, attack.control),
    );
    const { unguarded } = attack;
    if (unguarded !== undefined) {
      const argv = given(setting, unguarded.argv);
      await onlyOnce(JSON.stringify([argv, unguarded.logs]), () => proveUnguarded(setting, unguarded));
    }
    await carryOut(setting, tool, attack);
  };
}

function given<T>(setting: Setting, value: Given<T>): T {
  return typeof value === 'function' ? (value as (setting: Setting) => T)(setting) : value;
}

async function proveControl(setting: Setting, tool: string, control: Control): Promise<void> {
  const before = await setting.lab.arrived(control.reaches);
  const answer = await runTool(setting.gateway, tool, { input: given(setting, control.input), run: RUN });
  assert.ok(hasRun(answer), `the control was not run: ${JSON.stringify(answer.error)}`);
  assert.ok((await setting.lab.arrived(control.reaches)) > before, 'the control did not arrive at the target');
}

/** Runs an attack without the gateway and waits until the target has seen it. */
export async function proveUnguarded(setting: Setting, unguarded: Unguarded): Promise<void> {
  const { lab } = setting;
  const argv = given(setting, unguarded.argv);
  const place = given(setting, unguarded.reaches);
  const seen = async (): Promise<number> => (await lab.arrived(place)) + (await lab.sentByTools(place));
  const before = await seen();
  const linesBefore = countLines(lab, unguarded.logs);
  // A group of its own, so that workers end with it.
  const child = spawn('ip', ['netns', 'exec', lab.attacker, ...argv], {
    stdio: 'ignore',
    detached: true,
    // sqlmap leaves its sessions in the home directory.
    env: { ...process.env, HOME: join(lab.directory, 'home') },
  });
  try {
    await until(`${argv.join(' ')} to arrive without the gateway`, async () => {
      if ((await seen()) <= before) return false;
      return unguarded.logs === undefined || countLines(lab, unguarded.logs) > linesBefore;
    });
  } finally {
    await endGroup(child);
  }
}

async function endGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) return;
  const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Everything in the group has ended by itself.
  }
  await ended;
}

function countLines(lab: Lab, wanted: LogLine | undefined): number {
  return wanted === undefined ? 0 : lab.log(wanted.log).filter((line) => wanted.line.test(line)).length;
}

async function carryOut({ lab, gateway }: Setting, tool: string, attack: Attack): Promise<void> {
  const spared = given({ lab, gateway }, attack.spares);
  const lines = (): number => countLines(lab, attack.unlogged);
  const before = { strays: await strays(lab), spared: spared && (await lab.arrived(spared)), lines: lines() };
  const input = given({ lab, gateway }, attack.input);
  const answer = await runTool(gateway, tool, { input, run: RUN });
  const after = { strays: await strays(lab), spared: spared && (await lab.arrived(spared)), lines: lines() };
  // First what the target saw; what we answered is only the second question.
  assert.deepEqual(after, before, 'the attack was seen where it must not arrive');
  if (attack.refused === undefined) {
    assert.ok(hasRun(answer), JSON.stringify(answer.error));
    return;
  }
  assert.ok((attack.refused as readonly string[]).includes(answer.error?.code ?? 'none'), JSON.stringify(answer));
  const controlInput = given({ lab, gateway }, attack.control.input);
  for (const fault of faultsOf(answer)) {
    const isOfAttack = Object.keys({ ...input, ...controlInput }).some(
      (key) => fault.includes(key) && JSON.stringify(input[key]) !== JSON.stringify(controlInput[key]),
    );
    assert.ok(isOfAttack, `refused for something that the control has too: ${fault}`);
  }
}

// Where the input is wrong, by the answer: a refusal for another reason would prove nothing about this attack.
function faultsOf({ error }: RestAnswer): readonly string[] {
  const { faults } = (error?.details ?? {}) as { faults?: { path: string; message: string }[] };
  return (faults ?? []).map(({ path, message }) => (path === '' ? message : path));
}

// Whether a process ran, however it ended: under load hydra now and then loses a worker and says that it failed.
function hasRun(answer: RestAnswer): boolean {
  return answer.status === 200 || answer.error?.details?.['run'] !== undefined;
}

// Every address out of scope at once, and the attacker's own loopback, where only the tools are counted.
async function strays(lab: Lab): Promise<Readonly<Record<string, number>>> {
  const arrivals = [...(await lab.arrivals())].filter(
    ([key]) => !IN_SCOPE.has(key.replace(/(?<=\d\.\d+):\d+$/, '')) && !OF_THE_LINK.test(key),
  );
  const loopback = (await lab.sentByTools({ address: '127.0.0.1' })) + (await lab.sentByTools({ address: ATTACKER }));
  return { ...Object.fromEntries(arrivals), loopback };
}
