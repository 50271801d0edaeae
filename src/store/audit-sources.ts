import { open, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { readRecord } from '../core/audit/chain.ts';
import type { AuditRow, AuditStore } from '../core/audit/types.ts';
import type { CheckpointSource, VerifyInput } from '../core/audit/verify-types.ts';
import { auditPaths } from './audit-file.ts';
import { readFileEnd, readLines } from './audit-lines.ts';

/** What is verified of a data directory. */
export interface AuditPlace {
  readonly store: AuditStore;
  readonly dataDir: string;
  /** Files of checkpoints that were kept outside. */
  readonly anchors: readonly string[];
}

/** Rows and lines that are handed on together. */
const PAGE = 1000;
/** Time in which what is being written arrives in both copies. */
const SETTLE_MS = 500;

/**
 * Everything of a data directory that a verification reads, also while a gateway writes. What is read first are the
 * checkpoints: a record that was signed before this moment must be there, and what is written after it is left out.
 * Throws the system's error for a file of checkpoints that cannot be read.
 */
export async function auditSources({ store, dataDir, anchors }: AuditPlace): Promise<Omit<VerifyInput, 'publicKeys'>> {
  const paths = auditPaths(dataDir);
  const outside = await Promise.all(anchors.map(anchorSource));
  const inFile = await fileSource(paths.checkpoints, 'checkpoints.jsonl', (await sizeOf(paths.checkpoints)) ?? 0);
  // One that cannot be read is a fault to be told, not the end.
  const signedUntil = await store.lastCheckpoint().then(
    (checkpoint) => checkpoint?.seq ?? 0,
    () => Number.POSITIVE_INFINITY,
  );
  const inTable = { name: 'checkpoints of the table', lines: tableCheckpoints(store, signedUntil) };
  const until = await commonEnd(store, paths.records);
  return {
    records: rows(store, until),
    file: pagesOf(paths.records),
    checkpoints: [inFile, inTable, ...outside],
    until,
  };
}

/** The number of the last record that either copy has now; both have it when this resolves, if ever they will. */
async function commonEnd(store: AuditStore, path: string): Promise<number> {
  const inFile = await lastInFile(path);
  const inTable = await lastInTable(store);
  if (inFile !== inTable) await sleep(SETTLE_MS);
  return Math.max(inFile, inTable);
}

async function lastInTable(store: AuditStore): Promise<number> {
  return (await store.last().catch(() => undefined))?.seq ?? 0;
}

async function lastInFile(path: string): Promise<number> {
  if ((await sizeOf(path)) === undefined) return 0;
  const handle = await open(path, 'r');
  try {
    const { last } = await readFileEnd(handle);
    return last === undefined ? 0 : (readRecord(last)?.record.seq ?? 0);
  } finally {
    await handle.close();
  }
}

async function* rows(store: AuditStore, until: number): AsyncGenerator<readonly AuditRow[]> {
  for (let after = 0; ; ) {
    const page = await store.rows(after, PAGE);
    const last = page.at(-1);
    if (last === undefined) return;
    yield page;
    if (last.seq > until) return;
    after = last.seq;
  }
}

async function* pagesOf(path: string): AsyncGenerator<readonly string[]> {
  let page: string[] = [];
  for await (const { text } of readLines(path)) {
    page.push(text);
    if (page.length < PAGE) continue;
    yield page;
    page = [];
  }
  yield page;
}

async function* tableCheckpoints(store: AuditStore, until: number): AsyncGenerator<string> {
  for (let after = -1; ; ) {
    const page = await store.checkpoints(after, PAGE);
    for (const { seq, text } of page) {
      if (seq > until) return;
      yield text;
      after = seq;
    }
    if (page.length === 0) return;
  }
}

async function anchorSource(path: string): Promise<CheckpointSource> {
  // Whoever names a file that is not there must not be told that all is well.
  return fileSource(path, `anchor ${path}`, (await stat(path)).size);
}

async function fileSource(path: string, name: string, size: number): Promise<CheckpointSource> {
  return { name, lines: checkpointLines(path, size) };
}

/** Also of messages that a log server kept: the checkpoint is the JSON in them, alone or as `data` of a webhook. */
async function* checkpointLines(path: string, size: number): AsyncGenerator<string> {
  for await (const { text, end } of readLines(path)) {
    // What was written since, or is being written.
    if (end > size) return;
    if (text.trim() !== '') yield checkpointIn(text);
  }
}

function checkpointIn(line: string): string {
  const text = line.slice(Math.max(0, line.indexOf('{')));
  try {
    const { data } = JSON.parse(text) as { readonly data?: unknown };
    return data === undefined ? text : JSON.stringify(data);
  } catch {
    return text;
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
}
