/** `PRAGMA application_id` of our file: tells it from any other SQLite database. "SLPT" in ASCII. */
export const APPLICATION_ID = 0x53_4c_50_54;

/**
 * Forward-only: the position (from 1) is the `user_version` that a step leads to. A released step never changes.
 * Everything that belongs to a run goes with it by ON DELETE CASCADE; each such column begins an index, because SQLite
 * looks for children at every delete. Owners and tools are numbered, so that the indexes stay small.
 */
export const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('cursorKey', randomblob(32)), ('keysChanged', 0), ('outputBytes', 0), ('probed', 0);

CREATE TABLE api_keys (
  num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, prefix TEXT NOT NULL, hash TEXT NOT NULL UNIQUE,
  scopes TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER, revoked INTEGER
) STRICT;
CREATE TRIGGER api_keys_added AFTER INSERT ON api_keys BEGIN UPDATE meta SET value = value + 1 WHERE name = 'keysChanged'; END;
CREATE TRIGGER api_keys_edited AFTER UPDATE ON api_keys BEGIN UPDATE meta SET value = value + 1 WHERE name = 'keysChanged'; END;
CREATE TRIGGER api_keys_gone AFTER DELETE ON api_keys BEGIN UPDATE meta SET value = value + 1 WHERE name = 'keysChanged'; END;

CREATE TABLE secrets (
  num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, run_id TEXT NOT NULL, tool TEXT NOT NULL,
  kind TEXT NOT NULL, value TEXT NOT NULL, created INTEGER NOT NULL
) STRICT;
CREATE INDEX secrets_by_time ON secrets (created, num);
CREATE INDEX secrets_by_run ON secrets (run_id);

