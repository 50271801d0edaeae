import { type Static, Type } from '@sinclair/typebox';

/** The four risk levels, lowest first: the order of this array is the order of the levels. */
export const RISKS = ['observe', 'active', 'intrusive', 'exploit'] as const;

/** How much a tool or an option may disturb its target: `observe` < `active` < `intrusive` < `exploit`. */
export const RiskSchema = Type.Union(
  RISKS.map((risk) => Type.Literal(risk)),
  { description: 'observe < active < intrusive < exploit' },
);
export type Risk = (typeof RISKS)[number];

/** True when `risk` is above the ceiling. */
export function isAbove(risk: Risk, ceiling: Risk): boolean {
  return RISKS.indexOf(risk) > RISKS.indexOf(ceiling);
}

/** The highest of the given risks; `observe` when none is given. */
export function highestRisk(risks: readonly Risk[]): Risk {
  return RISKS[Math.max(0, ...risks.map((risk) => RISKS.indexOf(risk)))] ?? 'exploit';
}

/** Keeps the static type visible beside the schema. */
export type RiskStatic = Static<typeof RiskSchema>;
