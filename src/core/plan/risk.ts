import { highestRisk, isAbove, type Risk } from '../../../schemas/risk.ts';
import type { Engagement } from '../engagement/types.ts';
import { SallyportError } from '../errors.ts';
import type { RiskRaise } from '../tool/definition.ts';
import type { RegisteredTool } from '../tool/registry-types.ts';
import type { RuleTrace } from './trace.ts';

/** The risk of one call, and what raised it above the tool's own. */
export interface JudgedRisk {
  readonly risk: Risk;
  readonly raises: readonly RiskRaise[];
}

/** Judges tool and options against the ceiling of the engagement. Throws ERR_RISK_TOO_HIGH. */
export function judgeRisk(
  engagement: Engagement,
  { tool, input }: { readonly tool: RegisteredTool; readonly input: Record<string, unknown> },
  trace: RuleTrace,
): JudgedRisk {
  const { definition } = tool;
  const ceiling = engagement.document.risk;
  const raises = definition.raises?.(input) ?? [];
  if (isAbove(definition.risk, ceiling)) {
    throw new SallyportError(
      'ERR_RISK_TOO_HIGH',
      `${definition.name} is ${definition.risk}; ${ceilingOf(engagement)}.`,
      { details: { rule: 'risk.tool', risk: definition.risk, ceiling, engagement: engagement.id } },
    );
  }
  trace.pass('risk.tool', { datum: `${definition.name} is ${definition.risk}, the ceiling is ${ceiling}` });
  for (const { option, risk, why } of raises) {
    if (isAbove(risk, ceiling)) {
      throw new SallyportError(
        'ERR_RISK_TOO_HIGH',
        `Option "${option}" makes this call ${risk} (${why}); ${ceilingOf(engagement)}. Leave the option out or lower it.`,
        { details: { rule: 'risk.option', risk, ceiling, option, field: option, engagement: engagement.id } },
      );
    }
    trace.pass('risk.option', { field: option, datum: `${risk}: ${why}` });
  }
  return { risk: highestRisk([definition.risk, ...raises.map((raise) => raise.risk)]), raises };
}

function ceilingOf({ id, source, document }: Engagement): string {
  const key = source === 'configuration' ? ' (policy.risk)' : '';
  return `the operator's ceiling of engagement ${id}${key} is ${document.risk}`;
}
