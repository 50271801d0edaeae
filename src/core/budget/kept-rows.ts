import { SallyportError, toSallyportError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { BudgetStore, StoredReservation } from './types.ts';

/** Writes that may wait, before nothing new is begun. */
export const MAX_WAITING = 1000;

/** Reservations on their way to the store. Of one reservation there is never more than one write under way. */
export interface KeptRows {
  /** Durable when it resolves. Rejects with ERR_STORE_UNAVAILABLE, and then removes what may have been written all the same. */
  add(row: StoredReservation): Promise<void>;
  /** Resolves when it is durable or known to wait; never rejects. */
  settle(row: StoredReservation): Promise<void>;
  /** Tries what waits. Never rejects. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface KeptRowsOptions {
  readonly store: Pick<BudgetStore, 'put' | 'drop'>;
  readonly log: Log;
  readonly retryMs: number;
}

/** Makes the way to the store; what fails is tried again and again. */
export function createKeptRows({ store, log, retryMs }: KeptRowsOptions): KeptRows {
  const waiting = new Map<string, () => Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  const attempt = async (id: string, write: () => Promise<void>): Promise<void> => {
    try {
      await write();
    } catch (thrown) {
      waiting.set(id, write);
      log.warn('budget.unsettled', { reservation: id, waiting: waiting.size, code: toSallyportError(thrown).code });
      if (isClosed) return;
      timer ??= setTimeout(() => void flush(), retryMs).unref();
    }
  };
  const flush = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const batch = [...waiting];
    // Out of the map while it is written: two flushes at once must not write the same twice.
    waiting.clear();
    await Promise.all(batch.map(async ([id, write]) => attempt(id, write)));
  };
  return {
    add: async (row) => {
      // Attack: a caller that goes on while the store fails fills the memory with what waits for it.
      if (waiting.size >= MAX_WAITING) throw unavailable();
      try {
        await store.put(row);
      } catch (thrown) {
        // The answer may have been lost and not the write: a row that nobody settles would count for ever.
        void attempt(row.id, async () => store.drop(row.id));
        throw unavailable(thrown);
      }
    },
    settle: async (row) => attempt(row.id, async () => store.put(row)),
    flush,
    close: async () => {
      isClosed = true;
      await flush();
    },
  };
}

/** Nothing may start while budgets cannot be kept. */
export function unavailable(cause?: unknown): SallyportError {
  return new SallyportError(
    'ERR_STORE_UNAVAILABLE',
    'The budgets cannot be written down, so nothing starts; try again.',
    {
      cause,
    },
  );
}
