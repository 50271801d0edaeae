import { createPublicKey, type KeyObject } from 'node:crypto';
import { accessSync, constants, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { RecordRange } from '../core/audit/types.ts';
import { verifyAudit } from '../core/audit/verify.ts';
import type { AuditFault, AuditReport } from '../core/audit/verify-types.ts';
import { readAuditKey } from '../store/audit-key.ts';
import { auditSources } from '../store/audit-sources.ts';
import { type CommandContext, EXIT, parseOptions, requireNoWords, usageError } from './command.ts';
import { withStore } from './open-store.ts';
import { oneLine, printableJson } from './printable.ts';
import { findDataDir } from './settings.ts';

/**
 * `audit verify`: exit code 0 when nothing contradicts, 1 when something does; each fault names its record. What no
 * checkpoint covers is told on standard error.
 */
export async function verifyAuditOf(context: CommandContext): Promise<number> {
  const { values, positionals } = parseOptions(context.args, {
    anchor: { type: 'string', multiple: true, default: [] },
    'public-key': { type: 'string', multiple: true, default: [] },
    json: { type: 'boolean', default: false },
  });
  requireNoWords(positionals);
  const dataDir = await findDataDir(context);
  const keyFiles = values['public-key'].map((file) => resolve(context.cwd, file));
  const own = keyFiles.length === 0 ? [createPublicKey(readAuditKey(dataDir).publicKey)] : [];
  const publicKeys = [...own, ...keyFiles.map(readPublicKey)];
  const anchors = values.anchor.map((file) => requireReadable(resolve(context.cwd, file)));
  const report = await withStore(
    context,
    async (store) => verifyAudit({ ...(await auditSources({ store: store.audit, dataDir, anchors })), publicKeys }),
    { readOnly: true },
  );
  if (values.json) context.out(printableJson(report));
  else for (const line of linesOf(report)) context.out(line);
  if (report.unsigned !== undefined) context.err(warningOf(report.unsigned));
  return report.ok ? EXIT.ok : EXIT.failed;
}

function linesOf(report: AuditReport): readonly string[] {
  const { ok, last, records, checkpoints, signedUntil, unsigned, faults, moreFaults } = report;
  if (ok) {
    const signed = `signed up to record ${signedUntil} (${checkpoints} checkpoints)`;
    const counted = `${last.seq} records in both copies, ${signed}.`;
    // Only what is signed to its end is called whole: copies that agree could have been written anew together.
    const head = unsigned === undefined ? 'The audit is whole' : 'Both copies of the audit agree';
    return [`${head}: ${counted}`, `last hash ${last.hash}`];
  }
  const more = moreFaults === 0 ? [] : [`and ${moreFaults} more`];
  const head = `The audit is NOT as it was written (${records.table} records in the table, ${records.file} in the file):`;
  return [head, ...faults.map(lineOf), ...more];
}

function warningOf({ from, until }: RecordRange): string {
  const which = from === until ? `record ${from} is` : `records ${from} to ${until} are`;
  return `sallyport: ${which} not signed yet: whoever can write both copies could have changed them`;
}

function lineOf({ place, kind, seq, until, message }: AuditFault): string {
  const which = until === undefined ? `record ${seq}` : `records ${seq} to ${until}`;
  return oneLine(`  ${which}  ${kind}  (${place}) ${message}`);
}

/** The public half, so that nobody needs the private one to verify. */
function readPublicKey(path: string): KeyObject {
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch {
    throw usageError(`The key file ${path} cannot be read.`);
  }
  // `createPublicKey` would take a private key too; whoever has that one here keeps it in the wrong place.
  if (pem.includes('PRIVATE KEY'))
    throw usageError(`${path} holds a private key; --public-key takes what 'audit key' prints.`);
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Told below, as any other content.
  }
  throw usageError(`${path} holds no Ed25519 public key in PEM; --public-key takes what 'audit key' prints.`);
}

function requireReadable(path: string): string {
  try {
    accessSync(path, constants.R_OK);
    return path;
  } catch {
    throw usageError(`The anchor file ${path} cannot be read.`);
  }
}
