import { randomUUID } from 'node:crypto';
import type { PlanView } from '../../../schemas/plan.ts';
import type { RunOptions } from '../../../schemas/run.ts';
import type { Audit } from '../audit/types.ts';
import type { Principal } from '../auth/types.ts';
import { demandOf } from '../budget/demand.ts';
import type { Budgets } from '../budget/types.ts';
import type { Clock } from '../clock.ts';
import { SallyportError, toSallyportError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Recorder } from '../metrics/table.ts';
import type { Masker, Redactor } from '../redaction/redactor.ts';
import type { RunText } from '../run/conclusion.ts';
import { secretTexts } from '../run/secret-texts.ts';
import type { PlanStore } from '../store/types.ts';
import type { RegisteredTool, Registry } from '../tool/registry-types.ts';
import { namedPlan, storedFor } from './named-plan.ts';
import type { NamedPlans } from './named-plans.ts';
import { makePlan, type Plan, type PlanSources } from './plan.ts';
import { planEvent, planFailedEvent } from './plan-audit.ts';
import { createPlanRoom, type PlanRoom } from './plan-room.ts';
import { maskView, plannedView } from './plan-view.ts';
import { isRefusal, refusalOf } from './refusal.ts';
import { completeTrace } from './rules.ts';
import { createTrace, type KeptTrace } from './trace.ts';

export interface PlannerParts {
  readonly registry: Pick<Registry, 'get'>;
  readonly plans: PlanSources;
  readonly budgets: Pick<Budgets, 'check'>;
  readonly store: PlanStore;
  /** Milliseconds for which a plan can be run; asked at each plan. */
  readonly ttlMs: () => number;
  readonly text: RunText;
  readonly redactor: Pick<Redactor, 'masker'>;
  readonly audit: Pick<Audit, 'append' | 'note' | 'requireWritable'>;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly log: Log;
  /** Default: random, 122 bits. */
  readonly newId?: () => string;
}

/** One question what would run. Input and options are unchecked. */
export interface PlanQuestion {
  readonly tool: string;
  readonly input: unknown;
  readonly run?: RunOptions | undefined;
  readonly requestId: string;
}

/**
 * Says what would run, and why it may or may not. Nothing is started and no target is touched: of names in scope the
 * resolver is asked, of others nobody.
 */
export interface Planner extends NamedPlans {
  /**
   * A refusal by the policy is an answer (`decision: 'refused'`); it too is audited before it is given. Throws
   * ERR_TOOL_UNKNOWN, ERR_INPUT_INVALID, ERR_QUOTA_EXCEEDED, ERR_STORE_UNAVAILABLE or ERR_AUDIT_UNAVAILABLE.
   */
  plan(who: Principal, question: PlanQuestion): Promise<PlanView>;
  /** A plan of this principal, also one that expired or ran. Throws ERR_PLAN_UNKNOWN, for somebody else's too. */
  get(who: Principal, planId: string): Promise<PlanView>;
  /** Removes the input of what expired; how many. */
  sweep(): Promise<number>;
}

type Desk = PlannerParts & { readonly room: PlanRoom; readonly newId: () => string };

/** One checked question. */
interface Call {
  readonly tool: RegisteredTool;
  readonly input: Record<string, unknown>;
  readonly run: RunOptions;
  readonly who: Principal;
  readonly requestId: string;
  readonly planId: string;
}

/** What the policy decided; of what is refused there may be no plan. */
type Judged =
  | { readonly kind: 'allowed'; readonly plan: Plan }
  | { readonly kind: 'refused'; readonly error: SallyportError; readonly plan: Plan | undefined };

