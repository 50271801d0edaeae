import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { ATTACK_LIMITS, ATTACK_SCRIPT, type AttackReport, parseAttackReport } from './attack.ts';
import { judgeLayer0, judgeLayer1, judgeRaw } from './layer-verdicts.ts';
import type { Privileges } from './privileges.ts';
import { removeTree } from './remove-tree.ts';
import { type RunSetting, scratchPath } from './run-command.ts';
import type { Command, Execution, Executor, LayerState } from './types.ts';

/** Caps of the attacking child itself. */
const ATTACK_CAP_BYTES = 65_536;
const FLOOD_CAP_BYTES = 4096;
const SLEEP_LIMIT_MS = 100;
const ATTACK_LIMIT_MS = 20_000;

/** What the attacks are made with. */
export interface LayerContext {
  readonly setting: RunSetting;
  readonly privileges: Privileges;
  readonly rawEnabled: boolean;
}

/** One attack and how it went. */
export interface Attack {
  readonly execution: Execution;
  /** Bytes that got past the cap's gate. */
  readonly passedBytes: number;
  readonly report: AttackReport;
}

/** Everything that the verdicts look at. */
export interface Evidence {
  readonly context: LayerContext;
  readonly main: Attack;
  readonly flood: Attack;
  readonly sleeper: Attack;
  readonly raw: Attack | undefined;
  /** The working directory of the main attack. */
  readonly scratch: string;
  readonly scratchRemoved: boolean;
  readonly canaryIntact: boolean;
}

/** Attacks every layer through `run`, the path of every command, and says of each whether it held. */
export async function proveLayers(context: LayerContext, run: Executor['run']): Promise<readonly LayerState[]> {
  const { setting, privileges, rawEnabled } = context;
  const canary = `${setting.scratchParent}/canary-${setting.instance}`;
  const content = randomBytes(12).toString('hex');
  mkdirSync(canary, { mode: 0o700 });
  writeFileSync(`${canary}/secret`, content, { mode: 0o600 });
  const shell = (name: string, script: string) => attack(run, { name, script, setting });
  const wantsRaw = rawEnabled && privileges.mayGiveRaw && setting.confiner !== undefined;
  try {
    const [main, flood, sleeper, raw] = await Promise.all([
      shell('main', ATTACK_SCRIPT),
      shell('flood', 'while :; do echo flooooooooooooooooooooooooooood; done'),
      shell('sleeper', 'sleep 600'),
      wantsRaw ? shell('raw', 'printf "==status\\n"; cat /proc/self/status; printf "==end\\n"') : undefined,
    ]);
    const scratch = scratchPath(setting, 'attack-main');
    const scratchRemoved = lstatSync(scratch, { throwIfNoEntry: false }) === undefined;
    const canaryIntact = readFileSync(`${canary}/secret`, 'latin1') === content;
    const evidence = { context, main, flood, sleeper, raw, scratch, scratchRemoved, canaryIntact };
    return [judgeLayer0(evidence), judgeLayer1(evidence), judgeRaw(evidence)];
  } finally {
    await removeTree(canary);
    // Where tools share our user the attack could write; that is why such a layer 1 does not claim otherwise.
    rmSync(`${setting.scratchParent}/written-by-an-attack`, { force: true });
  }
}

interface AttackPlan {
  readonly name: string;
  readonly script: string;
  readonly setting: RunSetting;
}

async function attack(run: Executor['run'], plan: AttackPlan): Promise<Attack> {
  const { scratchParent, instance } = plan.setting;
  const chunks: Buffer[] = [];
  const command: Command = {
    runId: `attack-${plan.name}`,
    binary: '/bin/sh',
    argv: ['-c', plan.script, 'attack', scratchParent, `${scratchParent}/canary-${instance}`, String(process.pid)],
    timeoutMs: plan.name === 'sleeper' ? SLEEP_LIMIT_MS : ATTACK_LIMIT_MS,
    limits: {
      stdoutBytes: plan.name === 'flood' ? FLOOD_CAP_BYTES : ATTACK_CAP_BYTES,
      stderrBytes: FLOOD_CAP_BYTES,
      atStdoutCap: 'kill',
      fileBytes: FLOOD_CAP_BYTES,
      ...ATTACK_LIMITS,
    },
    capability: plan.name === 'raw' ? 'raw' : 'none',
  };
  const execution = await run(command, {
    onStdout: (chunk) => void chunks.push(Buffer.from(chunk)),
    onStderr: () => undefined,
    signal: new AbortController().signal,
  });
  const output = Buffer.concat(chunks);
  return { execution, passedBytes: output.length, report: parseAttackReport(output.toString('latin1')) };
}
