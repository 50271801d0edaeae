import type { EngagementDocument } from '../../../schemas/engagement.ts';
import { type Principal, SCOPES } from '../../../src/core/auth/types.ts';
import type { Engagement, Engagements } from '../../../src/core/engagement/types.ts';
import { SallyportError } from '../../../src/core/errors.ts';
import { createPolicyEnds } from '../../../src/core/policy-watch/policy-ends.ts';
import { createPolicyWatch, type PolicyWatch } from '../../../src/core/policy-watch/policy-watch.ts';
import type { TargetPolicy } from '../../../src/core/targets/types.ts';
import { openEngagement } from '../../fixtures/policy.ts';
import { type FakeRuns, fakeRuns } from '../kill/rig.ts';
import { policyUnderTest } from '../targets/policy-under-test.ts';

/** The operator's engagements as a test changes them. */
export interface Permissions {
  /** Writes an engagement; `acme` from the beginning. Nobody is told. */
  put(changes: Partial<EngagementDocument>, policy?: TargetPolicy, id?: string): void;
  remove(id: string): void;
  /** What the configuration denies to everybody changed: the policy of `acme` is another, its document is not. */
  exchangePolicy(policy: TargetPolicy): void;
  /** Open until this moment; never closes when absent. */
  closesAt?: number;
  revoked: boolean;
  /** Thrown by every question. */
  fault?: Error;
  /** Tells whoever listens. */
  announce(): void;
  readonly list: Engagements;
}

/** A watch over fake runs with everything that it looks at. */
export interface WatchRig {
  readonly watch: PolicyWatch;
  readonly runs: FakeRuns;
  readonly permissions: Permissions;
  readonly clock: { at: number };
  readonly killed: Set<string>;
  readonly logged: string[];
  /** The keys that are usable, by id. */
  readonly askers: Map<string, Principal>;
  /** How often somebody was asked for, and what goes wrong then. */
  readonly keys: { asked: number; fault?: Error };
}

/** A key of a name that may do everything. */
export function keyOf(name: string): Principal {
  return { id: `key_${name}`, name, scopes: new Set(SCOPES) };
}

/** Starts a watch that looks every `intervalMs`; an hour unless told, so that only the test looks. */
export function watchRig(t: { after(end: () => void): void }, { intervalMs = 3_600_000 } = {}): WatchRig {
  const clock = { at: Date.now() };
  const permissions = makePermissions(clock);
  const runs = fakeRuns();
  const killed = new Set<string>();
  const logged: string[] = [];
  const askers = new Map([['key_agent', keyOf('agent')]]);
  const keys: WatchRig['keys'] = { asked: 0 };
  const add = (event: string) => void logged.push(event);
  const log = { info: add, warn: add, error: add };
  const watch = createPolicyWatch({
    engagements: permissions.list,
    killSwitch: {
      check: (id) => {
        if (killed.has(id)) throw new SallyportError('ERR_KILL_SWITCH', 'killed');
      },
    },
    runs: createPolicyEnds({ runs, log }),
    asker: async (id) => {
      keys.asked += 1;
      if (keys.fault !== undefined) throw keys.fault;
      return askers.get(id);
    },
    clock: { now: () => clock.at, monotonic: () => clock.at },
    log,
    intervalMs,
  });
  t.after(() => watch.stop());
  return { watch, runs, permissions, clock, killed, logged, askers, keys };
}

function makePermissions(clock: { readonly at: number }): Permissions {
  const known = new Map<string, Engagement>();
  const listeners = new Set<() => void>();
  let generation = 0;
  const permissions: Permissions = {
    revoked: false,
    put(changes, policy = policyUnderTest().policy, id = 'acme') {
      generation += 1;
      const made = openEngagement(policy, { principals: ['agent'], risk: 'active', ...changes, id });
      known.set(id, { ...made, id, version: String(generation) });
    },
    remove: (id) => {
      generation += 1;
      known.delete(id);
    },
    exchangePolicy: (policy) => {
      const acme = known.get('acme');
      if (acme !== undefined) known.set('acme', { ...acme, policy });
    },
    announce: () => {
      for (const listener of listeners) listener();
    },
    list: {
      choose: () => {
        throw new Error('a running run has its engagement');
      },
      of: (who) => [...known.values()].filter(({ document }) => document.principals.includes(who.name)),
      get: (id) => known.get(id),
      all: () => [...known.values()],
      state: () => ({
        state: 'open',
        ...(permissions.closesAt === undefined ? {} : { closesAt: permissions.closesAt }),
      }),
      requireOpen: () => {
        if (permissions.fault !== undefined) throw permissions.fault;
        if (permissions.revoked) throw new SallyportError('ERR_ENGAGEMENT_REVOKED', 'It was revoked.');
        if (permissions.closesAt !== undefined && clock.at >= permissions.closesAt) {
          throw new SallyportError('ERR_ENGAGEMENT_EXPIRED', 'It is over.');
        }
      },
      allowsTool: ({ document }, tool) => document.tools.allow.some((each) => each === '*' || each === tool),
      generation: () => generation,
      onChange: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      highestRisk: () => 'exploit',
      faults: () => [],
    },
  };
  permissions.put({});
  return permissions;
}
