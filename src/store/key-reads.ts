import { type KeyRecord, SCOPES, type SecretRecord } from '../core/auth/types.ts';
import type { Connection } from './connection.ts';

interface KeyRow {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly hash: string;
  readonly scopes: string;
  readonly created: number;
  readonly expires: number | null;
  readonly revoked: number | null;
}
interface SecretRow {
  readonly id: string;
  readonly owner: string;
  readonly run_id: string;
  readonly tool: string;
  readonly kind: string;
  readonly value: string;
  readonly created: number;
}

/** Every key in the order of their making. A scope that this version does not know (of a newer one) is not granted. */
export function listKeys(connection: Connection): readonly KeyRecord[] {
  return connection.all<KeyRow>('SELECT * FROM api_keys ORDER BY num').map((row) => {
    const granted = row.scopes.split(' ');
    return {
      id: row.id,
      name: row.name,
      prefix: row.prefix,
      hash: row.hash,
      scopes: SCOPES.filter((scope) => granted.includes(scope)),
      createdAt: row.created,
      ...(row.expires !== null && { expiresAt: row.expires }),
      ...(row.revoked !== null && { revokedAt: row.revoked }),
    };
  });
}

function readSecret(connection: Connection, { id }: { id: string }): SecretRecord | undefined {
  const row = connection.get<SecretRow>('SELECT * FROM secrets WHERE id = ?', id);
  return row === undefined ? undefined : toSecret(row);
}

function recentSecrets(connection: Connection, { limit }: { limit: number }): readonly SecretRecord[] {
  return connection
    .all<SecretRow>('SELECT * FROM secrets ORDER BY created DESC, num DESC LIMIT ?', limit)
    .map(toSecret);
}

function toSecret({ id, owner, run_id: runId, tool, kind, value, created }: SecretRow): SecretRecord {
  return { id, owner, runId, tool, kind, value: JSON.parse(value) as string, createdAt: created };
}

function toolStates(connection: Connection): ReadonlyMap<string, boolean> {
  const rows = connection.all<{ name: string; enabled: number }>('SELECT name, enabled FROM tool_states');
  return new Map(rows.map(({ name, enabled }) => [name, enabled === 1]));
}

/** Questions about secrets and tool states. */
export const KEY_READS = { readSecret, recentSecrets, toolStates };
