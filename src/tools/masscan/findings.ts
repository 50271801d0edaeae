import type { Coverage, FindingDraft } from '../../core/findings/types.ts';
import { formatPorts } from '../../core/targets/ports.ts';
import type { PinnedTargets, PortRange } from '../../core/targets/types.ts';
import type { MasscanResult } from './parse.ts';

type Port = MasscanResult['hosts'][number]['ports'][number];

/** One open port, in the words that every port scanner here uses for it: seen by two of them it is one fact. */
export function draftOfPort(address: string, { port, protocol, reason, ttl }: Port): FindingDraft {
  return {
    kind: 'port',
    target: address,
    address,
    port,
    protocol,
    title: `${port}/${protocol} is open`,
    severity: 'info',
    confidence: 'firm',
    evidence: `${reason === '' ? 'an answer' : reason}, ttl ${ttl}`,
    attributes: { state: 'open' },
  };
}

/** Everything that was asked for, once masscan says that all of it was sent; nothing before. */
export function coverageOfMasscan(facts: {
  readonly pinned: PinnedTargets;
  readonly ports: readonly PortRange[];
  readonly complete: boolean;
  readonly result: MasscanResult;
}): Coverage {
  const { pinned, ports, complete, result } = facts;
  const networks = pinned.all('cidrs').map(({ canonical }) => canonical);
  if (!complete) {
    const shown = `${networks.slice(0, 5).join(', ')}${networks.length > 5 ? ', …' : ''}`;
    return {
      areas: [],
      missing: [
        `tcp ${formatPorts(ports).slice(0, 200)} of ${shown}: ${result.stats.percentSent} % was sent; in its own order, so that no address counts as looked at.`,
      ],
    };
  }
  return {
    // Its silence is weaker than that of a scanner that asks again: only compared with its own.
    areas: networks.map((network) => ({
      kinds: ['port'],
      network,
      protocol: 'tcp',
      ports,
      method: 'one unrepeated probe for each port',
    })),
    missing: ['masscan asks each port once: where the answer was lost, an open port is not listed.'],
  };
}
