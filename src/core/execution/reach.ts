import { SallyportError } from '../errors.ts';
import type { PinnedTarget, PinnedTargets, PortRange, TargetClaim } from '../targets/types.ts';
import type { Endpoint, Reach } from './types.ts';

const BY_PORT = ['tcp', 'udp'] as const;

/**
 * Whom a call may reach when its tool says nothing else: every pinned address, by the given protocols (TCP and UDP), at
 * the ports of its claim, of its URL or of its DNS server. A domain is asked about and not contacted. A claim without
 * ports permits nothing but ICMP, if that is asked for. Throws ERR_INTERNAL when the claims are not those of the targets.
 */
export function reachOf(
  claims: readonly TargetClaim[],
  pinned: PinnedTargets,
  protocols: readonly Endpoint['protocol'][] = BY_PORT,
): Reach {
  if (claims.length !== pinned.list.length) throw mismatch();
  return {
    endpoints: pinned.list.flatMap((target, index) => {
      const claim = claims[index];
      // The policy pins in the order of the claims: another one here would open the ports of one host at another.
      if (claim === undefined || claim.role !== target.role || claim.value !== target.given) throw mismatch();
      const ports = portsOf(target, claim);
      return networksOf(target).flatMap((network) =>
        protocols.flatMap((protocol) => endpoint(network, protocol, ports)),
      );
    }),
  };
}

function endpoint(network: string, protocol: Endpoint['protocol'], ports: readonly PortRange[]): readonly Endpoint[] {
  if (protocol === 'icmp') return [{ network, protocol }];
  // Fail closed: without ports an endpoint would mean every port.
  return ports.length === 0 ? [] : [{ network, protocol, ports }];
}

function networksOf({ kind, addresses, prefix, family }: PinnedTarget): readonly string[] {
  if (kind === 'domain') return [];
  const isWide = prefix !== undefined && prefix < (family === 4 ? 32 : 128);
  return isWide ? addresses.map((address) => `${address}/${prefix}`) : addresses;
}

function portsOf(target: PinnedTarget, claim: TargetClaim): readonly PortRange[] {
  const own = target.port ?? (target.kind === 'resolver' ? 53 : undefined);
  return [...(claim.ports ?? []), ...(own === undefined ? [] : [{ from: own, to: own }])];
}

function mismatch(): SallyportError {
  return new SallyportError('ERR_INTERNAL', 'What the call may reach cannot be told.', {
    cause: new Error('the claims are not those that the targets were pinned from'),
  });
}
