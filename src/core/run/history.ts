import type { Finding } from '../../../schemas/finding.ts';
import type { Run } from '../../../schemas/run-record.ts';
import type { Principal } from '../auth/types.ts';
import { SallyportError } from '../errors.ts';
import { compareRuns } from '../findings/diff.ts';
import type { FindingQuery, RunQuery } from '../store/types.ts';
import { createCursors, type Cursors } from './cursors.ts';
import { followRun, positionOf } from './follow.ts';
import type { HistoryParts } from './history-parts.ts';
import { definedOnly, limitOf, timeOf } from './list-request.ts';
import { maskCoverage, maskDiffEntry, maskEvent, maskFinding, maskRecord, maskResult } from './masks.ts';
import { readOutput } from './output-page.ts';
import { isFinal } from './states.ts';
import type { FindingListRequest, RunHistory, RunListRequest } from './types.ts';

const EXPORT_PAGE = 500;

/** Makes the history over a store and the runs of this process. */
export function createRunHistory(given: HistoryParts): RunHistory {
  const parts: Parts = { ...given, cursors: createCursors(given.store.cursorKey) };
  return {
    get: async (who, runId) => shown(parts, await visible(parts, who, runId)),
    list: (who, request) => listRuns(parts, who, request),
    result: async (who, runId) => {
      const run = await visible(parts, who, runId);
      if (!isFinal(run.state)) throw unfinished(run);
      const result = await parts.store.runs.result(runId);
      if (result === undefined) {
        const why = run.error === null ? '' : ` It ended with ${run.error.code}.`;
        throw new SallyportError('ERR_RUN_WITHOUT_RESULT', `The run has no answer.${why}`, {
          details: { state: run.state, ...(run.error === null ? {} : { error: shown(parts, run).error }) },
        });
      }
      return maskResult(result, parts.masker(run.owner));
    },
    output: async (who, runId, request) => {
      const run = await visible(parts, who, runId);
      return readOutput(parts, { runId, owner: run.owner, isFinal: isFinal(run.state) }, request);
    },
    findings: (who, runId, page) => findingsOfRun(parts, who, { ...page, runId }),
    allFindings: (who, request) => listFindings(parts, who, request),
    diff: (who, request) => diff(parts, who, request),
    exportSource: (who, runId) => exportSource(parts, who, runId),
    follow: async (who, runId, { lastEventId, signal }) => {
      const run = await visible(parts, who, runId);
      const mask = parts.masker(run.owner);
      const events = followRun(parts, { runId, after: positionOf(runId, lastEventId), signal });
      return mapped(events, (event) => maskEvent(event, mask));
    },
    cancel: (who, runId) => cancel(parts, who, runId),
    remove: (who, runId) => remove(parts, who, runId),
  };
}

type Parts = HistoryParts & { readonly cursors: Cursors };

const seesAll = (who: Principal) => who.scopes.has('runs:read:all');

/** Attack: ids of others are probed. What is not theirs answers as what is not there. */
async function visible(parts: Parts, who: Principal, runId: string): Promise<Run> {
  const run = await parts.store.runs.get(runId);
  if (run === undefined || (run.owner !== who.id && !seesAll(who))) {
    throw new SallyportError('ERR_RUN_UNKNOWN', 'There is no such run.');
  }
  return run;
}

function shown(parts: Parts, run: Run): Run {
  return maskRecord(run, parts.masker(run.owner));
}

function unfinished({ state }: Run): SallyportError {
  return new SallyportError('ERR_RUN_UNFINISHED', `The run is ${state}.`, { retryAfterMs: 1000, details: { state } });
}

/** Where a page begins, and the cursor of the one behind it; `binding` is the reader and the list. */
function placeIn({ cursors }: Parts, binding: readonly unknown[], cursor: string | undefined) {
  return {
    from: cursor === undefined ? {} : { after: cursors.open(binding, cursor) },
    following: (next: string | undefined) => (next === undefined ? {} : { nextCursor: cursors.seal(binding, next) }),
  };
}

async function listRuns(parts: Parts, who: Principal, request: RunListRequest) {
  const { cursor, limit, state, since, until, ...filters } = request;
  const query: Omit<RunQuery, 'limit' | 'after'> = {
    ...definedOnly(filters),
    ...(seesAll(who) ? {} : { owner: who.id }),
    ...(state === undefined ? {} : { states: state }),
    ...timeOf('since', since),
    ...timeOf('until', until),
  };
  const binding = ['runs', who.id, query];
  const at = placeIn(parts, binding, cursor);
  const page = await parts.store.runs.list({ ...query, ...at.from, limit: limitOf(limit) });
  return {
    runs: page.items.map((run) => shown(parts, run)),
    ...at.following(page.next),
  };
}

async function findingsOfRun(
  parts: Parts,
  who: Principal,
  request: { runId: string; limit?: number | undefined; cursor?: string | undefined },
) {
  const { runId, limit, cursor } = request;
  const run = await visible(parts, who, runId);
  const binding = ['findings of', who.id, runId];
  const at = placeIn(parts, binding, cursor);
  const page = await parts.store.findings.ofRun(runId, { limit: limitOf(limit), ...at.from });
  const mask = parts.masker(run.owner);
  return {
    findings: page.items.map((finding) => maskFinding(finding, mask)),
    ...at.following(page.next),
  };
}

