import assert from 'node:assert/strict';
import { test } from 'node:test';
import { demandOf } from '../../../src/core/budget/demand.ts';
import type { TargetLoad } from '../../../src/core/budget/types.ts';
import type { Plan } from '../../../src/core/plan/plan.ts';
import type { PinnedTarget } from '../../../src/core/targets/types.ts';
import type { ToolEstimate } from '../../../src/core/tool/definition.ts';
import { engagementOf, loadOf } from './rig.ts';

/** What of a plan a demand is made from. */
function planOf(list: readonly Partial<PinnedTarget>[], estimate: Partial<ToolEstimate> = {}): Plan {
  const pinned = list.map((target) => {
    const { addresses = [], family = 4 } = target;
    return { role: 'targets', kind: 'host-or-network', addressCount: BigInt(addresses.length), family, ...target };
  });
  return {
    engagement: engagementOf({}),
    estimate: { probes: 1000, packetsPerSecond: 50, durationMs: 1, ...estimate },
    timeoutMs: 9000,
    pinned: { list: pinned },
  } as unknown as Plan;
}

const targetsOf = (...list: Partial<PinnedTarget>[]): readonly TargetLoad[] => demandOf(planOf(list), 'run_1').targets;

test('a demand is the estimate of the plan over its whole time limit', () => {
  const accounts = [{ account: 'ssh://10.0.0.1:22/root', guesses: 3 }];
  const plan = planOf([{ addresses: ['10.0.0.1'], prefix: 32 }], { accounts });
  assert.deepEqual(demandOf(plan, 'run_1'), {
    runId: 'run_1',
    engagement: plan.engagement,
    packetsPerSecond: 50,
    probes: 1000,
    runMs: 9000,
    targets: [loadOf('10.0.0.1', 1000, 50)],
    accounts,
  });
});

test('the addresses of a role share the probes, rounded up, and each may get the whole rate', () => {
  const network = { addresses: ['10.0.0.0'], prefix: 30, addressCount: 4n };
  assert.deepEqual(targetsOf(network, { addresses: ['10.1.0.0'], prefix: 31, addressCount: 2n }), [
    loadOf('10.0.0.0/30', 167, 50),
    loadOf('10.1.0.0/31', 167, 50),
  ]);
  const wide = { addresses: ['fd00::'], prefix: 64, addressCount: 2n ** 64n, family: 6 } as const;
  assert.deepEqual(targetsOf(wide), [loadOf('fd00::/64', 1, 50)]);
});

test('a name is one place: each of its addresses may be the one that gets everything', () => {
  const name = { name: 'www.lab', addresses: ['10.0.0.1', '10.0.0.2', 'fd00::1'], prefix: 32 };
  const loads = [loadOf('10.0.0.1', 1000, 50), loadOf('10.0.0.2', 1000, 50), loadOf('fd00::1', 1000, 50)];
  assert.deepEqual(targetsOf(name), loads);
});

test('every role may see all of it, and a domain is not contacted', () => {
  const url = { role: 'url', kind: 'url', addresses: ['10.0.0.1'] } as const;
  const resolver = { role: 'server', kind: 'resolver', addresses: ['10.0.0.53'] } as const;
  const domain = { role: 'name', kind: 'domain', addresses: [], family: 0 } as const;
  assert.deepEqual(targetsOf(url, resolver, domain), [loadOf('10.0.0.1', 1000, 50), loadOf('10.0.0.53', 1000, 50)]);
  assert.deepEqual(targetsOf(domain), []);
});

test('what targets can draw out is demanded, of the engagement and of each address, not what is expected', () => {
  const list = [{ addresses: ['10.0.0.0'], prefix: 31, addressCount: 2n }];
  const { probes, targets } = demandOf(planOf(list, { mostProbes: 3001 }), 'run_1');
  assert.equal(probes, 3001);
  assert.deepEqual(targets, [loadOf('10.0.0.0/31', 1501, 50)]);
  // A tool whose worst case is a mistake is not worth less than what it expects.
  assert.equal(demandOf(planOf(list, { mostProbes: 7 }), 'run_1').probes, 1000);
});

test('what nobody can estimate stays unknown at each address', () => {
  const unknown = Number.POSITIVE_INFINITY;
  const plan = planOf([{ addresses: ['10.0.0.0'], prefix: 24, addressCount: 256n }], {
    probes: unknown,
    packetsPerSecond: unknown,
  });
  assert.deepEqual(demandOf(plan, 'run_1').targets, [loadOf('10.0.0.0/24', unknown, unknown)]);
});
