import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Value } from '@sinclair/typebox/value';
import { StoredSecretSchema } from '../../schemas/stored.ts';
import type { SecretStore } from '../core/auth/types.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import { SallyportError } from '../core/errors.ts';
import { syncDirectory, writeNew } from './atomic-file.ts';

/** Longest secret kept, characters. */
const MAX_SECRET_LENGTH = 65_536;
const ID = /^secret_[\w-]{22}$/;

/**
 * Found secrets in `<dataDir>/secrets`: a directory of mode 0700, one file of mode 0600 for each. `keep` throws
 * ERR_STORE_UNAVAILABLE when the secret is not durable; a secret above 65536 characters is refused.
 */
export function createSecretFiles(dataDir: string, clock: Clock = systemClock): SecretStore {
  const directory = join(dataDir, 'secrets');
  prepare(directory);
  return {
    keep(secret) {
      if (secret.value.length > MAX_SECRET_LENGTH) {
        throw new SallyportError('ERR_INPUT_INVALID', `A secret has at most ${MAX_SECRET_LENGTH} characters.`);
      }
      const id = `secret_${randomBytes(16).toString('base64url')}`;
      const { owner, runId, tool, kind, value } = secret;
      const record = { id, owner, runId, tool, kind, value, createdAt: clock.now() };
      try {
        writeNew(join(directory, `${id}.json`), JSON.stringify(record));
        syncDirectory(directory);
      } catch (cause) {
        throw new SallyportError('ERR_STORE_UNAVAILABLE', 'The found secret cannot be kept.', { cause });
      }
      return id;
    },
    async read(id) {
      // The id becomes a file name: `../keys` must not.
      if (!ID.test(id)) return undefined;
      return parse(await content(join(directory, `${id}.json`)));
    },
  };
}

function prepare(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    chmodSync(directory, 0o700);
  } catch (cause) {
    throw new SallyportError('ERR_STORE_UNAVAILABLE', `${directory} cannot be made private.`, { cause });
  }
}

async function content(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new SallyportError('ERR_STORE_UNAVAILABLE', 'The secret cannot be read.', { cause });
  }
}

function parse(text: string | undefined) {
  if (text === undefined) return undefined;
  try {
    const found: unknown = JSON.parse(text);
    if (Value.Check(StoredSecretSchema, found)) return found;
  } catch {
    // A damaged file is told below, without its text: that is a secret.
  }
  throw new SallyportError('ERR_STORE_UNAVAILABLE', 'The stored secret is damaged.');
}
