import { createHmac } from 'node:crypto';
import type { Finding } from '../../schemas/finding.ts';
import type { Observation } from '../core/findings/types.ts';
import type { FindingQuery, Page, SeenFinding } from '../core/store/types.ts';
import type { Connection } from './connection.ts';
import { groupsOf, mergedPage, ownersOf, type Range, toolNumber } from './merged-list.ts';
import { KIND, SEVERITY } from './numbers.ts';
import { readFingerprint, readRankPosition, writeRankPosition } from './position.ts';

interface SeenRow {
  readonly fingerprint: Uint8Array;
  readonly digest: Uint8Array;
  readonly draft: string;
  readonly rank: number;
  readonly place: string;
  readonly first_seen: number;
  readonly last_seen: number;
  readonly owner: string;
  readonly tool: string;
  readonly run_id: string;
}

const SEEN = `SELECT o.fingerprint, o.digest, o.draft, o.rank, o.place, f.first_seen, f.last_seen, owners.name AS owner,
  tools.name AS tool, runs.id AS run_id
  FROM observations AS o JOIN findings AS f ON f.num = o.finding JOIN runs ON runs.num = o.run
  JOIN owners ON owners.num = runs.owner JOIN tools ON tools.num = runs.tool`;

function listFindings(connection: Connection, query: FindingQuery): Page<Finding> {
  const ranges = rangesOf(connection, query);
  const { since, limit, after } = query;
  const table = { table: 'findings', key: 'num', time: 'last_seen' };
  const { nums, next } = mergedPage(connection, table, { ranges, since, limit, after });
  const key = idKey(connection);
  const sql = `${SEEN} WHERE o.run = (SELECT last_run FROM findings WHERE num = ?1)
    AND o.fingerprint = (SELECT fingerprint FROM findings WHERE num = ?1)`;
  const items = nums.flatMap((num) => connection.all<SeenRow>(sql, num).map((row) => toFinding(row, key)));
  return { items, ...(next !== undefined && { next }) };
}

/** The narrowest index first: a target has few findings, a port more, an owner many. */
function rangesOf(connection: Connection, query: FindingQuery): readonly Range[] {
  const tool = query.tool === undefined ? undefined : toolNumber(connection, query.tool);
  if (query.tool !== undefined && tool === undefined) return [];
  const { target, port } = query;
  const asked = [query.kind, query.severity, tool, target, port];
  const isEverything = asked.every((each) => each === undefined);
  return ownersOf(connection, query.owner).flatMap((owner): readonly Range[] => {
    const of = ['owner', owner] as const;
    if (isEverything) return [{ index: 'findings_by_time', equal: [of], filters: [] }];
    if (target !== undefined) {
      const filters: Range['filters'] = port === undefined ? [] : [['+port = ?', port]];
      return (['target', 'address'] as const).flatMap((column) =>
        inGroups(connection, { index: `findings_by_${column}`, equal: [of, [column, target]], filters }, query),
      );
    }
    if (port === undefined)
      return inGroups(connection, { index: 'findings_by_group', equal: [of], filters: [] }, query);
    return inGroups(connection, { index: 'findings_by_port', equal: [of, ['port', port]], filters: [] }, query);
  });
}

/** Of the groups that are there, those that are asked for: what no finding is never makes a page read them all. */
function inGroups(connection: Connection, range: Range, { tool, kind, severity }: FindingQuery): readonly Range[] {
  const wanted = tool === undefined ? undefined : toolNumber(connection, tool);
  const groups = groupsOf(connection, { ...range, table: 'findings', columns: ['tool', 'kind', 'severity'] });
  return groups.flatMap(({ values: [itsTool, itsKind, itsSeverity = 0], range: group }) => {
    const isWanted =
      (wanted === undefined || itsTool === wanted) &&
      (kind === undefined || itsKind === KIND[kind]) &&
      (severity === undefined || itsSeverity >= SEVERITY[severity]);
    return isWanted ? [group] : [];
  });
}

function findingsOfRun(
  connection: Connection,
  { runId, limit, after }: { runId: string; limit: number; after: string | undefined },
): Page<Finding> {
  const position = readRankPosition(after);
  const sql = `${SEEN} WHERE o.run = (SELECT num FROM runs WHERE id = ?)
    AND (o.rank, o.place, o.fingerprint) > (?, ?, ?) ORDER BY o.rank, o.place, o.fingerprint LIMIT ?`;
  const { rank, place, fingerprint } = position;
  const rows = connection.all<SeenRow>(sql, runId, rank, place, fingerprint, limit + 1);
  const key = idKey(connection);
  const last = rows[limit - 1];
  return {
    items: rows.slice(0, limit).map((row) => toFinding(row, key)),
    ...(rows.length > limit && last !== undefined && { next: writeRankPosition(last) }),
  };
}

function findingsByFingerprint(
  connection: Connection,
  { runId, limit, after }: { runId: string; limit: number; after: string | undefined },
): readonly SeenFinding[] {
  const sql = `${SEEN} WHERE o.run = (SELECT num FROM runs WHERE id = ?) AND o.fingerprint > ?
    ORDER BY o.fingerprint LIMIT ?`;
  const key = idKey(connection);
  return connection.all<SeenRow>(sql, runId, readFingerprint(after), limit).map((row) => ({
    finding: toFinding(row, key),
    digest: Buffer.from(row.digest).toString('hex'),
    key: draftOf(row).key,
  }));
}

function toFinding(row: SeenRow, key: Uint8Array): Finding {
  const { kind, target, address, port, protocol, title, severity, confidence, ...rest } = draftOf(row);
  const fingerprint = Buffer.from(row.fingerprint).toString('hex');
  return {
    id: idOf(key, row.owner, fingerprint),
    fingerprint,
    tool: row.tool,
    kind,
    target,
    ...(address !== undefined && { address }),
    ...(port !== undefined && { port }),
    ...(protocol !== undefined && { protocol }),
    title,
    severity,
    confidence,
    evidence: rest.evidence,
    references: [...rest.references],
    attributes: { ...rest.attributes },
    firstSeen: new Date(row.first_seen).toISOString(),
    lastSeen: new Date(row.last_seen).toISOString(),
    runId: row.run_id,
  };
}

function draftOf({ draft }: SeenRow): Observation['draft'] {
  return JSON.parse(draft) as Observation['draft'];
}

function idKey(connection: Connection): Uint8Array {
  return (
    connection.get<{ value: Uint8Array }>("SELECT value FROM meta WHERE name = 'cursorKey'")?.value ?? new Uint8Array()
  );
}

/** The same for one fact of one owner over all runs; keyed, so that nobody finds out whether another owner has it. */
function idOf(key: Uint8Array, owner: string, fingerprint: string): string {
  const digest = createHmac('sha256', key).update(`finding\0${owner}\0${fingerprint}`).digest('base64url');
  return `fnd_${digest.slice(0, 22)}`;
}

/** Questions about findings. */
export const FINDING_READS = { listFindings, findingsOfRun, findingsByFingerprint };
