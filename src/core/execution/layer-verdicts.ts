import { ATTACK_LIMITS } from './attack.ts';
import type { Attack } from './attack-run.ts';
import type { Means } from './chain.ts';
import { ONLY_NET_RAW } from './privileges.ts';
import { capabilitySet, processPlace, statusField } from './proc.ts';
import { environment, type RunSetting, runMarker, scratchPath } from './run-setting.ts';
import type { LayerName, LayerState } from './types.ts';

/** One property and whether the attack on it was stopped. */
export type Check = readonly [property: string, holds: boolean];

/** Everything that the verdicts on layers 0 and 1 look at. */
export interface Evidence {
  readonly setting: RunSetting;
  readonly means: Means;
  readonly main: Attack;
  readonly flood: Attack;
  readonly sleeper: Attack;
  readonly scratchRemoved: boolean;
  readonly canaryIntact: boolean;
}

const CAPABILITY_SETS = ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'] as const;
const FLOOD_CAP_BYTES = 4096;

/** Whether layer 0 held against its attacks. */
export function judgeLayer0(evidence: Evidence): LayerState {
  const { main, flood, sleeper, setting } = evidence;
  const section = (name: string) => main.report.get(name) ?? '';
  const place = section('place').trim();
  const [, , group, session] = place.slice(place.lastIndexOf(')') + 2).split(' ');
  const own = processPlace(process.pid);
  return verdict('L0', {
    sentence: 'A child that flooded, overslept, left a daemon and a locked directory was ended',
    checks: [
      ['the attacking child started and ended', main.execution.ending === 'exited' && main.report.has('end')],
      ['environment from scratch', hasExactEnvironment(evidence)],
      ['no inherited descriptor', hasOnlyStandardDescriptors(section('descriptors'))],
      ['standard input at its end', section('stdin').trim() === 'ended'],
      ['private working directory', section('directory').trim() === scratchPath(setting, 'attack-main')],
      ['session of its own', session !== undefined && Number(session) !== own?.session],
      ['process group of its own', group !== undefined && Number(group) !== own?.group],
      ['daemon in another session ended', main.execution.survivors === 0 && main.execution.killMs !== undefined],
      ['hostile directory removed', evidence.scratchRemoved],
      ['linked file of the gateway intact', evidence.canaryIntact],
      [
        'output cap',
        flood.execution.ending === 'output_cap' && flood.output.length === FLOOD_CAP_BYTES && isGone(flood),
      ],
      ['wall-clock limit', sleeper.execution.ending === 'timed_out' && isGone(sleeper)],
    ],
  });
}

/** Whether layer 1 held; `absent` without anything that sets it up. */
export function judgeLayer1({ means, main }: Evidence): LayerState {
  if (means.launcher === undefined && means.confiner === undefined) {
    return absent('L1', 'Neither the native launcher nor prlimit and setpriv of util-linux are there.');
  }
  const status = main.report.get('status') ?? '';
  return verdict('L1', {
    sentence: 'Read back from inside a child',
    checks: [
      ['no-new-privs', statusField(status, 'NoNewPrivs') === '1'],
      ...CAPABILITY_SETS.map((set): Check => [`${set} empty`, status !== '' && capabilitySet(status, set) === 0n]),
      ...limitChecks(main.report.get('limits') ?? '', means.userProcesses),
    ],
  });
}

/** Whether NET_RAW, and nothing else, reaches a raw tool. */
export function judgeRaw(raw: Attack): LayerState {
  const status = raw.report.get('status') ?? '';
  return verdict('raw', {
    sentence: 'Read back from inside a raw child',
    checks: [
      ['the raw child started and ended', raw.execution.ending === 'exited' && raw.report.has('end')],
      ['no-new-privs', statusField(status, 'NoNewPrivs') === '1'],
      ...CAPABILITY_SETS.map((set): Check => [`${set} is NET_RAW alone`, capabilitySet(status, set) === ONLY_NET_RAW]),
    ],
  });
}

/** A layer that is not here or not used. */
export function absent(name: LayerName, evidence: string): LayerState {
  return { name, state: 'absent', evidence, stopped: [], unproved: [] };
}

/** What the attacks on one layer showed. */
export interface Finding {
  /** How the evidence begins when everything held. */
  readonly sentence: string;
  readonly checks: readonly Check[];
  /** What this kernel cannot stop. */
  readonly unproved?: readonly string[];
}

/** A layer by what its checks say; `unproved` is what this kernel cannot do. */
export function verdict(name: LayerName, { sentence, checks, unproved = [] }: Finding): LayerState {
  const failed = checks.filter(([, holds]) => !holds).map(([property]) => property);
  const stopped = checks.filter(([, holds]) => holds).map(([property]) => property);
  const rest = unproved.length === 0 ? '' : ` Not on this machine: ${unproved.join(', ')}.`;
  return failed.length > 0
    ? { name, state: 'failed', evidence: `Not stopped: ${failed.join(', ')}.${rest}`, stopped, unproved }
    : { name, state: 'proved', evidence: `${sentence}: ${stopped.join(', ')}.${rest}`, stopped, unproved };
}

function limitChecks(limits: string, processes: number): readonly Check[] {
  const atMost = (name: string, top: number): Check => {
    const line = limits.split('\n').find((each) => each.startsWith(name));
    const values = line?.slice(26).trim().split(/\s+/).slice(0, 2) ?? [];
    return [name.toLowerCase(), values.length === 2 && values.every((value) => Number(value) <= top)];
  };
  return [
    atMost('Max core file size', 0),
    atMost('Max open files', 1024),
    atMost('Max file size', 67_108_864),
    atMost('Max cpu time', Number.MAX_SAFE_INTEGER),
    atMost('Max data size', ATTACK_LIMITS.dataBytes),
    atMost('Max address space', ATTACK_LIMITS.addressSpaceBytes),
    atMost('Max processes', processes),
  ];
}

function hasExactEnvironment({ setting, main }: Evidence): boolean {
  const scratch = scratchPath(setting, 'attack-main');
  const expected = [
    ...Object.entries(environment(scratch)).map(([name, value]) => `${name}=${value}`),
    runMarker(setting.instance, 'attack-main'),
  ];
  const found = main.report.get('environment')?.trim().split('\0').filter(Boolean) ?? [];
  return found.sort().join('\0') === expected.sort().join('\0');
}

function hasOnlyStandardDescriptors(listing: string): boolean {
  const found = [...listing.matchAll(/ (\d+) -> (.*)$/gm)];
  return found.length >= 3 && found.every(([, name, target]) => Number(name) <= 2 || target === '/dev/null');
}

function isGone(attack: Attack): boolean {
  return attack.execution.survivors === 0;
}
