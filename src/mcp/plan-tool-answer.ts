import type { PlanView } from '../../schemas/plan.ts';
import type { ScopeView } from '../../schemas/scope-view.ts';
import type { Principal } from '../core/auth/types.ts';
import { askedOf } from '../core/plan/rules.ts';
import { ADVICE } from './advice.ts';
import { answer, type ToolAnswer } from './run-answer.ts';
import { shorten, tokensOf } from './shorten.ts';
import { estimateTokens } from './tokens.ts';
import { visible, visibleValue, withinTokens } from './visible.ts';

/** Structured content may take this part of the budget; the text has the rest. */
const STRUCTURED_SHARE = 0.55;

/** A plan as text and structured content within a number of tokens together. */
export function planAnswer(view: PlanView, who: Principal, tokens: number): ToolAnswer {
  const { planId, tool, decision, digest, engagement, createdAt: _at, ...rest } = view;
  const next = nextOf(view, who);
  const head = {
    planId,
    tool,
    decision,
    next: withinTokens(next, tokens / 8),
    ...(digest === undefined ? {} : { digest }),
    ...(engagement === undefined ? {} : { engagement }),
  };
  const structured = fitted(head, { ...rest, rules: askedOf(view.rules) }, tokens * STRUCTURED_SHARE);
  const lines = [headline(view), next].filter((line) => line !== '');
  return textBeside(lines, structured, tokens);
}

/** What the caller may do, as text and structured content within a number of tokens together. */
export function scopeAnswer(view: ScopeView, tokens: number): ToolAnswer {
  const { killed, mustName, engagements, principal } = view;
  const head = { killed, mustName };
  const structured = { engagements: [], ...fitted(head, { engagements, principal }, tokens * STRUCTURED_SHARE) };
  const lines = [
    killed ? 'The kill switch is on: nothing runs.' : `${engagements.length} engagements are yours.`,
    ...engagements.map(
      ({ id, state, why, risk, allow, tools }) =>
        `${id}: ${state}${why === undefined ? '' : ` (${why})`}, risk up to ${risk}; targets ${listed(allow)}; tools ${listed(tools)}`,
    ),
  ];
  return textBeside(lines, structured, tokens);
}

/** The head whole and as much of the rest as fits; what is missing is said. */
function fitted(head: Record<string, unknown>, rest: Record<string, unknown>, tokens: number): Record<string, unknown> {
  const short = shorten(visibleValue(rest), tokens - tokensOf(head) - MARK_TOKENS);
  if (short === undefined)
    return { ...head, shortened: [{ path: '', kind: 'items', omitted: Object.keys(rest).length }] };
  const { value, shortened } = short;
  return { ...head, ...(value as Record<string, unknown>), ...(shortened.length === 0 ? {} : { shortened }) };
}

/** For the names of `shortened` and the joints of two objects that were measured apart. */
const MARK_TOKENS = 12;

/** The lines, as far as they fit, and the structured content for clients that show only texts. */
function textBeside(lines: readonly string[], structured: Record<string, unknown>, tokens: number): ToolAnswer {
  const room = tokens - tokensOf(structured);
  const whole = [...lines.map(visible), visible(JSON.stringify(structured))].join('\n');
  const text = estimateTokens(whole) <= room ? whole : withinTokens(lines.map(visible).join('\n'), room);
  return answer(text, structured);
}

function headline({ tool, decision, planId, expiresAt, refusal, argv, estimate, risk }: PlanView): string {
  if (refusal !== undefined) {
    const instead = refusal.instead === undefined ? '' : ` Allowed instead: ${refusal.instead}.`;
    return `${tool} is refused by ${refusal.rule} (${refusal.code}): ${sentence(refusal.message)}${instead}`;
  }
  const takes = estimate === undefined ? '' : `, ${takesOf(estimate)}`;
  const may = decision === 'allowed' ? 'may run' : 'may run once other people approve';
  return `${tool} ${may}; nothing ran yet. Risk ${risk?.level ?? 'unknown'}${takes}. Plan ${planId} until ${expiresAt}: ${JSON.stringify(argv)}`;
}

function takesOf({ probes, mostProbes = probes, durationMs }: NonNullable<PlanView['estimate']>): string {
  const most = mostProbes === probes ? '' : ` (at most ${mostProbes})`;
  return `about ${probes} ${probes === 1 ? 'probe' : 'probes'}${most} in ${Math.ceil(durationMs / 1000)} s`;
}

/** Messages about targets are parts of sentences: what follows must not read on. */
function sentence(message: string): string {
  return /[.!?…]$/.test(message) ? message : `${message}.`;
}

function nextOf({ tool, decision, refusal, planId }: PlanView, { scopes }: Principal): string {
  if (refusal !== undefined) {
    const wait = refusal.retryAfterMs === undefined ? '' : ` Not before ${refusal.retryAfterMs} ms from now.`;
    return `${ADVICE[refusal.code] ?? 'Tell the user.'}${wait}`;
  }
  if (!scopes.has('runs:execute')) return 'This key does not hold the scope runs:execute: it cannot run it.';
  const waits = decision === 'needs_approval' ? ' It then waits for another person to approve it.' : '';
  return `To run exactly this: call ${tool} with run.planId ${planId} and the same arguments.${waits}`;
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 8).join(', ');
  return names.length > 8 ? `${shown} and ${names.length - 8} more` : shown || 'none';
}
