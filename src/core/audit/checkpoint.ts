import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { AuditCheckpoint } from '../../../schemas/audit.ts';
import { canonicalText } from './canonical.ts';
import type { AuditSigner } from './types.ts';

/** Signs with an Ed25519 private key in PEM (PKCS #8). Throws for any other key. */
export function createSigner(privateKeyPem: string): AuditSigner {
  const key = createPrivateKey(privateKeyPem);
  if (key.asymmetricKeyType !== 'ed25519') throw new Error('the key of the audit is not an Ed25519 key');
  const publicKey = createPublicKey(key);
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    keyId: keyIdOf(publicKey),
    sign: (text) => sign(null, Buffer.from(text, 'utf8'), key).toString('base64'),
  };
}

/** The first 16 hexadecimal digits of SHA-256 over the public key (SPKI DER). */
export function keyIdOf(publicKey: KeyObject): string {
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('hex').slice(0, 16);
}

/** A signed statement that the chain ended so. */
export function signCheckpoint(
  signer: AuditSigner,
  { seq, hash, at }: Pick<AuditCheckpoint, 'seq' | 'hash' | 'at'>,
): AuditCheckpoint {
  const unsigned = { seq, hash, at, keyId: signer.keyId };
  return { ...unsigned, signature: signer.sign(canonicalText(unsigned)) };
}

/** Whether the checkpoint was signed with the private half of this Ed25519 key. */
export function isSignedBy(checkpoint: AuditCheckpoint, publicKey: KeyObject): boolean {
  const { seq, hash, at, keyId, signature } = checkpoint;
  const signed = Buffer.from(canonicalText({ seq, hash, at, keyId }), 'utf8');
  const bytes = Buffer.from(signature, 'base64');
  return bytes.length === 64 && verify(null, signed, publicKey, bytes);
}

const NAMES = 'at hash keyId seq signature';

/** Reads a checkpoint as it lies in a file. Undefined for anything else; its signature is another question. */
export function readCheckpoint(text: string): AuditCheckpoint | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isCheckpoint(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isCheckpoint(value: unknown): value is AuditCheckpoint {
  if (typeof value !== 'object' || value === null || Object.keys(value).toSorted().join(' ') !== NAMES) return false;
  const { seq, hash, at, keyId, signature } = value as { readonly [K in keyof AuditCheckpoint]: unknown };
  const isNumbered = typeof seq === 'number' && Number.isSafeInteger(seq) && seq >= 0;
  const isHashed = typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash);
  return isNumbered && isHashed && [at, keyId, signature].every((text) => typeof text === 'string');
}
