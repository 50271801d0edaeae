import { type ErrorCode, SallyportError } from '../errors.ts';
import { escapedText } from '../redaction/spellings.ts';

/** Every rule that can refuse a target: the closed list behind `details.rule` and the metric label. */
export const TARGET_RULES = {
  'target.spelling': 'ERR_TARGET_INVALID',
  'target.always-denied': 'ERR_TARGET_OUT_OF_SCOPE',
  'target.loopback': 'ERR_TARGET_OUT_OF_SCOPE',
  'target.own-address': 'ERR_TARGET_OUT_OF_SCOPE',
  'target.deny': 'ERR_TARGET_OUT_OF_SCOPE',
  'target.scope': 'ERR_TARGET_OUT_OF_SCOPE',
  'target.resolver': 'ERR_TARGET_OUT_OF_SCOPE',
  'target.ports-denied': 'ERR_TARGET_OUT_OF_SCOPE',
  'target.unresolved': 'ERR_TARGET_UNRESOLVED',
  'target.size': 'ERR_TARGET_TOO_LARGE',
} as const satisfies Record<string, ErrorCode>;

export type TargetRule = keyof typeof TARGET_RULES;

/** A rule that said no, before the claim it concerns is known. */
export interface Refusal {
  readonly rule: TargetRule;
  /** Which rule and what would be allowed instead; no text of a target that is not quoted. */
  readonly message: string;
  /** What would be allowed, where that can be said. */
  readonly instead?: string;
  readonly cause?: unknown;
  readonly details?: Record<string, unknown>;
}

/** The error of a refusal: its code follows from the rule, `details` name the rule and the input field. */
export function refusalError(refusal: Refusal, field: string): SallyportError {
  return new SallyportError(TARGET_RULES[refusal.rule], `${field}: ${refusal.message}`, {
    details: {
      rule: refusal.rule,
      field,
      ...(refusal.instead === undefined ? {} : { instead: refusal.instead }),
      ...refusal.details,
    },
    ...(refusal.cause === undefined ? {} : { cause: refusal.cause }),
  });
}

/** What a strict reader answers: the value, or one sentence that says what is wrong with the spelling. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: string };

/** A successful reading. */
export function parsed<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

/** A failed reading. */
export function fault(sentence: string): { readonly ok: false; readonly fault: string } {
  return { ok: false, fault: sentence };
}

/** Longer than any name, and than what an operator may write. */
const MAX_QUOTED = 512;

/**
 * Somebody else's text for a message: quoted and escaped to printable ASCII, so that it cannot forge a log line. Whole or
 * not at all: the first half of a password is known to no mask, so a cut would put it into answers and the audit.
 */
export function quote(text: string): string {
  if (text.length > MAX_QUOTED) return `a text of ${text.length} characters`;
  return escapedText(JSON.stringify(text));
}
