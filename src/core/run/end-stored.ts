import { setTimeout as sleep } from 'node:timers/promises';
import { SallyportError } from '../errors.ts';
import type { EngineParts } from './engine-parts.ts';
import type { Journal, RunEnd } from './journal.ts';

/** Ends that could not be stored yet. */
export type UnstoredEnds = Set<() => Promise<void>>;

/** Time between two tries to store the end of a run, and how many are made: one hour. */
const RETRY_MS = 5000;
const TRIES = 720;

/**
 * Stores the end of a run. Rejects with ERR_STORE_UNAVAILABLE when it cannot be stored now; it is then tried on in the
 * background, so that a disk that is full for a while costs nobody a result. A gateway that ends before leaves it `lost`.
 */
export async function endStored(parts: EndParts, journal: Journal, end: RunEnd): Promise<void> {
  try {
    await journal.end(end);
  } catch (cause) {
    parts.log.error('store.failed', { runId: journal.runId, err: cause });
    void tryOn(parts, journal, end);
    throw new SallyportError(
      'ERR_STORE_UNAVAILABLE',
      `The end of run ${journal.runId} cannot be stored now; it is tried again, so look at the run later.`,
      { cause },
    );
  }
}

async function tryOn({ log, unstored }: EndParts, journal: Journal, end: RunEnd): Promise<void> {
  const store = async () => {
    await journal.end(end);
    unstored.delete(store);
    log.info('run.recovered', { runId: journal.runId, state: end.state });
  };
  unstored.add(store);
  for (let round = 0; round < TRIES && unstored.has(store); round += 1) {
    await sleep(RETRY_MS, undefined, { ref: false });
    // The store says in /health and in its own log what is wrong with it.
    if (unstored.has(store)) await store().catch(() => undefined);
  }
  unstored.delete(store);
}

/** The last try, when the gateway stops in order: the disk may have room again. Never rejects. */
export async function storeEnds(unstored: UnstoredEnds): Promise<void> {
  await Promise.all([...unstored].map((store) => store().catch(() => undefined)));
}

type EndParts = Pick<EngineParts, 'log'> & { readonly unstored: UnstoredEnds };
