import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { STEALTH_SCRIPT } from './attack.ts';
import {
  type Attack,
  floodAttack,
  runAttack,
  shellAttack,
  sleepAttack,
  startFaultOf,
  type Victim,
} from './attack-run.ts';
import type { Means } from './chain.ts';
import { proveCgroups } from './cgroup-verdict.ts';
import { proveEgress } from './egress-verdict.ts';
import { absent, type Evidence, judgeLayer0, judgeLayer1, judgeRaw } from './layer-verdicts.ts';
import { judgeLayer2, judgeLayer3, nativeAttack, passedBehind } from './native-verdicts.ts';
import { removeTree } from './remove-tree.ts';
import { type RunSetting, scratchPath } from './run-setting.ts';
import type { Command, LayerName, LayerState } from './types.ts';

/** What the attacks are made with. */
export interface LayerContext {
  readonly setting: RunSetting;
  /** Everything found on this machine and not switched off. */
  readonly offered: Means;
  /** Why something is not offered, by layer. */
  readonly missing: Partial<Record<LayerName, string>>;
  readonly mayGiveRaw: boolean;
}

/** What the attacks left: the verdicts, and the means that runs are started with. */
export interface Proved {
  readonly layers: readonly LayerState[];
  readonly means: Means;
}

/**
 * Attacks every layer through the same path as a run, each with the layers below it, and keeps what was seen. Means
 * that cannot start anything here are left out of `means`; a layer that an attack got through stays in use, since it
 * still stops the others, but is `failed` and is named on no run.
 */
export async function proveLayers(context: LayerContext): Promise<Proved> {
  const { setting } = context;
  const canary = `${setting.scratchParent}/canary-${setting.instance}`;
  const content = randomBytes(12).toString('hex');
  mkdirSync(canary, { mode: 0o700 });
  writeFileSync(`${canary}/secret`, content, { mode: 0o600 });
  const isIntact = () => readFileSync(`${canary}/secret`, 'latin1') === content;
  const victim: Victim = { setting, canary };
  try {
    const native = await proveLauncher(context, victim);
    const base: Means = {
      confiner: context.offered.confiner,
      launcher: native.launcher,
      userProcesses: context.offered.userProcesses,
    };
    const [low, files, groups, egress, raw] = [
      await proveBase({ ...victim, isIntact, whyNoLimits: context.missing.L1 }, base),
      await proveFileSystem(context, victim, base),
      await proveCgroups(context, base),
      await proveEgress(context, base),
      await proveRaw(context, victim, base),
    ];
    const means: Means = { ...base, bwrap: files.bwrap, cgroups: groups.cgroups, egress: egress.egress };
    return {
      layers: [...low, withPassed(native.state, files.passed), files.state, groups.state, egress.state, raw],
      means,
    };
  } finally {
    await removeTree(canary);
    // Where nothing but layer 1 stands in the way the attack could write; that is why it does not claim otherwise.
    rmSync(`${setting.scratchParent}/written-by-an-attack`, { force: true });
  }
}

interface BaseVictim extends Victim {
  readonly isIntact: () => boolean;
  readonly whyNoLimits: string | undefined;
}

async function proveBase(victim: BaseVictim, means: Means) {
  const { setting } = victim;
  const [main, flood, sleeper] = await Promise.all([
    runAttack(setting, means, shellAttack(victim, 'main')),
    runAttack(setting, means, floodAttack(victim)),
    runAttack(setting, means, sleepAttack(victim)),
  ]);
  const scratch = scratchPath(setting, 'attack-main');
  const scratchRemoved = lstatSync(scratch, { throwIfNoEntry: false }) === undefined;
  const evidence: Evidence = { setting, means, main, flood, sleeper, scratchRemoved, canaryIntact: victim.isIntact() };
  const judged = judgeLayer1(evidence);
  // With the launcher it stands in spite of that, since no run goes without limits there.
  const why = judged.state === 'absent' ? victim.whyNoLimits : undefined;
  return [judgeLayer0(evidence), why === undefined ? judged : absent('L1', why)];
}

interface NativeProof extends Pick<Means, 'launcher'> {
  readonly state: LayerState;
}

async function proveLauncher({ setting, offered, missing }: LayerContext, victim: Victim): Promise<NativeProof> {
  const { launcher, userProcesses } = offered;
  if (launcher === undefined) {
    return { launcher, state: absent('L2', missing.L2 ?? 'The native launcher is not there.') };
  }
  const attack = await runAttack(setting, { launcher, userProcesses }, nativeAttack(victim, launcher, 'native'));
  const state = judgeLayer2(attack, abiOf(attack), userProcesses);
  return { launcher: startFaultOf(attack) === undefined ? launcher : undefined, state };
}

interface FileSystemProof extends Pick<Means, 'bwrap'> {
  readonly state: LayerState;
  /** Attacks on layer 2 that got through behind bubblewrap. */
  readonly passed: readonly string[];
}

async function proveFileSystem(context: LayerContext, victim: Victim, base: Means): Promise<FileSystemProof> {
  const { bwrap } = context.offered;
  if (bwrap === undefined) {
    return { bwrap, state: absent('L3', context.missing.L3 ?? 'bubblewrap is not installed.'), passed: [] };
  }
  // Without the launcher where that can be: what is stopped here is then stopped by this layer alone.
  const alone = base.confiner === undefined ? base : { confiner: base.confiner, userProcesses: base.userProcesses };
  const attack = await runAttack(context.setting, { ...alone, bwrap }, shellAttack(victim, 'files', STEALTH_SCRIPT));
  const state = judgeLayer3(attack);
  if (startFaultOf(attack) !== undefined) return { bwrap: undefined, state, passed: [] };
  if (base.launcher === undefined) return { bwrap, state, passed: [] };
  const plan = nativeAttack(victim, base.launcher, 'together');
  const together = await runAttack(context.setting, { ...base, bwrap }, plan);
  const fault = startFaultOf(together);
  if (fault === undefined) return { bwrap, state, passed: passedBehind(together, abiOf(together)) };
  const evidence = `bubblewrap does not start anything under the launcher (${fault}).`;
  return { bwrap: undefined, state: absent('L3', evidence), passed: [] };
}

function abiOf({ execution }: Attack): number {
  return execution.chain?.get('abi') ?? 0;
}

/** Layer 2 is what every run has, also behind bubblewrap. */
function withPassed(state: LayerState, passed: readonly string[]): LayerState {
  if (passed.length === 0) return state;
  return { ...state, state: 'failed', evidence: `Not stopped behind bubblewrap: ${passed.join(', ')}.` };
}

async function proveRaw(context: LayerContext, victim: Victim, base: Means): Promise<LayerState> {
  if (context.missing.raw !== undefined) return absent('raw', context.missing.raw);
  if (!context.mayGiveRaw || (base.launcher === undefined && base.confiner === undefined)) {
    return absent('raw', 'The gateway has no NET_RAW to hand on (start it as root), or nothing that hands it on.');
  }
  const script = 'printf "==status\\n"; cat /proc/self/status; printf "==end\\n"';
  const plan = { ...shellAttack(victim, 'raw', script), capability: 'raw' as const };
  return judgeRaw(await runAttack(context.setting, base, plan));
}

/** The names of the layers that a run of this command really has. */
export function layersOf(
  layers: readonly LayerState[],
  applies: (name: LayerName, command: Command) => boolean,
): (command: Command) => readonly LayerName[] {
  const proved = layers.filter(({ state }) => state === 'proved').map(({ name }) => name);
  return (command) => proved.filter((name) => applies(name, command));
}
