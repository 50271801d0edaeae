import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAnchors } from '../src/core/audit/anchors.ts';
import { createAudit } from '../src/core/audit/audit.ts';
import { textOf } from '../src/core/audit/chain.ts';
import type { Audit, AuditEvent } from '../src/core/audit/types.ts';
import { systemClock as clock } from '../src/core/clock.ts';
import type { Store } from '../src/core/store/types.ts';
import { createAuditFile } from '../src/store/audit-file.ts';
import { openAuditKey } from '../src/store/audit-key.ts';
import { openStore } from '../src/store/store.ts';
import type { Processes } from './processes.ts';
import type { Sizes } from './sizes.ts';
import { ratios, ratioText, spreadText, type Table } from './statistics.ts';

/** Records on their way at once, and lines of one sync of the bare file. */
const WIDTHS = [1, 64] as const;
const WARM_UP = 64;
/** As long as the record of a run that starts. */
const EVENT: AuditEvent = {
  type: 'run.started',
  principal: 'key_0123456789abcdef',
  engagement: 'acme-q4',
  runId: 'run_0123456789abcdefghij',
  requestId: '01890a5d-ac96-774b-bcce-b302099a8057',
  digest: 'ab'.repeat(32),
  data: {
    tool: 'nmap',
    argv: ['-n', '-sT', '-Pn', '-p', '22,80,443', '-oX', '-', '10.77.0.10'],
    addresses: ['10.77.0.10'],
  },
};

/** Records of the audit in a second, against lines of the same length that are appended to a file and synced. */
export async function measureAudit(_processes: Processes, sizes: Sizes): Promise<Table> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-audit-bench-'));
  const store = await openStore(directory);
  const { audit, length } = await openMeasured(directory, store);
  const bare = await open(join(directory, 'bare.jsonl'), 'ax', 0o600);
  const line = Buffer.from(`${'x'.repeat(length)}\n`);
  try {
    const rows: string[][] = [];
    for (const width of WIDTHS) {
      const [ours, theirs]: [number[], number[]] = [[], []];
      for (let round = 0; round < sizes.rounds; round += 1) {
        ours.push(await rateOf(sizes.auditRecords, width, (count) => appendTogether(audit, count)));
        theirs.push(await rateOf(sizes.auditRecords, width, (count) => appendBare(bare, line, count)));
      }
      const what = width === 1 ? 'one after the other' : `${width} at once`;
      rows.push([what, spreadText(ours, '/s'), spreadText(theirs, '/s'), ratioText(ratios(ours, theirs))]);
    }
    const title = `(i) records of the audit (${length} bytes), against the same bytes appended to a file and synced`;
    return { title, head: ['row', 'records', 'bare lines', 'audit ÷ bare'], rows };
  } finally {
    await audit.close();
    await bare.close();
    await store.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function openMeasured(directory: string, store: Store): Promise<{ audit: Audit; length: number }> {
  const none = (): void => undefined;
  const recorder = { count: none, gauge: none, observe: none };
  const log = { info: none, warn: none, error: none };
  const anchors = createAnchors({ anchors: [], recorder, log });
  const parts = { store: store.audit, file: createAuditFile(directory), signer: openAuditKey(directory), anchors };
  const audit = await createAudit({ ...parts, checkpointEvery: () => 100, clock, recorder, log });
  await appendTogether(audit, WARM_UP);
  return { audit, length: Buffer.byteLength(textOf(await audit.append(EVENT)), 'utf8') };
}

async function appendTogether(audit: Audit, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, () => audit.append(EVENT)));
}

async function appendBare(file: FileHandle, line: Buffer, count: number): Promise<void> {
  await file.appendFile(Buffer.concat(Array.from({ length: count }, () => line)));
  await file.datasync();
}

/** In a second; `write` is called with so many at once until all are written. */
async function rateOf(records: number, width: number, write: (count: number) => Promise<void>): Promise<number> {
  const start = performance.now();
  for (let done = 0; done < records; done += width) await write(width);
  return (Math.ceil(records / width) * width * 1000) / (performance.now() - start);
}
