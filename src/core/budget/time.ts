import type { Clock } from '../clock.ts';

/** Ages of what was taken: milliseconds since the epoch as this process counts them. */
export interface BudgetTime {
  now(): number;
  /** From now on no earlier than that. */
  notBefore(stamp: number): void;
}

/**
 * A time that starts at the wall clock and goes on by the monotonic one. Attack: whoever moves the clock of the machine
 * (or a broken time server) gets an hour's budget anew with each jump.
 */
export function createBudgetTime(clock: Clock): BudgetTime {
  let offset = clock.now() - clock.monotonic();
  const now = () => offset + clock.monotonic();
  return {
    now,
    notBefore: (stamp) => {
      offset += Math.max(0, stamp - now());
    },
  };
}
