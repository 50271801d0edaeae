import { SallyportError } from '../errors.ts';
import { countPorts } from './ports.ts';
import type { PinnedTarget, PinnedTargets, PortRange, TargetLimits } from './types.ts';

/** What one claim adds to the size. */
export interface Extent {
  readonly addresses: bigint;
  readonly ports: readonly PortRange[];
}

/** The exact sizes over all claims. Nothing is expanded. Ports are counted once over all claims. */
export function measure(extents: readonly Extent[]): PinnedTargets['size'] {
  const addresses = extents.reduce((sum, extent) => sum + extent.addresses, 0n);
  const probes = extents.reduce(
    (sum, extent) => sum + extent.addresses * BigInt(Math.max(1, countPorts(extent.ports))),
    0n,
  );
  return { addresses, ports: countPorts(extents.flatMap((extent) => extent.ports)), probes };
}

/** The refusal of a size above the limits, or undefined. */
export function sizeRefusal(size: PinnedTargets['size'], limits: TargetLimits) {
  const { maxAddresses, maxPorts } = limits;
  if (size.addresses <= BigInt(maxAddresses) && size.ports <= maxPorts) return undefined;
  return {
    rule: 'target.size',
    message: `${size.addresses} addresses with ${size.ports} ports; at most ${maxAddresses} addresses and ${maxPorts} ports are taken in one call`,
    instead: `at most ${maxAddresses} addresses and ${maxPorts} ports in one call; split it`,
    details: {
      addresses: plain(size.addresses),
      ports: size.ports,
      limit: { addresses: maxAddresses, ports: maxPorts },
    },
  } as const;
}

/** The pinned targets of one call, in input order. */
export function pinnedTargets(list: readonly PinnedTarget[], size: PinnedTargets['size']): PinnedTargets {
  const all = (role: string) => list.filter((target) => target.role === role);
  return {
    list,
    size,
    all,
    one(role) {
      const [only, ...more] = all(role);
      if (only !== undefined && more.length === 0) return only;
      throw new SallyportError('ERR_INTERNAL', 'The tool asked for a target that it did not declare.', {
        cause: new Error(`${more.length + (only === undefined ? 0 : 1)} targets have the role ${role}, not one`),
      });
    },
  };
}

/** JSON has no big integers: exact as text when a number would round. */
function plain(count: bigint): number | string {
  return count <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(count) : count.toString();
}
