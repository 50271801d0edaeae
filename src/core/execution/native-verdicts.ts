import { parseVerdicts, type Verdicts } from './attack.ts';
import { type Attack, type AttackPlan, startFaultOf, type Victim } from './attack-run.ts';
import type { Launcher } from './launcher.ts';
import { absent, type Check, verdict } from './layer-verdicts.ts';
import type { LayerState } from './types.ts';

/** What the native attacker tries in layer 2; the names are those of src/launcher/attacker.c. */
const ATTACKS = [
  'read-key',
  'write-outside',
  'exec-other',
  'list-home',
  'link-result',
  'exec-written',
  'connect-unlisted',
  'connect-mptcp',
  'connect-fastopen',
  'signal-gateway',
  'limit-gateway',
  'read-environ',
  'read-memory',
  'setsid',
  'setpgid',
  'userns',
  'mount',
  'ptrace',
  'unix-socket',
  'abstract-socket',
  'packet-socket',
  'raw-socket',
  'netlink-diag',
  'memfd-exec',
  'io-uring',
  'keyring',
  'sysv-ipc',
  'bpf',
  'personality',
  'suid-gain',
  'foreign-abi',
  'descriptors',
  'fork-limit',
  'memory',
  'fill-disk',
] as const;

/** Landlock ABI from which an attack is stopped (landlock(7)); below it the kernel cannot. */
const SINCE_ABI: Readonly<Record<string, number>> = { 'connect-unlisted': 4, 'signal-gateway': 6 };
/** Children that the attacker makes at most: a limit above that is not proved by it. */
const FORKS = 4096;

/** The native attacker aimed at the gateway. */
export function nativeAttack({ setting, canary }: Victim, launcher: Launcher, name: string): AttackPlan {
  return {
    name,
    binary: launcher.attacker,
    argv: [
      `secret=${canary}/secret`,
      `outside=${setting.scratchParent}`,
      `gateway=${process.pid}`,
      // Nothing listens there: refused by the kernel's rule is EACCES, refused by nobody listening is ECONNREFUSED.
      'port=1',
      'other=/bin/true',
      'abstract=sallyport-attack',
      'fill=fill',
      ...ATTACKS,
      'daemon',
    ],
    // The attack on memory fills what the limit leaves: a small one is as good a proof and does not cost 100 ms.
    limits: { dataBytes: 33_554_432, addressSpaceBytes: 536_870_912 },
    // One port that may be connected to, so that the others are limited.
    reach: { endpoints: [{ network: '127.0.0.1', protocol: 'tcp', ports: [{ from: 2, to: 2 }] }] },
  };
}

/** Whether layer 2 held against every attack that this kernel can stop. */
export function judgeLayer2(attack: Attack, abi: number, userProcesses: number): LayerState {
  const fault = startFaultOf(attack);
  if (fault !== undefined)
    return { ...absent('L2', `The launcher could not set it up here (${fault}).`), state: 'failed' };
  const verdicts = parseVerdicts(attack.output);
  const cannot = (name: string) => (SINCE_ABI[name] ?? 0) > abi || (name === 'fork-limit' && userProcesses > FORKS);
  const unproved = ATTACKS.filter((name) => cannot(name) && verdicts.get(name) !== 'refused');
  const tried = ATTACKS.filter((name) => !unproved.includes(name));
  return verdict('L2', {
    sentence: `A child under Landlock ABI ${abi} and seccomp tried`,
    checks: [
      ...tried.map((name): Check => [name, isRefused(verdicts, name)]),
      ['daemon', wasEnded(attack)],
      ['whole report', verdicts.has('done')],
    ],
    unproved,
  });
}

/** A daemon outlived its parent, and the supervisor, nobody else, ended it and says so. */
function wasEnded({ execution }: Attack): boolean {
  return execution.survivors === 0 && (execution.chain?.get('ended') ?? 0) > 0;
}

/**
 * What got through layer 2 where another program of the chain starts the launcher. Alone, the supervisor goes on as the
 * launcher itself; the file of that name is executed here only.
 */
export function passedBehind(attack: Attack, abi: number): readonly string[] {
  const verdicts = parseVerdicts(attack.output);
  const tried = ATTACKS.filter((name) => (SINCE_ABI[name] ?? 0) <= abi);
  return [...tried, 'done'].filter((name) => !isRefused(verdicts, name));
}

function isRefused(verdicts: Verdicts, name: string): boolean {
  return verdicts.get(name) === 'refused';
}

/** Whether layer 3 held: a file system and a process table of its own. */
export function judgeLayer3(attack: Attack): LayerState {
  const fault = startFaultOf(attack);
  if (fault !== undefined) return absent('L3', `bubblewrap cannot make its namespaces here (${fault}).`);
  const { report, execution } = attack;
  const names = [
    'read-key',
    'list-private',
    'write-outside',
    'signal-gateway',
    'see-processes',
    'read-environ',
    'userns',
  ];
  return verdict('L3', {
    sentence: 'A child in a file system and a process table of its own tried',
    checks: [
      ...names.map((name): Check => [name, report.get(name)?.trim() === 'refused']),
      ['daemon', execution.survivors === 0],
      ['whole report', report.has('end')],
    ],
  });
}
