import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createPublicKey } from 'node:crypto';
import { createAnchors } from '../../../src/core/audit/anchors.ts';
import { type AuditParts, createAudit } from '../../../src/core/audit/audit.ts';
import type { Anchor, Audit, AuditFile, AuditStore, OpenedAudit } from '../../../src/core/audit/types.ts';
import { verifyAudit } from '../../../src/core/audit/verify.ts';
import type { AuditReport } from '../../../src/core/audit/verify-types.ts';
import { systemClock } from '../../../src/core/clock.ts';
import type { Store } from '../../../src/core/store/types.ts';
import { auditPaths, createAuditFile } from '../../../src/store/audit-file.ts';
import { openAuditKey } from '../../../src/store/audit-key.ts';
import { auditSources } from '../../../src/store/audit-sources.ts';
import { openStore } from '../../../src/store/store.ts';

/** What was logged, counted and set. */
export interface Seen {
  readonly logged: string[];
  readonly counted: string[];
  readonly gauges: Map<string, number>;
}

/** A data directory with its store, in which audits are opened one after the other. */
export interface Place extends Seen {
  readonly dataDir: string;
  readonly paths: ReturnType<typeof auditPaths>;
  readonly store: Store;
  readonly file: AuditFile;
  readonly open: (changes?: Partial<AuditParts> & { readonly outside?: readonly Anchor[] }) => Promise<OpenedAudit>;
  readonly verify: () => Promise<AuditReport>;
}

/** Makes one that goes with the test. */
export async function newPlace(t: TestContext): Promise<Place> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sallyport-audit-'));
  const store = await openStore(dataDir);
  const opened: Audit[] = [];
  t.after(async () => {
    for (const audit of opened) await audit.close();
    await store.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const seen: Seen = { logged: [], counted: [], gauges: new Map() };
  const file = createAuditFile(dataDir);
  const { recorder, log } = listeners(seen);
  const open: Place['open'] = async ({ outside = [], ...changes } = {}) => {
    const anchors = createAnchors({ anchors: outside, recorder, log, retryMs: 5 });
    const signer = openAuditKey(dataDir);
    const parts = { store: store.audit, file, signer, anchors, checkpointEvery: () => 100, retryMs: 5 };
    const audit = await createAudit({ ...parts, clock: systemClock, recorder, log, ...changes });
    opened.push(audit);
    return audit;
  };
  const verify = async (): Promise<AuditReport> =>
    verifyAudit({
      ...(await auditSources({ store: store.audit, dataDir, anchors: [] })),
      publicKeys: [createPublicKey(openAuditKey(dataDir).publicKey)],
    });
  return { ...seen, dataDir, paths: auditPaths(dataDir), store, file, open, verify };
}

/** A log and a recorder that remember. */
export function listeners({ logged, counted, gauges }: Seen): Pick<AuditParts, 'recorder' | 'log'> {
  const note = (event: string): void => void logged.push(event);
  return {
    recorder: {
      count: (name, labels) => void counted.push([name, ...Object.values(labels)].join(' ')),
      gauge: (name, _labels, value) => void gauges.set(name, value),
      observe: () => undefined,
    },
    log: { info: note, warn: note, error: note },
  };
}

/** A copy whose writes fail while `isBroken` says so: before anything is written, or after all of it was. */
export function breaking<T extends AuditStore | AuditFile>(
  copy: T,
  fails: { isBroken: false | 'before' | 'after' },
  thrown: Error = Object.assign(new Error('no space'), { code: 'ENOSPC' }),
): T {
  const append = copy.append.bind(copy) as (items: readonly unknown[]) => Promise<void>;
  return {
    ...copy,
    append: async (items: readonly unknown[]) => {
      if (fails.isBroken === 'before') throw thrown;
      await append(items);
      if (fails.isBroken === 'after') throw thrown;
    },
  };
}

/** Resolves when it holds; a test that waits in vain ends by its own limit. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
