import { createHmac } from 'node:crypto';
import { canonicalJson } from '../findings/fingerprint.ts';
import { type ErrorCode, SallyportError } from '../errors.ts';
import type { Plan } from './plan.ts';

/** Keyed digests of a plan, 64 hexadecimal digits each: `all` is the plan's digest, the parts say what changed. */
export interface PlanDigests {
  readonly all: string;
  readonly targets: string;
  readonly engagement: string;
  readonly input: string;
  readonly tool: string;
  /** argv, time, risk and everything else. */
  readonly rest: string;
}

/** What is digested: everything of a plan but the digests. */
export type Digestible = Omit<Plan, 'digests'>;

/**
 * Digests a plan under a key of the store: the input may hold passwords, and a plain hash of them could be guessed at by
 * whoever is shown the digest.
 */
export function digestsOf(plan: Digestible, key: Buffer): PlanDigests {
  const mac = (part: string, value: unknown) =>
    createHmac('sha256', key).update(`plan.${part}\n`).update(canonicalJson(value)).digest('hex');
  const targets = mac(
    'targets',
    plan.pinned.list.map(({ role, canonical, addresses }) => [role, canonical, [...addresses]]),
  );
  const engagement = mac('engagement', [plan.engagement.id, plan.engagement.version]);
  const input = mac('input', plan.input);
  const tool = mac('tool', [plan.tool.definition.name, plan.binary, plan.tool.availability.version ?? null]);
  const rest = mac('rest', [plan.argv, plan.timeoutMs, plan.risk, plan.degraded, plan.needsRaw]);
  return { all: mac('all', [targets, engagement, input, tool, rest]), targets, engagement, input, tool, rest };
}

const CHANGES: readonly { readonly part: keyof PlanDigests; readonly code: ErrorCode; readonly what: string }[] = [
  { part: 'input', code: 'ERR_PLAN_MISMATCH', what: 'its input is another one' },
  { part: 'engagement', code: 'ERR_PLAN_ENGAGEMENT_CHANGED', what: 'the operator changed its engagement' },
  { part: 'targets', code: 'ERR_PLAN_RESOLUTION_CHANGED', what: 'a name of a target has other addresses now' },
  { part: 'tool', code: 'ERR_PLAN_CHANGED', what: 'the tool was exchanged for another version' },
  { part: 'rest', code: 'ERR_PLAN_CHANGED', what: 'arguments, time limit or risk would be others now' },
];

/** Throws ERR_PLAN_* naming what changed when a plan is not exactly the one that was bound; `details.changed` lists all. */
export function requireSame(now: PlanDigests, bound: PlanDigests): void {
  if (now.all === bound.all) return;
  const changed = CHANGES.filter(({ part }) => now[part] !== bound[part]);
  const [first] = changed;
  throw new SallyportError(
    first?.code ?? 'ERR_PLAN_CHANGED',
    `The plan cannot be run as it was made: ${first?.what ?? 'something changed'}. Make a new plan.`,
    { details: { rule: 'plan.same', changed: changed.map(({ part }) => part) } },
  );
}
