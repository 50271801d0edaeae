import { setTimeout as delay } from 'node:timers/promises';
import type { AuditRecord } from '../../schemas/audit.ts';
import { readPage } from '../core/audit/page.ts';
import { textOf } from '../core/audit/chain.ts';
import { readAuditKey } from '../store/audit-key.ts';
import type { Store } from '../core/store/types.ts';
import { exportAudit } from './audit-export.ts';
import { verifyAuditOf } from './audit-verify.ts';
import { type Command, type CommandContext, EXIT, parseOptions, requireNoWords, usageError } from './command.ts';
import { withStore } from './open-store.ts';
import { oneLine } from './printable.ts';
import { findDataDir } from './settings.ts';

/** `audit verify | tail | export | key`: reads the data directory itself, whether the gateway runs or not. */
export const audit: Command = async (context) => {
  const [action, ...args] = context.args;
  if (action === 'verify') return verifyAuditOf({ ...context, args });
  if (action === 'tail') return tail({ ...context, args });
  if (action === 'export') return exportAudit({ ...context, args });
  if (action === 'key') return key({ ...context, args });
  throw usageError(`audit takes verify, tail, export or key${action === undefined ? '' : `, not '${action}'`}.`);
};

const MAX_LINES = 1000;
const FOLLOW_MS = 500;

async function tail(context: CommandContext): Promise<number> {
  const { values, positionals } = parseOptions(context.args, {
    lines: { type: 'string', short: 'n', default: '50' },
    follow: { type: 'boolean', short: 'f', default: false },
    json: { type: 'boolean', default: false },
  });
  requireNoWords(positionals);
  const lines = /^\d{1,4}$/.test(values.lines) ? Number(values.lines) : Number.NaN;
  if (!(lines <= MAX_LINES)) throw usageError(`--lines takes a number from 0 to ${MAX_LINES}, not '${values.lines}'.`);
  const shown = values.json ? textOf : rowOf;
  return withStore(
    context,
    async (store) => {
      let after = Math.max(0, (await lastSeq(store)) - lines);
      for (;;) {
        after = await show(store, after, (record) => context.out(shown(record)));
        if (!values.follow || context.signal.aborted) return EXIT.ok;
        await delay(FOLLOW_MS, undefined, { signal: context.signal }).catch(() => undefined);
      }
    },
    { readOnly: true },
  );
}

async function show(store: Store, from: number, out: (record: AuditRecord) => void): Promise<number> {
  const last = await lastSeq(store);
  let after = from;
  while (after < last) {
    const { records } = await readPage(store.audit, { after, limit: MAX_LINES }, last);
    for (const record of records) out(record);
    after = records.at(-1)?.seq ?? last;
  }
  return after;
}

async function lastSeq(store: Store): Promise<number> {
  return (await store.audit.last())?.seq ?? 0;
}

/** Data holds what targets wrote; it is in `--json`, where it is escaped. */
function rowOf({ seq, at, type, principal, engagement, runId }: AuditRecord): string {
  const names = [principal ?? 'gateway', engagement, runId].filter((name) => name !== null);
  return oneLine([String(seq), at, type, ...names].join('  '));
}

async function key(context: CommandContext): Promise<number> {
  const { values, positionals } = parseOptions(context.args, { json: { type: 'boolean', default: false } });
  requireNoWords(positionals);
  const { publicKey, keyId } = readAuditKey(await findDataDir(context));
  if (values.json) context.out(JSON.stringify({ publicKey, keyId }));
  else {
    context.out(publicKey.trimEnd());
    context.err(`Key ${keyId}. Keep it on another machine: 'audit verify --public-key FILE' then trusts it alone.`);
  }
  return EXIT.ok;
}
