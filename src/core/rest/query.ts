import type { RunState } from '../../../schemas/run-record.ts';
import { SallyportError } from '../errors.ts';
import { PAGE_LIMIT } from '../run/list-request.ts';

/** Bounds of one number in a query, inclusive. */
export interface QueryRange {
  readonly name: string;
  readonly minimum: number;
  readonly maximum: number;
}

/** Entries of a page. */
export const LIMIT: QueryRange = { name: 'limit', ...PAGE_LIMIT };

/** A whole number of a query in its one spelling; out of range is refused, never clamped. Throws ERR_INPUT_INVALID. */
export function integerOf(text: string | undefined, { name, minimum, maximum }: QueryRange): number | undefined {
  if (text === undefined) return undefined;
  const value = /^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : Number.NaN;
  if (value >= minimum && value <= maximum) return value;
  throw queryFault(name, `must be a whole number from ${minimum} to ${maximum}`);
}

/** A moment of a query as it was given (RFC 3339), when there is such a moment. Throws ERR_INPUT_INVALID. */
export function momentOf(text: string | undefined, name: string): string | undefined {
  // The schema's format lets a leap second through, and no Date has one.
  if (text === undefined || !Number.isNaN(Date.parse(text))) return text;
  throw queryFault(name, 'must be a date and time of RFC 3339');
}

/** The states of a query, whether repeated or with commas between; the schema has checked each. */
export function statesOf(given: string | readonly string[] | undefined): readonly RunState[] | undefined {
  if (given === undefined) return undefined;
  const texts = typeof given === 'string' ? [given] : given;
  return [...new Set(texts.flatMap((text) => text.split(',')))] as RunState[];
}

function queryFault(name: string, message: string): SallyportError {
  return new SallyportError('ERR_INPUT_INVALID', `The query parameter ${name} ${message}.`, {
    details: { faults: [{ path: `/${name}`, message }] },
  });
}
