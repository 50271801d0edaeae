import { randomBytes } from 'node:crypto';
import type { KeyStore, SecretStore } from '../core/auth/types.ts';
import { SallyportError } from '../core/errors.ts';
import type { ToolStateStore } from '../core/store/types.ts';
import type { Connection } from './connection.ts';
import { createKeyCache } from './key-cache.ts';
import type { StoreParts } from './store-parts.ts';

/** Longest secret kept, characters. */
const MAX_SECRET_LENGTH = 65_536;
const SECRET_ID = /^secret_[\w-]{22}$/;

/** API keys. Lists on the main thread; whoever cannot read them gets an error and never an empty list. */
export function createKeyStore({ writer }: StoreParts, connection: Connection): KeyStore {
  const list = createKeyCache(connection);
  return {
    list: async () => {
      try {
        return list();
      } catch (cause) {
        throw new SallyportError('ERR_STORE_UNAVAILABLE', 'The API keys cannot be read from the store.', { cause });
      }
    },
    add: (record) => writer.call('addKey', record),
    revoke: (id, at) => writer.call('revokeKey', { id, at }),
  };
}

/** Found secrets. `keep` throws ERR_INPUT_INVALID for one above 65536 characters. */
export function createSecretStore({ writer, reader, clock }: StoreParts): SecretStore {
  return {
    keep: ({ owner, runId, tool, kind, value }) => {
      if (value.length > MAX_SECRET_LENGTH) {
        throw new SallyportError('ERR_INPUT_INVALID', `A secret has at most ${MAX_SECRET_LENGTH} characters.`);
      }
      const id = `secret_${randomBytes(16).toString('base64url')}`;
      const kept = writer.call('keepSecret', { id, owner, runId, tool, kind, value, createdAt: clock.now() });
      // A run that ends early waits for none of them: that must not end the process.
      kept.catch(() => undefined);
      return { id, kept };
    },
    recent: (limit) => reader.call('recentSecrets', { limit }),
    read: async (id) => (SECRET_ID.test(id) ? reader.call('readSecret', { id }) : undefined),
  };
}

/** What the operator switched on or off. */
export function createToolStateStore({ writer, reader }: StoreParts): ToolStateStore {
  return {
    all: () => reader.call('toolStates', undefined),
    set: (name, enabled) => writer.call('setTool', { name, enabled }),
  };
}
