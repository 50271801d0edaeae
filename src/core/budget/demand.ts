import type { Plan } from '../plan/plan.ts';
import { countAddresses, parseAddress, widthOf } from '../targets/address.ts';
import type { PinnedTarget } from '../targets/types.ts';
import type { ToolEstimate } from '../tool/definition.ts';
import type { BudgetDemand, TargetLoad } from './types.ts';

/** The most that the run of a plan takes, from its estimate, its time limit and its pinned targets. */
export function demandOf(plan: Plan, runId: string): BudgetDemand {
  const { engagement, estimate, timeoutMs } = plan;
  return {
    runId,
    engagement,
    packetsPerSecond: estimate.packetsPerSecond,
    probes: mostOf(estimate),
    runMs: timeoutMs,
    targets: targetLoads(plan),
    accounts: estimate.accounts ?? [],
  };
}

/** Attack: a target that says nothing is asked again, and would take more of the budget than was reserved for it. */
function mostOf({ probes, mostProbes = probes }: ToolEstimate): number {
  return Math.max(probes, mostProbes);
}

/**
 * What each address takes: its part of the probes of its role, because the targets of a role are treated alike, and any
 * role (a URL, a proxy) may see all of them. At a moment everything may go to one address. Domains are asked about and
 * not contacted.
 */
function targetLoads({ pinned, estimate }: Plan): readonly TargetLoad[] {
  const { packetsPerSecond } = estimate;
  const probes = mostOf(estimate);
  const contacted = pinned.list.filter(({ kind }) => kind !== 'domain');
  return contacted.flatMap((target) => {
    const places = contacted.filter(({ role }) => role === target.role).reduce((sum, each) => sum + placesOf(each), 0n);
    return blocksOf(target).map((block) => ({
      ...block,
      probes: Math.ceil(probes / Number(places)),
      packetsPerSecond,
    }));
  });
}

/** A name is one place however many addresses it has. Attack: a name of eight addresses, of which one gets everything. */
function placesOf(target: PinnedTarget): bigint {
  return isNetwork(target) ? target.addressCount : 1n;
}

function isNetwork({ family, prefix }: PinnedTarget): boolean {
  return family !== 0 && prefix !== undefined && prefix < widthOf(family);
}

function blocksOf(target: PinnedTarget): readonly Pick<TargetLoad, 'family' | 'first' | 'last'>[] {
  const prefix = isNetwork(target) ? target.prefix : undefined;
  return target.addresses.map((text) => {
    const read = parseAddress(text);
    // The policy wrote it: what cannot be read is a bug here, and must not become a target without a limit.
    if (!read.ok) throw new Error(`pinned address: ${read.fault}`);
    const { family, bits } = read.value;
    const size = countAddresses({ family, bits, prefix: prefix ?? widthOf(family) });
    return { family, first: bits, last: bits + size - 1n };
  });
}
