import type { EngagementDocument } from '../../../schemas/engagement.ts';
import type { Asker } from './types.ts';

/** The entry of `principals` that names every key. */
export const EVERYBODY = '*';

/** Whether a list names somebody, by the id or the name of the key, exactly. An empty list names nobody. */
export function isNamed({ principals }: Pick<EngagementDocument, 'principals'>, who: Asker): boolean {
  return principals.some((entry) => entry === EVERYBODY || entry === who.id || entry === who.name);
}

/** Whether one key could be named by both lists. */
export function sharePrincipal(one: readonly string[], other: readonly string[]): boolean {
  if (one.length === 0 || other.length === 0) return false;
  if (one.includes(EVERYBODY) || other.includes(EVERYBODY)) return true;
  const names = new Set(one);
  return other.some((entry) => names.has(entry));
}
