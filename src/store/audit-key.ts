import { generateKeyPairSync } from 'node:crypto';
import { closeSync, constants, existsSync, fstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createSigner } from '../core/audit/checkpoint.ts';
import type { AuditSigner } from '../core/audit/types.ts';
import { SallyportError } from '../core/errors.ts';
import { writeAtomic } from './atomic-file.ts';
import { auditPaths } from './audit-file.ts';

/** The key of this data directory, `audit/key.pem` of mode 0600, made when it is not there. Throws ERR_AUDIT_UNAVAILABLE. */
export function openAuditKey(dataDir: string): AuditSigner {
  const { directory, key } = auditPaths(dataDir);
  if (!existsSync(key)) {
    const { privateKey } = generateKeyPairSync('ed25519');
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      // Whole or not at all: a torn key would end every later start.
      writeAtomic(key, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    } catch (thrown) {
      throw unusable('cannot be written', thrown);
    }
  }
  return readAuditKey(dataDir);
}

/** The key that is there. Throws ERR_AUDIT_UNAVAILABLE when there is none, or none that only its owner can read. */
export function readAuditKey(dataDir: string): AuditSigner {
  let pem: string;
  let mode: number;
  try {
    const descriptor = openSync(auditPaths(dataDir).key, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      // The open file is judged, not its name: it cannot be exchanged between the look and the reading.
      ({ mode } = fstatSync(descriptor));
      pem = readFileSync(descriptor, 'utf8');
    } finally {
      closeSync(descriptor);
    }
  } catch (thrown) {
    throw unusable('cannot be read', thrown);
  }
  // Whoever reads it can sign a chain that he wrote himself.
  if ((mode & 0o077) !== 0) throw unusable('can be read by others; chmod 600 it, and take the key for known to them');
  try {
    return createSigner(pem);
  } catch (thrown) {
    throw unusable('is no Ed25519 private key in PEM', thrown);
  }
}

function unusable(why: string, cause?: unknown): SallyportError {
  return new SallyportError(
    'ERR_AUDIT_UNAVAILABLE',
    `The key of the audit, audit/key.pem in the data directory, ${why}.`,
    {
      details: { rule: 'audit' },
      cause,
    },
  );
}