CREATE TABLE tool_states (name TEXT PRIMARY KEY, enabled INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE owners (num INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE tools (num INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE runs (
  num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner INTEGER NOT NULL REFERENCES owners, tool INTEGER NOT NULL REFERENCES tools,
  state INTEGER NOT NULL, created INTEGER NOT NULL, last_seq INTEGER NOT NULL, record TEXT NOT NULL, job TEXT
) STRICT;
CREATE INDEX runs_by_owner ON runs (owner, created);
CREATE INDEX runs_by_state ON runs (owner, state, created);
CREATE INDEX runs_by_tool ON runs (owner, tool, state, created);
CREATE INDEX runs_open ON runs (created) WHERE state < 4;
CREATE INDEX runs_ended ON runs (created) WHERE state >= 4;

CREATE TABLE run_targets (
  owner INTEGER NOT NULL, target TEXT NOT NULL, tool INTEGER NOT NULL, state INTEGER NOT NULL, created INTEGER NOT NULL,
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  PRIMARY KEY (owner, target, tool, state, created, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_targets_by_run ON run_targets (run);

CREATE TABLE run_results (run INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE, result BLOB, coverage BLOB) STRICT;

CREATE TABLE events (
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, seq INTEGER NOT NULL, at INTEGER NOT NULL, type TEXT NOT NULL,
  data TEXT NOT NULL, PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
  owner INTEGER NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_run ON idempotency (run);

CREATE TABLE chunks (
  num INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, stream INTEGER NOT NULL,
  start INTEGER NOT NULL, length INTEGER NOT NULL, codec INTEGER NOT NULL, data BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX chunks_by_place ON chunks (run, stream, start, length);
CREATE TABLE run_output (
  run INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE, ended INTEGER, bytes INTEGER NOT NULL
) STRICT;
CREATE INDEX run_output_by_end ON run_output (ended) WHERE ended IS NOT NULL;

CREATE TABLE findings (
  num INTEGER PRIMARY KEY, owner INTEGER NOT NULL REFERENCES owners, fingerprint BLOB NOT NULL, first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL, last_run INTEGER NOT NULL, tool INTEGER NOT NULL, kind INTEGER NOT NULL,
  severity INTEGER NOT NULL, target TEXT NOT NULL, address TEXT, port INTEGER
) STRICT;
CREATE UNIQUE INDEX findings_by_fingerprint ON findings (owner, fingerprint);
CREATE INDEX findings_by_time ON findings (owner, last_seen);
CREATE INDEX findings_by_group ON findings (owner, tool, kind, severity, last_seen);
CREATE INDEX findings_by_target ON findings (owner, target, tool, kind, severity, last_seen);
CREATE INDEX findings_by_address ON findings (owner, address, tool, kind, severity, last_seen) WHERE address IS NOT NULL;
CREATE INDEX findings_by_port ON findings (owner, port, tool, kind, severity, last_seen) WHERE port IS NOT NULL;

CREATE TABLE observations (
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, fingerprint BLOB NOT NULL,
  finding INTEGER NOT NULL REFERENCES findings, seen INTEGER NOT NULL, rank INTEGER NOT NULL, place TEXT NOT NULL,
  digest BLOB NOT NULL, draft TEXT NOT NULL, PRIMARY KEY (run, fingerprint)
) STRICT, WITHOUT ROWID;
CREATE INDEX observations_by_rank ON observations (run, rank, place, fingerprint);
CREATE INDEX observations_by_finding ON observations (finding, seen, run);
`,
  `
UPDATE runs SET record = json_set(record, '$.planDigest', NULL, '$.approval', NULL, '$.engagement', NULL);
-- Who may run may ask what would run.
UPDATE api_keys SET scopes = scopes || ' runs:plan'
  WHERE ' ' || scopes || ' ' LIKE '% runs:execute %' AND ' ' || scopes || ' ' NOT LIKE '% runs:plan %';

CREATE TABLE engagement_versions (
  num INTEGER PRIMARY KEY, id TEXT NOT NULL, version TEXT NOT NULL, source TEXT NOT NULL, since INTEGER NOT NULL,
  by TEXT NOT NULL, document TEXT NOT NULL
) STRICT;
CREATE INDEX engagement_versions_by_id ON engagement_versions (id, num);
CREATE TABLE rest_engagements (id TEXT PRIMARY KEY, num INTEGER NOT NULL REFERENCES engagement_versions) STRICT, WITHOUT ROWID;
CREATE INDEX rest_engagements_by_version ON rest_engagements (num);
CREATE TABLE revocations (
  id TEXT PRIMARY KEY, at INTEGER NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE plans (
  num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, tool TEXT NOT NULL, created INTEGER NOT NULL,
  expires INTEGER NOT NULL, digests TEXT NOT NULL, job TEXT NOT NULL, view TEXT NOT NULL, used_by TEXT
) STRICT;
CREATE INDEX plans_by_expiry ON plans (expires);

CREATE TABLE approvals (
  run INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE, request TEXT NOT NULL, expires INTEGER NOT NULL, outcome TEXT
) STRICT;
CREATE INDEX approvals_open ON approvals (run) WHERE outcome IS NULL;
CREATE TABLE approval_decisions (
  run INTEGER NOT NULL REFERENCES approvals ON DELETE CASCADE, by TEXT NOT NULL, name TEXT NOT NULL, decision TEXT NOT NULL,
  reason TEXT NOT NULL, at INTEGER NOT NULL, via TEXT NOT NULL, PRIMARY KEY (run, by)
) STRICT, WITHOUT ROWID;

CREATE TABLE reservations (
  run_id TEXT PRIMARY KEY, engagement TEXT NOT NULL, at INTEGER NOT NULL, settled INTEGER, probes REAL NOT NULL,
  run_ms REAL NOT NULL, targets TEXT NOT NULL, accounts TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX reservations_by_time ON reservations (at);
CREATE INDEX reservations_by_engagement ON reservations (engagement, run_ms);

CREATE TABLE kills (
  engagement TEXT PRIMARY KEY, since INTEGER NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (seq INTEGER PRIMARY KEY, record TEXT NOT NULL, type TEXT NOT NULL, run_id TEXT) STRICT;
CREATE INDEX audit_by_run ON audit (run_id, seq) WHERE run_id IS NOT NULL;
CREATE INDEX audit_by_type ON audit (type, seq);
CREATE TABLE audit_checkpoints (seq INTEGER PRIMARY KEY, checkpoint TEXT NOT NULL) STRICT;
`,
];

/** The `user_version` of a file that this version reads and writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;
