import { cutText, lineField, MASK_MARGIN } from '../core/findings/field-text.ts';
import type { Redactor } from '../core/redaction/redactor.ts';
import { type CleanedResult, cleanResult, cleanText, type Cut } from '../core/redaction/untrusted.ts';
import type { RunText } from '../core/run/conclusion.ts';

/** What one answer may hold; a result that is larger says in `cuts` what is missing. */
const LIMITS = { maxText: 8192, maxItems: 2000, maxDepth: 12 };
const MAX_EVENT_TEXT = 300;
const MAX_TAIL_TEXT = 4096;

/** Output of a tool without control characters and escapes; its lines stay. */
export function cleanOutput(text: string): string {
  return cleanText(text, text.length, { keepNewlines: true });
}

/** Cleaning of what targets wrote and masking of what is secret, for every answer and event of a run. */
export function createRunText(redactor: Pick<Redactor, 'redactText' | 'masker'>): RunText {
  const clean = (text: string, maxLength: number) => redactor.redactText(cleanText(text, maxLength));
  return {
    cleanResult: (value, mask = unmasked) => maskedResult(value, mask),
    cleanEvent(event, mask = unmasked) {
      if (event.message === undefined) return event;
      return { ...event, message: lineField(event.message, MAX_EVENT_TEXT, { clean, mask }) };
    },
    cleanField: (text, maxLength) => cleanText(text, maxLength, { keepNewlines: true }),
    cleanTail: (text) => redactor.redactText(cleanText(text, MAX_TAIL_TEXT, { keepNewlines: true })),
    masker: (secrets, output) => {
      const masker = redactor.masker({ given: () => secrets, schema: output });
      return <T>(value: T) => masker.value(value) as T;
    },
  };
}

type Mask = <T>(value: T) => T;
const unmasked: Mask = (value) => value;

/** Cleaned with a margin, masked, and only then cut: a secret that lies across the bound would else lose its end only. */
function maskedResult(value: unknown, mask: Mask): CleanedResult {
  const wide = cleanResult(value, { ...LIMITS, maxText: LIMITS.maxText + MASK_MARGIN });
  const cuts = new Map(wide.cuts.map((cut) => [`${cut.kind} ${cut.path}`, cut]));
  const fitted = fit(mask(wide.value), '', cuts);
  return { value: fitted, cuts: [...cuts.values()] };
}

function fit(value: unknown, path: string, cuts: Map<string, Cut>): unknown {
  if (typeof value === 'string') return fitText(value, path, cuts);
  if (typeof value !== 'object' || value === null) return value;
  const inner = (name: string, item: unknown) => fit(item, path === '' ? name : `${path}.${name}`, cuts);
  if (Array.isArray(value)) return value.map((item, at) => inner(String(at), item));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, inner(name, item)]));
}

function fitText(text: string, path: string, cuts: Map<string, Cut>): string {
  if (text.length <= LIMITS.maxText) return text;
  const cut = cuts.get(`text ${path}`);
  const whole = cut === undefined ? text.length : LIMITS.maxText + MASK_MARGIN + cut.omitted;
  const short = cutText(text, LIMITS.maxText, whole);
  cuts.set(`text ${path}`, { path, kind: 'text', omitted: Math.max(1, whole - LIMITS.maxText) });
  return short;
}
