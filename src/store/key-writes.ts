import type { KeyRecord, SecretRecord } from '../core/auth/types.ts';
import { SallyportError } from '../core/errors.ts';
import type { Connection } from './connection.ts';

function addKey(connection: Connection, record: KeyRecord): void {
  if (insertKey(connection, record)) return;
  throw new SallyportError('ERR_INPUT_INVALID', 'This key is registered already.');
}

function revokeKey(connection: Connection, { id, at }: { id: string; at: number }): boolean {
  return connection.run('UPDATE api_keys SET revoked = ? WHERE id = ? AND revoked IS NULL', at, id).changes > 0;
}

function setTool(connection: Connection, { name, enabled }: { name: string; enabled: boolean }): void {
  connection.run(
    'INSERT INTO tool_states VALUES (?, ?) ON CONFLICT DO UPDATE SET enabled = excluded.enabled',
    name,
    Number(enabled),
  );
}

/** False when there is a key of the same id or hash: then nothing changes, least of all a revocation. */
export function insertKey(connection: Connection, record: KeyRecord): boolean {
  const { id, name, prefix, hash, scopes, createdAt, expiresAt, revokedAt } = record;
  const sql = `INSERT INTO api_keys (id, name, prefix, hash, scopes, created, expires, revoked)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`;
  const values = [id, name, prefix, hash, scopes.join(' '), createdAt, expiresAt ?? null, revokedAt ?? null] as const;
  return connection.run(sql, ...values).changes > 0;
}

/** Keeps a secret; one of the same id stays as it is. The value is kept as JSON: any string comes back as it was. */
export function insertSecret(connection: Connection, secret: SecretRecord): void {
  const { id, owner, runId, tool, kind, value, createdAt } = secret;
  const sql = `INSERT INTO secrets (id, owner, run_id, tool, kind, value, created) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING`;
  connection.run(sql, id, owner, runId, tool, kind, JSON.stringify(value), createdAt);
}

/** Changes of keys, secrets and tool states. */
export const KEY_WRITES = { addKey, revokeKey, setTool, keepSecret: insertSecret };
