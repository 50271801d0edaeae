import type { Redactor } from '../core/redaction/redactor.ts';
import { cleanResult, cleanText } from '../core/redaction/untrusted.ts';
import type { RunText } from '../core/run/conclusion.ts';

/** What one answer may hold; a result that is larger says in `cuts` what is missing. */
const LIMITS = { maxText: 8192, maxItems: 2000, maxDepth: 12 };
const MAX_EVENT_TEXT = 300;

/** Cleaning of what targets wrote and masking of what is secret, for every answer and event of a run. */
export function createRunText(redactor: Redactor): RunText {
  return {
    cleanResult: (value) => cleanResult(value, LIMITS),
    cleanEvent: (event) =>
      event.message === undefined
        ? event
        : { ...event, message: redactor.redactText(cleanText(event.message, MAX_EVENT_TEXT)) },
    mask: <T>(value: T, secrets: readonly string[]): T => {
      const release = secrets.map((secret) => redactor.register(secret));
      try {
        return redactor.redactValue(value) as T;
      } finally {
        for (const forget of release) forget();
      }
    },
  };
}
