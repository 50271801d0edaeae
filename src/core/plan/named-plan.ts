import type { Principal } from '../auth/types.ts';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import { canonicalJson } from '../findings/fingerprint.ts';
import type { PlanStore, StoredPlan } from '../store/types.ts';
import type { Registry } from '../tool/registry-types.ts';
import type { NamedPlan } from './named-plans.ts';

const PLAN_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** The stored plan of this principal. Somebody else's answers exactly as one that does not exist, so that ids cannot be probed. */
export async function storedFor(store: Pick<PlanStore, 'get'>, who: Principal, planId: string): Promise<StoredPlan> {
  const stored = PLAN_ID.test(planId) ? await store.get(planId) : undefined;
  if (stored !== undefined && stored.owner === who.id) return stored;
  throw new SallyportError('ERR_PLAN_UNKNOWN', 'There is no such plan; make one.', {
    details: { rule: 'plan.known' },
  });
}

/** The plan as its run takes it. Throws ERR_PLAN_USED, ERR_PLAN_EXPIRED or ERR_PLAN_MISMATCH. */
export function namedPlan(
  { registry, clock }: { readonly registry: Pick<Registry, 'get'>; readonly clock: Clock },
  stored: StoredPlan,
  asked: { readonly tool: string; readonly input: unknown },
): NamedPlan {
  if (stored.usedBy !== null) {
    throw new SallyportError('ERR_PLAN_USED', 'This plan has run already; make a new one.', {
      details: { rule: 'plan.unused' },
    });
  }
  if (clock.now() >= stored.expiresAt) {
    throw new SallyportError('ERR_PLAN_EXPIRED', 'This plan has expired; make a new one.', {
      details: { rule: 'plan.expiry' },
    });
  }
  if (stored.tool !== asked.tool) throw mismatch(`it is a plan of ${stored.tool}`, 'tool');
  if (!isAbsent(asked.input) && !isSame(registry, stored, asked.input)) {
    throw mismatch('the input is not the one that was planned; leave it out or repeat it', 'input');
  }
  return { input: { ...stored.input }, options: stored.options, digests: stored.digests };
}

function isAbsent(input: unknown): boolean {
  return input === undefined || input === null || (typeof input === 'object' && Object.keys(input).length === 0);
}

/** Compared with defaults filled in, as the plan's own was. What does not even fit the tool is not it. */
function isSame(registry: Pick<Registry, 'get'>, stored: StoredPlan, input: unknown): boolean {
  try {
    const { input: filled } = registry.get(stored.tool).validate(input, undefined);
    return canonicalJson(filled) === canonicalJson(stored.input);
  } catch (cause) {
    throw mismatch('the input does not even fit the tool; leave it out or repeat it', 'input', cause);
  }
}

function mismatch(why: string, field: string, cause?: unknown): SallyportError {
  return new SallyportError('ERR_PLAN_MISMATCH', `The plan does not belong to this call: ${why}.`, {
    details: { rule: 'plan.same', field },
    ...(cause === undefined ? {} : { cause }),
  });
}
