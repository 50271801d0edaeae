import type { Means } from './chain.ts';
import { ATTACK_LIMITS, ATTACK_NEEDS, ATTACK_SCRIPT, type AttackReport, parseAttackReport } from './attack.ts';
import { runCommand } from './run-command.ts';
import type { RunSetting } from './run-setting.ts';
import type { Command, Execution, ExecutionLimits } from './types.ts';

/** Caps of an attacking child. */
const ATTACK_CAP_BYTES = 65_536;
const FLOOD_CAP_BYTES = 4096;
const ATTACK_LIMIT_MS = 20_000;

/** One attack and how it went. */
export interface Attack {
  readonly execution: Execution;
  /** What got past the cap's gate. */
  readonly output: string;
  readonly report: AttackReport;
}

/** One attacking child. */
export interface AttackPlan {
  readonly name: string;
  readonly binary: string;
  readonly argv: readonly string[];
  readonly needs?: Command['needs'];
  readonly reach?: Command['reach'];
  readonly limits?: Partial<ExecutionLimits>;
  readonly timeoutMs?: number;
  readonly capability?: Command['capability'];
}

/** The places that attacks are aimed at. */
export interface Victim {
  readonly setting: RunSetting;
  /** A private directory of the gateway with a file `secret`. */
  readonly canary: string;
}

/** A shell that tries what ATTACK_SCRIPT says, or another constant script. */
export function shellAttack({ setting, canary }: Victim, name: string, script: string = ATTACK_SCRIPT): AttackPlan {
  return {
    name,
    binary: '/bin/sh',
    argv: ['-c', script, 'attack', setting.scratchParent, canary, String(process.pid)],
    needs: ATTACK_NEEDS,
  };
}

/** A child that never stops writing. */
export function floodAttack(victim: Victim): AttackPlan {
  const script = 'while :; do echo flooooooooooooooooooooooooooood; done';
  return { ...shellAttack(victim, 'flood', script), limits: { stdoutBytes: FLOOD_CAP_BYTES } };
}

/** A child that outsleeps its limit. */
export function sleepAttack(victim: Victim): AttackPlan {
  return { ...shellAttack(victim, 'sleeper', 'sleep 600'), timeoutMs: 100 };
}

/** Runs one attack inside exactly the given means. */
export async function runAttack(setting: RunSetting, means: Means, plan: AttackPlan): Promise<Attack> {
  const chunks: Buffer[] = [];
  const command: Command = {
    runId: `attack-${plan.name}`,
    binary: plan.binary,
    argv: plan.argv,
    timeoutMs: plan.timeoutMs ?? ATTACK_LIMIT_MS,
    limits: {
      stdoutBytes: ATTACK_CAP_BYTES,
      stderrBytes: FLOOD_CAP_BYTES,
      atStdoutCap: 'kill',
      fileBytes: FLOOD_CAP_BYTES,
      ...ATTACK_LIMITS,
      ...plan.limits,
    },
    capability: plan.capability ?? 'none',
    needs: plan.needs ?? {},
    reach: plan.reach ?? { endpoints: [] },
  };
  const channels = {
    onStdout: (chunk: Buffer) => void chunks.push(Buffer.from(chunk)),
    onStderr: () => undefined,
    signal: new AbortController().signal,
  };
  const execution = await runCommand({ ...setting, means, layers: () => [] }, { command, channels });
  const output = Buffer.concat(chunks).toString('latin1');
  return { execution, output, report: parseAttackReport(output) };
}

/** Why an attacking child could not even start; undefined when it did. */
export function startFaultOf({ execution }: Attack): string | undefined {
  if (execution.ending !== 'not_started') return undefined;
  return `${execution.startFault?.code ?? 'UNKNOWN'}: ${execution.startFault?.message ?? 'it did not start'}`;
}
