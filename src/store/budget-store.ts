import type { BudgetStore } from '../core/budget/types.ts';
import type { StoreParts } from './store-parts.ts';

/** Reservations that one transaction folds: others that write do not wait long. */
const FOLDED_AT_ONCE = 500;

/** Reservations of budgets. */
export function createBudgetStore({ writer, reader }: StoreParts): BudgetStore {
  return {
    put: (reservation) => writer.call('putReservation', reservation),
    drop: (id) => writer.call('dropReservation', { id }),
    load: (since, byTarget) => reader.call('reservations', { since, byTarget }),
    fold: async (before) => {
      let sum = 0;
      for (;;) {
        const folded = await writer.call('foldReservations', { before, limit: FOLDED_AT_ONCE });
        sum += folded;
        if (folded < FOLDED_AT_ONCE) return sum;
      }
    },
  };
}
