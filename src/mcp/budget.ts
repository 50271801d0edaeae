import { RunOptionsSchema } from '../../schemas/run.ts';

/** Tokens of an answer when the call names no other number. */
export const DEFAULT_TOKENS = 4000;

const { minimum = 0, maximum = 0 } = RunOptionsSchema.properties.maxTokens;

/** The number that a call asked for; the default when it is none, because whoever checks it has refused it then. */
export function tokensOfCall(maxTokens: unknown): number {
  const isValid =
    typeof maxTokens === 'number' && Number.isInteger(maxTokens) && maxTokens >= minimum && maxTokens <= maximum;
  return isValid ? maxTokens : DEFAULT_TOKENS;
}
