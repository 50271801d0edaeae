import { ATTACK_LIMITS } from './attack.ts';
import type { Evidence } from './layers.ts';
import { ONLY_NET_RAW } from './privileges.ts';
import { capabilitySet, statusField } from './proc.ts';
import { environment, runMarker } from './run-command.ts';
import type { LayerState } from './types.ts';

/** One property and whether the attack on it was stopped. */
type Check = readonly [property: string, holds: boolean];

const CAPABILITY_SETS = ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'] as const;

/** Whether layer 0 held against its attacks. */
export function judgeLayer0(evidence: Evidence): LayerState {
  const { main, flood, sleeper, scratch } = evidence;
  const section = (name: string) => main.report.get(name) ?? '';
  const place = section('place').trim();
  const [, , , session] = place.slice(place.lastIndexOf(')') + 2).split(' ');
  const checks: Check[] = [
    ['the attacking child started and ended', main.execution.ending === 'exited' && main.report.has('end')],
    ['environment from scratch', hasExactEnvironment(evidence)],
    ['no inherited descriptor', hasOnlyStandardDescriptors(section('descriptors'))],
    ['standard input at its end', section('stdin').trim() === 'ended'],
    ['private working directory', section('directory').trim() === scratch],
    ['session of its own', session !== undefined && place.startsWith(`${session} `)],
    ['daemon in another session ended', main.execution.survivors === 0 && main.execution.killMs !== undefined],
    ['hostile directory removed', evidence.scratchRemoved],
    ['linked file of the gateway intact', evidence.canaryIntact],
    ['output cap', flood.execution.ending === 'output_cap' && flood.passedBytes === 4096 && isGone(flood)],
    ['wall-clock limit', sleeper.execution.ending === 'timed_out' && isGone(sleeper)],
  ];
  return verdict('L0', checks, 'A child that flooded, overslept, left a daemon and a locked directory was ended');
}

/** Whether layer 1 held; `absent` without util-linux. */
export function judgeLayer1(evidence: Evidence): LayerState {
  const { confiner } = evidence.context.setting;
  const { maySwitchUid, uid } = evidence.context.privileges;
  if (confiner === undefined) {
    return { name: 'L1', state: 'absent', evidence: 'prlimit and setpriv of util-linux were not found.' };
  }
  const { report } = evidence.main;
  const status = report.get('status') ?? '';
  const checks: Check[] = [
    ['no-new-privs', statusField(status, 'NoNewPrivs') === '1'],
    ...CAPABILITY_SETS.map((set): Check => [`${set} empty`, status !== '' && capabilitySet(status, set) === 0n]),
    ...limitChecks(report.get('limits') ?? '', maySwitchUid),
    ...(maySwitchUid ? separationChecks(evidence, status) : []),
  ];
  const child = statusField(status, 'Uid')?.split('\t')[0] ?? 'unknown';
  return verdict(
    'L1',
    checks,
    maySwitchUid
      ? `A child with uid ${child} tried the files, the directories and the process of the gateway`
      : `Tools run as the gateway's own user (uid ${uid}), so its files are not kept from them by this layer; read back`,
  );
}

/** Whether NET_RAW, and nothing else, reaches a raw tool. */
export function judgeRaw(evidence: Evidence): LayerState {
  const { context, raw } = evidence;
  if (!context.rawEnabled) return rawAbsent('execution.raw.enabled is false.');
  if (raw === undefined) return rawAbsent('The gateway has no NET_RAW to hand on, or util-linux is missing.');
  const status = raw.report.get('status') ?? '';
  const sets = context.privileges.maySwitchUid ? [...CAPABILITY_SETS, 'CapBnd' as const] : CAPABILITY_SETS;
  const checks: Check[] = [
    ['the raw child started and ended', raw.execution.ending === 'exited' && raw.report.has('end')],
    ['no-new-privs', statusField(status, 'NoNewPrivs') === '1'],
    ...sets.map((set): Check => [`${set} is NET_RAW alone`, capabilitySet(status, set) === ONLY_NET_RAW]),
  ];
  return verdict('raw', checks, 'Read back from inside a raw child');
}

function rawAbsent(evidence: string): LayerState {
  return { name: 'raw', state: 'absent', evidence };
}

function separationChecks(evidence: Evidence, status: string): readonly Check[] {
  const uids = statusField(status, 'Uid')?.split('\t') ?? [];
  const gateway = String(evidence.context.privileges.uid);
  const refused = (name: string) => evidence.main.report.get(name)?.trim() === 'refused';
  return [
    ['user id of its own', uids.length === 4 && new Set(uids).size === 1 && !uids.includes(gateway)],
    ['no groups', statusField(status, 'Groups') === ''],
    ['CapBnd empty', status !== '' && capabilitySet(status, 'CapBnd') === 0n],
    ['0600 file of the gateway unreadable', refused('read')],
    ['private directory unlistable', refused('list')],
    ['nothing written outside', refused('write')],
    ['gateway out of reach of signals', refused('signal')],
  ];
}

function limitChecks(limits: string, isPrivate: boolean): readonly Check[] {
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
    ...(isPrivate ? [atMost('Max processes', 512)] : []),
  ];
}

function hasExactEnvironment(evidence: Evidence): boolean {
  const expected = [
    ...Object.entries(environment(evidence.scratch)).map(([name, value]) => `${name}=${value}`),
    runMarker(evidence.context.setting.instance, 'attack-main'),
  ];
  const found = evidence.main.report.get('environment')?.trim().split('\0').filter(Boolean) ?? [];
  return found.sort().join('\0') === expected.sort().join('\0');
}

function hasOnlyStandardDescriptors(listing: string): boolean {
  const found = [...listing.matchAll(/ (\d+) -> (.*)$/gm)];
  return found.length >= 3 && found.every(([, name, target]) => Number(name) <= 2 || target === '/dev/null');
}

function isGone(attack: Evidence['flood']): boolean {
  return attack.execution.survivors === 0;
}

function verdict(name: LayerState['name'], checks: readonly Check[], sentence: string): LayerState {
  const failed = checks.filter(([, holds]) => !holds).map(([property]) => property);
  if (failed.length > 0) return { name, state: 'failed', evidence: `Not stopped: ${failed.join(', ')}.` };
  return { name, state: 'proved', evidence: `${sentence}: ${checks.map(([property]) => property).join(', ')}.` };
}
