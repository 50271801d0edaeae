import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Clock, systemClock } from '../core/clock.ts';
import { SallyportError } from '../core/errors.ts';
import type { Store } from '../core/store/types.ts';
import { createApprovalStore } from './approval-store.ts';
import { createAuditStore } from './audit-store.ts';
import { createBudgetStore } from './budget-store.ts';
import type { Connection } from './connection.ts';
import { createEngagementStore } from './engagement-store.ts';
import { createFaultWatch, type FaultWatch } from './fault-watch.ts';
import { createFindingStore } from './finding-store.ts';
import { createKillStore } from './kill-store.ts';
import { createPlanStore } from './plan-store.ts';
import { createKeyStore, createSecretStore, createToolStateStore } from './key-store.ts';
import { createOutputStore } from './output-store.ts';
import type { READS } from './reads.ts';
import { createRunStore } from './run-store.ts';
import { openStoreFile, storePath } from './store-file.ts';
import type { StoreParts } from './store-parts.ts';
import { createThread, type Operations, type Thread, type ThreadData } from './thread.ts';
import type { WRITES } from './writes.ts';

/** How to open a store. */
export interface StoreOptions {
  readonly clock?: Clock;
  /** Never writes, makes or imports anything; every write rejects. */
  readonly readOnly?: boolean;
}

/**
 * Opens `<dataDir>/sallyport.db`, a file of mode 0600, making it when it is not there and importing what version 0.1 kept
 * beside it. Several processes may have it open. Throws ERR_STORE_UNAVAILABLE, which names the file.
 */
export async function openStore(dataDir: string, options: StoreOptions = {}): Promise<Store> {
  const { clock = systemClock, readOnly: isReadOnly = false } = options;
  const data: ThreadData = { path: storePath(resolve(dataDir)), isReadOnly };
  const { connection, cursorKey } = await openStoreFile(resolve(dataDir), isReadOnly);
  const watch = createFaultWatch(clock);
  const parts: StoreParts = {
    writer: isReadOnly ? REFUSING : threadOf<typeof WRITES>('writer', data, watch),
    reader: threadOf<typeof READS>('reader', data, watch),
    clock,
  };
  const aside = <T>(ask: (thread: StoreParts['reader']) => Promise<T>): Promise<T> =>
    inOwnThread(threadOf<typeof READS>('reader', data, watch), ask);
  return {
    runs: createRunStore(parts),
    output: createOutputStore(parts),
    findings: createFindingStore(parts),
    keys: createKeyStore(parts, connection),
    secrets: createSecretStore(parts),
    tools: createToolStateStore(parts),
    engagements: createEngagementStore(parts),
    plans: createPlanStore(parts),
    approvals: createApprovalStore(parts),
    budgets: createBudgetStore(parts),
    kills: createKillStore(parts),
    audit: createAuditStore(parts),
    cursorKey,
    fault: watch.fault,
    probe: () => parts.writer.call('probe', undefined),
    size: () => sizeOf(data.path),
    backup: (to) => aside((thread) => thread.call('backup', { to: resolve(to) })),
    check: () => aside((thread) => thread.call('check', undefined)),
    close: closeOnce(connection, parts),
  };
}

/** The writer of a store that was opened for reading. */
const REFUSING: StoreParts['writer'] = {
  call: async () => {
    throw new SallyportError('ERR_STORE_UNAVAILABLE', 'The store was opened for reading only.');
  },
  close: async () => undefined,
};

function threadOf<O extends Operations>(role: 'writer' | 'reader', data: ThreadData, watch: FaultWatch): Thread<O> {
  const onAnswers = role === 'writer' ? watch.written : watch.read;
  return createThread<O>({ entry: new URL(`./${role}.ts`, import.meta.url), name: `store-${role}`, data, onAnswers });
}

/** So that nobody waits for the copy or the check of a large file. */
async function inOwnThread<T>(
  thread: StoreParts['reader'],
  ask: (thread: StoreParts['reader']) => Promise<T>,
): Promise<T> {
  try {
    return await ask(thread);
  } finally {
    await thread.close();
  }
}

async function sizeOf(path: string): Promise<number> {
  const sizes = [path, `${path}-wal`].map(async (each) => (await stat(each).catch(() => undefined))?.size ?? 0);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** The writer goes last: the last connection copies the log into the file, and that takes a while. */
function closeOnce(connection: Connection, { reader, writer }: StoreParts): () => Promise<void> {
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    connection.close();
    await reader.close();
    await writer.close();
  };
  return () => {
    closing ??= close();
    return closing;
  };
}
