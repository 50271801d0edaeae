import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { SallyportError } from '../errors.ts';

/** Makes and reads opaque positions in lists. Each is bound to its reader and to its list. */
export interface Cursors {
  seal(binding: readonly unknown[], position: string): string;
  /** Throws ERR_INPUT_INVALID for anything that was not sealed for exactly this reader and list. */
  open(binding: readonly unknown[], cursor: string): string;
}

/** Authenticated encryption (NIST SP 800-38D): a position holds words of targets, and a found secret may be one. */
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MAX_LENGTH = 2048;

/** Cursors under a key of 32 bytes; with the store's own they outlive a restart. */
export function createCursors(key: Buffer): Cursors {
  return {
    seal(binding, position) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce).setAAD(boundTo(binding));
      const text = Buffer.concat([cipher.update(position, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64url');
    },
    open(binding, cursor) {
      const sealed = cursor.length <= MAX_LENGTH ? Buffer.from(cursor, 'base64url') : Buffer.alloc(0);
      if (sealed.length < NONCE_BYTES + TAG_BYTES) throw foreign();
      const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
      decipher.setAAD(boundTo(binding)).setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      try {
        const text = decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES));
        return Buffer.concat([text, decipher.final()]).toString('utf8');
      } catch (cause) {
        // Attack: a position in somebody else's list, or a forged one, tells what is there.
        throw foreign(cause);
      }
    },
  };
}

function boundTo(binding: readonly unknown[]): Buffer {
  return Buffer.from(JSON.stringify(binding));
}

function foreign(cause?: unknown): SallyportError {
  return new SallyportError('ERR_INPUT_INVALID', 'The cursor does not belong to this list; start again without one.', {
    cause,
  });
}
