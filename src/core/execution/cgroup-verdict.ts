import { setTimeout as sleep } from 'node:timers/promises';
import { parseVerdicts } from './attack.ts';
import { type AttackPlan, runAttack, startFaultOf } from './attack-run.ts';
import type { CgroupLimits, Cgroups } from './cgroup.ts';
import type { Means } from './chain.ts';
import type { Launcher } from './launcher.ts';
import { absent, type Check, verdict } from './layer-verdicts.ts';
import type { LayerContext } from './layers.ts';
import { environment, type RunSetting } from './run-setting.ts';
import { startProcess } from './spawn.ts';
import type { LayerState } from './types.ts';

/** Small caps, so that the attacks meet them at once. */
const SMALL: CgroupLimits = { memoryBytes: 134_217_728, processes: 64, cpuPercent: 100 };
/** Limits of the process itself, far above those of the group: what stops the attack is then the group. */
const WIDE = { dataBytes: 8_589_934_592, addressSpaceBytes: 17_179_869_184 } as const;
const MANY_PROCESSES = 1_000_000;
const LOOKS = 500;
const PAUSE_MS = 10;

/** What control groups can do here, and whether they did it. */
export interface CgroupProof extends Pick<Means, 'cgroups'> {
  readonly state: LayerState;
}

/** Attacks the control groups: forks beyond the limit, eats memory, and is ended by cgroup.kill alone. */
export async function proveCgroups(context: LayerContext, { launcher }: Means): Promise<CgroupProof> {
  const { cgroups } = context.offered;
  if (cgroups === undefined || launcher === undefined) {
    const why =
      cgroups !== undefined && launcher === undefined
        ? 'It stands on the launcher, which starts nothing here.'
        : 'No control group was handed to the gateway (a root start, or a delegated one).';
    return { cgroups: undefined, state: absent('L4', context.missing.L4 ?? why) };
  }
  const { kill, memory, pids, cpu } = cgroups.what;
  const unproved = Object.entries({
    'cgroup.kill': kill,
    memory: memory !== 'none',
    pids: pids !== 'none',
    cpu: cpu !== 'none',
  })
    .filter(([, works]) => !works)
    .map(([name]) => name);
  try {
    const checks: Check[] = [['whole group ended', await endsWhole(context.setting, { cgroups, launcher })]];
    const attacked = { setting: { ...context.setting, cgroupLimits: SMALL }, cgroups, launcher };
    if (pids !== 'none') checks.push([`fork-limit (${pids})`, await stopsForks(attacked)]);
    if (memory !== 'none') checks.push([`memory (${memory})`, await stopsMemory(attacked)]);
    return {
      cgroups,
      state: verdict('L4', {
        sentence: `A child in a control group of its own (CPU limit: ${cpu}, written and read back, not attacked) tried`,
        checks,
        unproved,
      }),
    };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { cgroups: undefined, state: absent('L4', `A control group could not be used: ${message}`) };
  }
}

interface Attacked {
  readonly setting: RunSetting;
  readonly cgroups: Cgroups;
  readonly launcher: Launcher;
}

/** A process that nothing but the group would end. */
async function endsWhole(setting: RunSetting, { cgroups, launcher }: Omit<Attacked, 'setting'>): Promise<boolean> {
  const group = cgroups.create(`attack-kill-${setting.instance}`, SMALL);
  const started = await startProcess({
    argv: [launcher.supervisor, ...group.procs.map((path) => `cgroup=${path}`), '--', '/bin/sleep', '600'],
    env: environment('/'),
    cwd: '/',
    stdin: undefined,
    hasLifeline: true,
    strayDescriptors: setting.strayDescriptors,
    onStdout: () => undefined,
    onStderr: () => undefined,
  });
  try {
    for (let look = 0; group.count() === 0 && look < LOOKS; look += 1) await sleep(PAUSE_MS);
    const wasThere = group.count() > 0;
    await group.kill();
    const { signal } = await started.exited;
    return wasThere && group.count() === 0 && signal === 'SIGKILL';
  } finally {
    started.cut();
    await started.exited;
    await started.drain(0);
    await group.remove();
  }
}

async function stopsForks(attacked: Attacked): Promise<boolean> {
  const { output } = await attack(attacked, 'fork-limit');
  return parseVerdicts(output).get('fork-limit') === 'refused';
}

async function stopsMemory(attacked: Attacked): Promise<boolean> {
  const { execution, output } = await attack(attacked, 'memory');
  return execution.memoryExceeded && parseVerdicts(output).get('memory') !== 'reached';
}

async function attack({ setting, cgroups, launcher }: Attacked, name: string) {
  const plan: AttackPlan = { name: `group-${name}`, binary: launcher.attacker, argv: [name], limits: WIDE };
  const done = await runAttack(setting, { launcher, cgroups, userProcesses: MANY_PROCESSES }, plan);
  const fault = startFaultOf(done);
  if (fault !== undefined) throw new Error(fault);
  return done;
}
