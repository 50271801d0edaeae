import type { Principal } from '../auth/types.ts';
import { SallyportError } from '../errors.ts';

/** What is looked at of a request for one run. */
export interface RunCallRequest {
  readonly principal: Principal | null;
  readonly params: { readonly id: string };
}

const RUN_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** Who asks. Throws ERR_AUTH_REQUIRED: a route that slipped past authentication shows nobody's runs. */
export function callerOf({ principal }: Pick<RunCallRequest, 'principal'>): Principal {
  if (principal !== null) return principal;
  throw new SallyportError('ERR_AUTH_REQUIRED', 'Send a key.');
}

/** Caller and run of a request. A text that can be no id is answered as an unknown run (ERR_RUN_UNKNOWN). */
export function runCallOf({ principal, params }: RunCallRequest): [who: Principal, runId: string] {
  return [callerOf({ principal }), runIdOf(params.id)];
}

/** The id of a run. Throws ERR_RUN_UNKNOWN, with the body of every other unknown run, for what can be none. */
export function runIdOf(text: string): string {
  if (RUN_ID.test(text)) return text;
  throw new SallyportError('ERR_RUN_UNKNOWN', 'There is no such run.');
}