/** When a plan was made, and until when it can be run; milliseconds since the epoch. */
interface Life {
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** Makes the planner of a gateway. */
export function createPlanner(parts: PlannerParts): Planner {
  const { store, clock, redactor } = parts;
  const desk: Desk = { newId: () => `plan_${randomUUID()}`, ...parts, room: createPlanRoom(clock) };
  return {
    plan: (who, question) => planFor(desk, who, question),
    get: async (who, planId) => {
      const { view } = await storedFor(store, who, planId);
      return maskView(view, redactor.masker({ owner: who.id }));
    },
    take: async (who, planId, asked) => namedPlan(desk, await storedFor(store, who, planId), asked),
    sweep: () => store.sweep(clock.now()),
  };
}

async function planFor(desk: Desk, who: Principal, question: PlanQuestion): Promise<PlanView> {
  const tool = desk.registry.get(question.tool);
  const { requestId } = question;
  try {
    desk.audit.requireWritable();
    if (question.run?.planId !== undefined) throw planOfPlan();
    const { input, run } = tool.validate(question.input, question.run);
    return await decide(desk, { tool, input, run, who, requestId, planId: desk.newId() });
  } catch (thrown) {
    const error = maskError(desk, toSallyportError(thrown), { tool, who, input: question.input });
    // What cannot be written now would only pile up: that it cannot is in health and in the log.
    if (error.code !== 'ERR_AUDIT_UNAVAILABLE') {
      const at = { tool: question.tool, principal: who.id, requestId };
      desk.audit.note(planFailedEvent(error, at));
    }
    throw error;
  }
}

function planOfPlan(): SallyportError {
  return new SallyportError('ERR_INPUT_INVALID', 'A plan is not made from a plan: leave run.planId out.', {
    details: { faults: [{ path: '/run/planId', message: 'belongs to a run' }] },
  });
}

/** Judged, written into the audit, stored: only then answered. */
async function decide(desk: Desk, call: Call): Promise<PlanView> {
  const { who, requestId } = call;
  const ttlMs = desk.ttlMs();
  const leave = desk.room.take(who.id, { chars: JSON.stringify(call.input).length, ttlMs });
  try {
    const trace = createTrace();
    const judged = await judge(desk, call, trace);
    const createdAt = desk.clock.now();
    const life = { createdAt, expiresAt: createdAt + ttlMs };
    const view = maskView(viewOf(desk, call, { judged, trace, life }), maskOfCall(desk, call));
    const shown = maskView(view, desk.redactor.masker({ owner: who.id }));
    await desk.audit.append(planEvent(shown, { principal: who.id, requestId }));
    if (judged.kind === 'allowed') await keep(desk, call, { plan: judged.plan, view, life });
    else leave();
    account(desk, call, view);
    return shown;
  } catch (thrown) {
    leave();
    throw thrown;
  }
}

async function judge(desk: Desk, call: Call, trace: KeptTrace): Promise<Judged> {
  const { tool, input, run, who, planId } = call;
  let plan: Plan | undefined;
  try {
    plan = await makePlan(desk.plans, { tool, input, run, principal: who, keepSecret: keepNothing, trace });
    desk.budgets.check(demandOf(plan, planId), trace);
    trace.pass('approval.need', { datum: consentOf(plan) });
    return { kind: 'allowed', plan };
  } catch (thrown) {
    if (!isRefusal(thrown)) throw thrown;
    trace.fail(thrown);
    return { kind: 'refused', error: thrown, plan };
  }
}

/** Secrets are found in output, and a plan has none. */
function keepNothing(): never {
  throw new SallyportError('ERR_INTERNAL', 'A plan finds no secrets.');
}

function consentOf({ approval, risk }: Plan): string {
  if (approval === undefined) return `none for ${risk}`;
  return `needed from ${approval.from} up, this is ${risk}: ${approval.quorum} of other people`;
}

function viewOf(
  { text }: Desk,
  call: Call,
  { judged, trace, life }: { readonly judged: Judged; readonly trace: KeptTrace; readonly life: Life },
): PlanView {
  const common = {
    tool: call.tool.definition.name,
    ...(judged.plan === undefined ? { degraded: [] } : plannedView(judged.plan, text)),
    rules: completeTrace(trace.entries),
    createdAt: new Date(life.createdAt).toISOString(),
  };
  if (judged.kind === 'refused') {
    return { ...common, planId: null, decision: 'refused', refusal: refusalOf(judged.error) };
  }
  const { approval, digests } = judged.plan;
  return {
    ...common,
    planId: call.planId,
    decision: approval === undefined ? 'allowed' : 'needs_approval',
    digest: digests.all,
    expiresAt: new Date(life.expiresAt).toISOString(),
  };
}

async function keep(
  { store }: Desk,
  call: Call,
  { plan, view, life }: { readonly plan: Plan; readonly view: PlanView; readonly life: Life },
): Promise<void> {
  const { timeoutMs } = call.run;
  await store.put({
    planId: call.planId,
    owner: call.who.id,
    tool: call.tool.definition.name,
    ...life,
    digests: plan.digests,
    input: call.input,
    // The engagement is bound: another one of this principal must not take over when the plan is run.
    options: { engagement: plan.engagement.id, ...(timeoutMs === undefined ? {} : { timeoutMs }) },
    view,
    usedBy: null,
  });
}

function account({ recorder, log }: Desk, call: Call, view: PlanView): void {
  const { tool, decision, planId, refusal } = view;
  recorder.count('sallyport_plans_total', { tool, decision });
  log.info('plan.made', {
    tool,
    decision,
    requestId: call.requestId,
    principal: call.who.id,
    ...(planId === null ? {} : { planId }),
    ...(refusal === undefined ? {} : { code: refusal.code, rule: refusal.rule }),
  });
}

/** Masks the secrets that the call itself brought, as in the record of its run. */
function maskOfCall({ redactor }: Desk, { tool: { definition }, input }: Pick<Call, 'tool' | 'input'>): Masker {
  return redactor.masker({ given: () => secretTexts(definition, input), schema: definition.output });
}

/** A message may quote what was sent, and that may be a password. */
function maskError(
  { redactor }: Desk,
  error: SallyportError,
  call: Pick<Call, 'tool' | 'who'> & { readonly input: unknown },
): SallyportError {
  const { code, message, details, retryAfterMs, cause } = error;
  const { definition } = call.tool;
  const given = () => secretTexts(definition, call.input);
  const mask = redactor.masker({ owner: call.who.id, given, schema: definition.output });
  return new SallyportError(code, mask.text(message), {
    ...(cause === undefined ? {} : { cause }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(details === undefined ? {} : { details: mask.fields(details) as Record<string, unknown> }),
  });
}
