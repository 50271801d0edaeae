import type { Redactor } from '../core/redaction/redactor.ts';
import { cleanResult, cleanText } from '../core/redaction/untrusted.ts';
import type { RunText } from '../core/run/conclusion.ts';

/** What one answer may hold; a result that is larger says in `cuts` what is missing. */
const LIMITS = { maxText: 8192, maxItems: 2000, maxDepth: 12 };
const MAX_EVENT_TEXT = 300;

/** Cleaning of what targets wrote and masking of what is secret, for every answer and event of a run. */
export function createRunText(redactor: Pick<Redactor, 'redactText' | 'masker'>): RunText {
  return {
    cleanResult: (value) => cleanResult(value, LIMITS),
    cleanEvent: (event) =>
      event.message === undefined
        ? event
        : { ...event, message: redactor.redactText(cleanText(event.message, MAX_EVENT_TEXT)) },
    masker: (secrets, output) => {
      const masker = redactor.masker({ given: () => secrets, schema: output });
      return <T>(value: T) => masker.value(value) as T;
    },
  };
}
