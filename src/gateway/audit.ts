import { hostname } from 'node:os';
import { createAnchors, syslogAnchor, webhookAnchor } from '../core/audit/anchors.ts';
import { createAudit } from '../core/audit/audit.ts';
import type { Anchor, Audit } from '../core/audit/types.ts';
import { createAnchorFile, createAuditFile } from '../store/audit-file.ts';
import { openAuditKey } from '../store/audit-key.ts';
import type { PermissionParts } from './permission.ts';

/** Time that a checkpoint gets to arrive at one anchor. */
const ANCHOR_MS = 10_000;

/** Opens the audit of a data directory. Throws ERR_AUDIT_UNAVAILABLE when it cannot be written: nothing may start then. */
export async function openAudit(parts: PermissionParts): Promise<Audit> {
  const { clock, recorder, log, settings } = parts;
  const audit = await createAudit({
    store: parts.store.audit,
    file: createAuditFile(parts.dataDir),
    signer: openAuditKey(parts.dataDir),
    checkpointEvery: () => settings().config.audit.checkpointEvery,
    anchors: createAnchors({ anchors: anchorsOf(parts), recorder, log }),
    clock,
    recorder,
    log,
  });
  audit.requireWritable();
  // The checkpoint at start covers them: without this word nobody could tell that they were once unproved.
  const unsigned = audit.unsignedAtStart();
  await audit.append({ type: 'gateway.started', data: { version: parts.version, ...(unsigned && { unsigned }) } });
  return audit;
}

function anchorsOf({ settings, outbound, outboundSecrets }: PermissionParts): readonly Anchor[] {
  const { anchorFile, anchorWebhookUrl: url, anchorSyslogUrl: syslogUrl } = settings().config.audit;
  const timeoutMs = ANCHOR_MS;
  const secret = outboundSecrets.anchor;
  return [
    ...(anchorFile === '' ? [] : [createAnchorFile(anchorFile)]),
    ...(url === '' ? [] : [webhookAnchor({ outbound, url, secret, timeoutMs })]),
    ...(syslogUrl === '' ? [] : [syslogAnchor({ outbound, url: syslogUrl, hostname: hostname(), timeoutMs })]),
  ];
}
