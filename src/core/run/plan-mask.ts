import type { Plan } from '../plan/plan.ts';
import type { RunText } from './conclusion.ts';
import { secretTexts } from './secret-texts.ts';

type Mask = <T>(value: T) => T;

const MASKS = new WeakMap<Plan, { readonly text: RunText; readonly mask: Mask }>();

/** What masks the secrets that a plan's call brought: made once for each plan, because they may be thousands. */
export function maskOf(text: RunText, plan: Plan): Mask {
  const known = MASKS.get(plan);
  if (known?.text === text) return known.mask;
  const { definition } = plan.tool;
  const mask = text.masker(secretTexts(definition, plan.input), definition.output);
  MASKS.set(plan, { text, mask });
  return mask;
}
