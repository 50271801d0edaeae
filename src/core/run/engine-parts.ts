import type { Approvals } from '../approval/types.ts';
import type { Audit } from '../audit/types.ts';
import type { Principal } from '../auth/types.ts';
import type { Budgets } from '../budget/types.ts';
import type { Clock } from '../clock.ts';
import type { ExecutionLimits, Executor } from '../execution/types.ts';
import type { Log } from '../log.ts';
import type { Recorder } from '../metrics/table.ts';
import type { PlanSources } from '../plan/plan.ts';
import type { NamedPlans } from '../plan/named-plans.ts';
import type { Gate } from '../resilience/gate.ts';
import type { Stats } from '../stats/stats.ts';
import type { Store } from '../store/types.ts';
import type { RegisteredTool, Registry } from '../tool/registry-types.ts';
import type { RunText } from './conclusion.ts';
import type { RunHub } from './hub.ts';

/** A secret that a run found, on its way to where secrets are kept. */
export interface FoundSecret {
  readonly owner: string;
  readonly runId: string;
  readonly tool: string;
  readonly kind: string;
  readonly value: string;
}

/** Everything the engine stands on; it has no globals of its own. */
export interface EngineParts {
  readonly registry: Registry;
  readonly plans: PlanSources;
  /** Plans that were made before and are run by their id. */
  readonly named: NamedPlans;
  readonly budgets: Pick<Budgets, 'check' | 'reserve'>;
  readonly approvals: Pick<Approvals, 'wait'>;
  readonly audit: Pick<Audit, 'append' | 'note' | 'requireWritable'>;
  readonly quotas: () => { readonly openRuns: number };
  readonly gate: Pick<Gate, 'admit'>;
  readonly executor: Pick<Executor, 'run'>;
  readonly store: Pick<Store, 'runs' | 'output' | 'cursorKey'>;
  readonly hub: RunHub;
  readonly limits: (tool: RegisteredTool) => ExecutionLimits;
  readonly keepSecret: (secret: FoundSecret) => { readonly id: string; readonly kept: Promise<void> };
  /** Who a principal id is now; undefined when its key is revoked, expired or gone. */
  readonly principal: (id: string) => Promise<Principal | undefined>;
  readonly text: RunText;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly stats: Stats;
  readonly log: Log;
}
