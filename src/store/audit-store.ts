import type { AuditCheckpoint, AuditRecord } from '../../schemas/audit.ts';
import { canonicalText } from '../core/audit/canonical.ts';
import { textOf } from '../core/audit/chain.ts';
import type { AuditStore } from '../core/audit/types.ts';
import { SallyportError } from '../core/errors.ts';
import type { StoreParts } from './store-parts.ts';

/** The table of the audit. */
export function createAuditStore({ writer, reader }: StoreParts): AuditStore {
  return {
    append: (records) =>
      writer.call(
        'appendAudit',
        records.map((record) => {
          const { seq, hash, prev, type, runId } = record;
          return { seq, hash, prev, type, runId, text: textOf(record) };
        }),
      ),
    page: async (window) => (await reader.call('auditPage', window)).map(parsed<AuditRecord>),
    rows: (after, limit) => reader.call('auditRows', { after, limit }),
    last: async () => optional<AuditRecord>(await reader.call('lastAudit', undefined)),
    addCheckpoint: (checkpoint) =>
      writer.call('addAuditCheckpoint', { seq: checkpoint.seq, text: canonicalText(checkpoint) }),
    checkpoints: (after, limit) => reader.call('auditCheckpoints', { after, limit }),
    lastCheckpoint: async () => optional<AuditCheckpoint>(await reader.call('lastAuditCheckpoint', undefined)),
  };
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names what was written
function optional<T>(text: string | undefined): T | undefined {
  return text === undefined ? undefined : parsed<T>(text);
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names what was written
function parsed<T>(text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new SallyportError(
      'ERR_AUDIT_UNAVAILABLE',
      'The table of the audit is damaged; run `sallyport audit verify`.',
      {
        cause,
      },
    );
  }
}
