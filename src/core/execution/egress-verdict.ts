import { parseVerdicts, type Verdicts } from './attack.ts';
import { type AttackPlan, runAttack, startFaultOf } from './attack-run.ts';
import type { Means } from './chain.ts';
import { EGRESS_PROBE } from './egress.ts';
import type { Launcher } from './launcher.ts';
import { absent, type Check, verdict } from './layer-verdicts.ts';
import type { LayerContext } from './layers.ts';
import type { LayerState } from './types.ts';

/** Whether the allow-list of destinations holds here. */
export interface EgressProof extends Pick<Means, 'egress'> {
  readonly state: LayerState;
}

/**
 * Attacks the allow-list of destinations, without any network: slirp4netns itself answers for the listed port of its own
 * address, and the port beside it, which is not listed, must stay silent.
 */
export async function proveEgress(context: LayerContext, { launcher }: Means): Promise<EgressProof> {
  const { egress, userProcesses } = context.offered;
  if (egress === undefined || launcher === undefined) {
    // What is not installed is in `missing`.
    const why = context.missing.L5 ?? 'It stands on the launcher, which starts nothing here.';
    return { egress: undefined, state: absent('L5', why) };
  }
  const means: Means = { launcher, egress: { ...egress, ownLink: true }, userProcesses };
  const attack = await runAttack(context.setting, means, egressAttack(launcher, SOCKETS));
  const fault = startFaultOf(attack);
  if (fault !== undefined) {
    const why = `A network namespace with a way out cannot be had here (${fault}); it needs user namespaces and /dev/net/tun.`;
    return { egress: undefined, state: absent('L5', why) };
  }
  const checks = [...socketChecks(parseVerdicts(attack.output)), ...(await frameChecks(context, means, launcher))];
  const state = verdict('L5', { sentence: 'A child behind an allow-list of one port tried', checks });
  // A link that reaches nothing would turn every target into one that is down.
  return { egress: state.state === 'proved' ? egress : undefined, state };
}

const SOCKETS = ['egress-listed', 'egress-unlisted', 'egress-datagram'] as const;
const FRAMES = ['frame-listed', 'frame-unlisted'] as const;

function socketChecks(verdicts: Verdicts): readonly Check[] {
  return [
    ['listed port answers', verdicts.get('egress-listed') === 'reached'],
    ['unlisted port silent', verdicts.get('egress-unlisted') === 'refused'],
    ['datagram refused', verdicts.get('egress-datagram') === 'refused'],
    ['whole report', verdicts.has('done')],
  ];
}

/** What a tool with raw packets can send past every rule for sockets; only where one can have them. */
async function frameChecks(context: LayerContext, means: Means, launcher: Launcher): Promise<readonly Check[]> {
  if (!context.mayGiveRaw || context.missing.raw !== undefined) return [];
  const plan: AttackPlan = { ...egressAttack(launcher, FRAMES), capability: 'raw', needs: { sockets: ['packet'] } };
  const verdicts = parseVerdicts((await runAttack(context.setting, means, plan)).output);
  return [
    ['listed frame sent', verdicts.get('frame-listed') === 'reached'],
    ['unlisted frame refused', verdicts.get('frame-unlisted') === 'refused'],
  ];
}

function egressAttack(launcher: Launcher, attacks: readonly string[]): AttackPlan {
  const { answered, silent, reach } = EGRESS_PROBE;
  const ports = [{ from: answered.port, to: silent.port }];
  return {
    name: `egress-${attacks.length}`,
    binary: launcher.attacker,
    argv: [`listed=${answered.address}:${answered.port}`, `unlisted=${silent.address}:${silent.port}`, ...attacks],
    // Layer 2 lets both ports through for an address that is not tried: what is refused is refused by layer 5 alone.
    reach: { endpoints: [...reach.endpoints, { network: '192.0.2.200', protocol: 'tcp', ports }] },
  };
}
