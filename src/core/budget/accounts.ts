import type { AccountLoad } from './types.ts';

/** Guesses by place (`service://address:port/`) and login; `*` is any login. */
export type Guesses = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** The login that stands for any. */
export const ANY_LOGIN = '*';

const PLACE = /^[^/]*:\/\/[^/]*\//;

/**
 * Guesses by place and login. Attack: `admin`, `Admin` and `ADMIN` are one account of many services, and guessing at
 * each of them would lock it: spellings are counted together.
 */
export function guessesOf(loads: readonly AccountLoad[]): Guesses {
  const all = new Map<string, Map<string, number>>();
  for (const { account, guesses } of loads) {
    const key = account.normalize('NFKC').toLowerCase().normalize('NFKC');
    // What is not written as an account is an account of its own.
    const place = PLACE.exec(key)?.[0] ?? '';
    const login = key.slice(place.length);
    const logins = all.get(place) ?? new Map<string, number>();
    all.set(place, logins.set(login, (logins.get(login) ?? 0) + countOf(guesses)));
  }
  return all;
}

/** The same as a list, to be stored. */
export function accountLoads(guesses: Guesses): readonly AccountLoad[] {
  return [...guesses].flatMap(([place, logins]) =>
    [...logins].map(([login, count]) => ({ account: place + login, guesses: count })),
  );
}

/** An amount as it is counted: what is no amount is more than any limit permits. */
export function countOf(amount: number): number {
  return amount >= 0 ? amount : Number.POSITIVE_INFINITY;
}