async function listFindings(parts: Parts, who: Principal, request: FindingListRequest) {
  const { cursor, limit, since, ...filters } = request;
  const query: Omit<FindingQuery, 'limit' | 'after'> = {
    ...definedOnly(filters),
    ...(seesAll(who) ? {} : { owner: who.id }),
    ...timeOf('since', since),
  };
  const binding = ['findings', who.id, query];
  const at = placeIn(parts, binding, cursor);
  const page = await parts.store.findings.list({ ...query, ...at.from, limit: limitOf(limit) });
  const masks = new Map<string, ReturnType<Parts['masker']>>();
  const maskFor = async (finding: Finding) => {
    const owner = seesAll(who) ? ((await parts.store.runs.get(finding.runId))?.owner ?? who.id) : who.id;
    const mask = masks.get(owner) ?? parts.masker(owner);
    masks.set(owner, mask);
    return maskFinding(finding, mask);
  };
  return {
    findings: await Promise.all(page.items.map(maskFor)),
    ...at.following(page.next),
  };
}

async function diff(parts: Parts, who: Principal, request: Parameters<RunHistory['diff']>[1]) {
  const { from, to, limit, cursor, unchanged = false } = request;
  const [before, after] = [await visible(parts, who, from), await visible(parts, who, to)];
  const binding = ['diff', who.id, from, to, unchanged];
  const at = placeIn(parts, binding, cursor);
  const side = async (run: Run) => ({ run, coverage: await parts.store.runs.coverage(run.runId) });
  const pair = { from: await side(before), to: await side(after) };
  const found = await compareRuns(parts.store.findings, pair, { limit: limitOf(limit), unchanged, ...at.from });
  const masks = { before: parts.masker(before.owner), after: parts.masker(after.owner) };
  return {
    from,
    to,
    counts: found.counts,
    notes: found.notes.map((note) => masks.after.text(masks.before.text(note))),
    entries: found.entries.map((entry) => maskDiffEntry(entry, masks)),
    ...at.following(found.next),
  };
}

async function exportSource(parts: Parts, who: Principal, runId: string) {
  const run = await visible(parts, who, runId);
  const mask = parts.masker(run.owner);
  const coverage = await parts.store.runs.coverage(runId);
  return {
    run: maskRecord(run, mask),
    coverage: coverage === undefined ? undefined : maskCoverage(coverage, mask),
    findings: () => mapped(allOfRun(parts, runId), (finding) => maskFinding(finding, mask)),
    version: parts.version,
    exportedAt: new Date(parts.clock.now()).toISOString(),
  };
}

async function* allOfRun({ store }: Parts, runId: string): AsyncGenerator<Finding, void, undefined> {
  let after: string | undefined;
  do {
    const page = await store.findings.ofRun(runId, { limit: EXPORT_PAGE, ...(after === undefined ? {} : { after }) });
    yield* page.items;
    after = page.next;
  } while (after !== undefined);
}

async function* mapped<T, U>(from: AsyncIterable<T>, change: (value: T) => U): AsyncGenerator<U, void, undefined> {
  for await (const value of from) yield change(value);
}

/** Attack: a key that may read everything, in the hands of a dashboard, must not end or remove what others run. */
async function owned(parts: Parts, who: Principal, runId: string): Promise<Run> {
  const run = await visible(parts, who, runId);
  if (run.owner === who.id || who.scopes.has('runs:cancel:all')) return run;
  throw new SallyportError('ERR_AUTH_FORBIDDEN', 'Only the principal that started a run may end or remove it.', {
    details: { scope: 'runs:cancel:all' },
  });
}

async function cancel(parts: Parts, who: Principal, runId: string): Promise<Run> {
  const run = await owned(parts, who, runId);
  if (isFinal(run.state)) return shown(parts, run);
  parts.log.info('run.cancelled', { runId, tool: run.tool, principal: who.id, state: run.state });
  await parts.runs.cancel(runId);
  return shown(parts, await visible(parts, who, runId));
}

async function remove(parts: Parts, who: Principal, runId: string): Promise<void> {
  const run = await owned(parts, who, runId);
  if (!isFinal(run.state)) throw unfinished(run);
  const keepMs = parts.keepMs();
  const age = parts.clock.now() - Date.parse(run.endedAt ?? run.createdAt);
  if (age < keepMs) {
    throw new SallyportError('ERR_RUN_RETAINED', 'The operator keeps ended runs for a time (runs.retention.keepMs).', {
      details: { keepMs, endedAt: run.endedAt },
    });
  }
  await parts.audit.append({
    type: 'run.removed',
    principal: who.id,
    engagement: run.engagement ?? undefined,
    runId,
    digest: run.planDigest ?? undefined,
    data: { tool: run.tool, state: run.state },
  });
  await parts.store.runs.remove(runId);
  parts.log.info('run.removed', { runId, tool: run.tool, principal: who.id });
}
