import type { ErrorBody } from '../../schemas/error.ts';
import type { RunResult } from '../../schemas/run.ts';
import { ADVICE } from './advice.ts';

/** Characters of one text that a model reads: about 3,000 tokens. The whole result is in `structuredContent`. */
export const TEXT_BUDGET_CHARS = 12_000;
const DETAILS_BUDGET_CHARS = 3000;

/** The text beside a structured result: one line that sums up, the warning, and the result as bounded JSON. */
export function resultText(run: RunResult): string {
  return [summaryOf(run), run.untrusted, ...bounded(run, TEXT_BUDGET_CHARS)].join('\n');
}

/** The text of a failed call: the code, what is wrong, what to change, when to come back, and what is known so far. */
export function errorText(body: ErrorBody, run: RunResult | undefined): string {
  const lines = [`${body.code}: ${visible(body.message)}`];
  const advice = ADVICE[body.code];
  if (advice !== undefined) lines.push(advice);
  if (body.retryAfterMs !== undefined) lines.push(`Try again after ${body.retryAfterMs} ms.`);
  lines.push(...bounded(body, DETAILS_BUDGET_CHARS));
  if (run !== undefined) lines.push('What was known when it ended:', resultText(run));
  return lines.join('\n');
}

// Controls, format characters (bidi overrides: CVE-2021-42574, tag characters), and what is drawn as nothing.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{DI}]/gu;

/**
 * Shows characters that terminals and models obey without anybody seeing them, as JSON escapes: a banner must not
 * carry hidden text. Inside JSON the value stays the same.
 */
export function visible(text: string): string {
  return text.replace(HIDDEN, (hidden) =>
    hidden
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

function summaryOf(run: RunResult): string {
  const seconds = (run.durationMs / 1000).toFixed(1);
  const targets = run.targets
    .slice(0, 3)
    .map((target) => target.canonical)
    .join(', ');
  const more = run.targets.length > 3 ? ` and ${run.targets.length - 3} more` : '';
  const parts = [`${run.tool} ${run.outcome} in ${seconds} s${targets === '' ? '' : ` against ${targets}${more}`}`];
  const counts = countsOf(run.result);
  if (counts !== '') parts.push(counts);
  if (!run.complete) parts.push('INCOMPLETE: "not listed" does not mean "not there"');
  if (run.cuts.length > 0) parts.push('too large in part: see cuts');
  if (run.degraded.length > 0) parts.push(`degraded: ${run.degraded.join('; ')}`);
  return visible(`${parts.join('. ')}. Run ${run.runId}.`);
}

function countsOf(result: unknown): string {
  if (typeof result !== 'object' || result === null) return '';
  return Object.entries(result)
    .filter((entry): entry is [string, unknown[]] => Array.isArray(entry[1]))
    .map(([name, list]) => `${name}: ${list.length}`)
    .join(', ');
}

/** From everything to almost nothing; the first that fits is shown. */
const CUTS = [
  { items: 100, chars: 2000 },
  { items: 30, chars: 500 },
  { items: 10, chars: 200 },
  { items: 3, chars: 100 },
  { items: 1, chars: 40 },
] as const;

/** Valid JSON within the budget, and a marker when something was cut. */
function bounded(value: unknown, budget: number): string[] {
  const whole = visible(JSON.stringify(value));
  if (whole.length <= budget) return [whole];
  for (const cut of CUTS) {
    const json = visible(JSON.stringify(shrink(value, cut)));
    if (json.length <= budget)
      return [
        json,
        `Cut: at most ${cut.items} entries of a list and ${cut.chars} characters of a text are shown here.`,
      ];
  }
  return ['Cut: it is too large to be shown here.'];
}

function shrink(value: unknown, cut: (typeof CUTS)[number]): unknown {
  if (typeof value === 'string') return value.length > cut.chars ? `${value.slice(0, cut.chars)}…` : value;
  if (Array.isArray(value)) return value.slice(0, cut.items).map((child) => shrink(child, cut));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, shrink(child, cut)]));
}
