import { isAbove } from '../../../schemas/risk.ts';
import type { ScopeView } from '../../../schemas/scope-view.ts';
import type { Principal } from '../auth/types.ts';
import type { Budgets } from '../budget/types.ts';
import type { KillSwitch } from '../kill/types.ts';
import type { AnyTool } from '../tool/definition.ts';
import type { Registry } from '../tool/registry-types.ts';
import type { Engagement, Engagements } from './types.ts';

/** What a principal may do is computed from. */
export interface ScopeViewParts {
  readonly engagements: Pick<Engagements, 'of' | 'state' | 'allowsTool'>;
  readonly budgets: Pick<Budgets, 'left'>;
  readonly killSwitch: Pick<KillSwitch, 'isOn' | 'state'>;
  readonly registry: Pick<Registry, 'all'>;
}

/** What a principal may do now: its own engagements and nothing of others. */
export function describeScope(who: Principal, parts: ScopeViewParts): ScopeView {
  const mine = parts.engagements.of(who);
  return {
    principal: { id: who.id, name: who.name, scopes: [...who.scopes] },
    killed: parts.killSwitch.state().switches.some(({ engagement }) => engagement === null),
    mustName: mine.length > 1,
    engagements: mine.map((engagement) => describe(engagement, parts)),
  };
}

function describe(engagement: Engagement, parts: ScopeViewParts): ScopeView['engagements'][number] {
  const { id, document } = engagement;
  const { state, why, opensAt, closesAt } = parts.engagements.state(engagement);
  const isKilled = parts.killSwitch.isOn(id);
  return {
    id,
    title: document.title,
    state: isKilled ? 'killed' : state,
    ...(isKilled ? { why: 'The kill switch is on.' } : why !== undefined && { why }),
    ...(opensAt !== undefined && { opensAt: iso(opensAt) }),
    ...(closesAt !== undefined && { closesAt: iso(closesAt) }),
    allow: [...document.scope.allow],
    deny: [...(document.scope.deny ?? [])],
    ...(document.ports?.allow !== undefined && { portsAllow: [...document.ports.allow] }),
    portsDeny: [...(document.ports?.deny ?? [])],
    tools: isKilled || state !== 'open' ? [] : toolsOf(engagement, parts),
    risk: document.risk,
    ...(document.approvals !== undefined && { approvalFrom: document.approvals.from }),
    budgets: [...parts.budgets.left(engagement)],
  };
}

function toolsOf(engagement: Engagement, { engagements, registry }: ScopeViewParts): string[] {
  return registry
    .all()
    .filter(({ enabled, availability }) => enabled && availability.available)
    .map(({ definition }) => definition)
    .filter((tool) => permitsTool(engagements, engagement, tool))
    .map(({ name }) => name);
}

/** Whether an engagement permits a tool at all, whatever its hours: by name and by the tool's own risk. */
export function permitsTool(
  engagements: Pick<Engagements, 'allowsTool'>,
  engagement: Engagement,
  { name, risk }: Pick<AnyTool, 'name' | 'risk'>,
): boolean {
  return engagements.allowsTool(engagement, name) && !isAbove(risk, engagement.document.risk);
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
