import type { TSchema } from '@sinclair/typebox';
import { ErrorBodySchema } from '../../../schemas/error.ts';

/** What a route answers, for its schema: with `tags` and `summary` the part that the OpenAPI document shows. */
export function answers(answer: TSchema, status: 200 | 204 = 200): { response: Record<string, TSchema> } {
  return { response: { [status]: answer, default: ErrorBodySchema } };
}

/**
 * Writes an answer as it is. The compiled serializer would drop what its schema does not name, without a word: names in
 * a finding's attributes come from targets, and one with a line break fits no `patternProperties`.
 */
export const serializeWhole = () => (answer: unknown) => JSON.stringify(answer);
