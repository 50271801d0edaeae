import { SallyportError } from '../errors.ts';
import type { StoredKill } from './types.ts';

/**
 * What a caller is told whose run is refused or ended. Neither who pulled the switch nor why: a reason may name another
 * tenant's engagement, and it is read by a language model.
 */
export function killRefusal({ engagement, since }: Pick<StoredKill, 'engagement' | 'since'>): SallyportError {
  const what = engagement === null ? 'everything' : `engagement ${engagement}`;
  return refuse(
    `The operator's kill switch is on for ${what} since ${new Date(since).toISOString()}: nothing runs under it until an operator lifts it. Do not try again by yourself.`,
    engagement,
  );
}

/** The answer while it is not known yet which switches are on. */
export function unknownRefusal(): SallyportError {
  return refuse(
    'The kill switches are not read yet, so nothing may run; try again once the gateway has started.',
    null,
  );
}

/** The answer to a lift of everything while the sentinel file keeps it on. */
export function fileThere(): SallyportError {
  return new SallyportError(
    'ERR_KILL_SWITCH',
    'The sentinel file (kill.file) is there, or cannot be looked at: everything stays killed until it is removed. Then lift what else is on.',
    { details: { rule: 'kill.file' } },
  );
}

/** The answer to a lift that cannot be. */
export function unliftable(message: string): SallyportError {
  return new SallyportError('ERR_INPUT_INVALID', message, { details: { rule: 'kill.lift' } });
}

/** The answer to a lift that somebody's kill has overtaken. */
export function pulledAgain({ engagement }: StoredKill): SallyportError {
  return new SallyportError('ERR_KILL_SWITCH', 'It was pulled again while it was being lifted, so it stays on.', {
    details: { rule: 'kill.lift', ...(engagement === null ? {} : { engagement }) },
  });
}

/** The answer to a kill of nothing. */
export function unknownEngagement(): SallyportError {
  return new SallyportError(
    'ERR_ENGAGEMENT_UNKNOWN',
    'There is no such engagement and no run under it: nothing was killed. Name one that exists, or none for everything.',
    { details: { rule: 'kill.engagement' } },
  );
}

/** The answer to a kill that is in force, but is not durable or has not ended everything yet. */
export function incomplete(
  isKept: boolean,
  counts: { readonly endedRuns: number; readonly survivors: number },
): SallyportError {
  const message = isKept
    ? 'The kill switch is on and every run was told to end, but not all of them are over yet: look at the running ones.'
    : 'The kill switch is on and its runs are ended, but it cannot be stored and would not survive a restart: make the sentinel file (kill.file), or mend the store.';
  return new SallyportError('ERR_STORE_UNAVAILABLE', message, { details: { rule: 'kill.durable', ...counts } });
}

function refuse(message: string, engagement: string | null): SallyportError {
  const scope = engagement === null ? { scope: 'all' } : { scope: 'engagement', engagement };
  return new SallyportError('ERR_KILL_SWITCH', message, { details: { rule: 'kill.switch', ...scope } });
}
