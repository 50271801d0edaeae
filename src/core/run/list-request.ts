import { SallyportError } from '../errors.ts';

const DEFAULT_LIMIT = 50;
/** Entries of a page, at least and at most. */
export const PAGE_LIMIT = { minimum: 1, maximum: 200 } as const;
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

/** The size of a page. Throws ERR_INPUT_INVALID outside 1 to 200. */
export function limitOf(limit: number | undefined): number {
  if (limit === undefined) return DEFAULT_LIMIT;
  const { minimum, maximum } = PAGE_LIMIT;
  if (Number.isSafeInteger(limit) && limit >= minimum && limit <= maximum) return limit;
  throw new SallyportError('ERR_INPUT_INVALID', `limit must be ${minimum} to ${maximum}.`);
}

/** A time of a filter as milliseconds, under its name; nothing when it is not given. Throws ERR_INPUT_INVALID. */
export function timeOf<N extends string>(name: N, text: string | undefined): Partial<Record<N, number>> {
  if (text === undefined) return {};
  const at = RFC3339.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw new SallyportError('ERR_INPUT_INVALID', `${name} must be a time as in RFC 3339.`);
  return { [name]: at } as Partial<Record<N, number>>;
}

/** The given object without its undefined properties. */
export function definedOnly<T extends object>(given: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}
