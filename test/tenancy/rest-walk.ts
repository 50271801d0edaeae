import type { Belongings } from './world.ts';

/** One request of the stranger. */
export interface Request {
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Only what comes first is read: the answer has no end. */
  readonly isEndless?: boolean;
}

/**
 * What a route may tell a stranger with every scope but `…:all`.
 * `none`: nothing of others, and an id of theirs answers as one that is not there.
 * `operators`: its scope is for those who run the gateway, so it names everybody; credentials still never.
 */
export interface Row {
  readonly sees: 'none' | 'operators';
  /** Why, where others are named. */
  readonly because?: string;
  readonly ask: (things: Belongings) => readonly Request[];
}

const plain = (...paths: string[]): Row => ({ sees: 'none', ask: () => paths.map((path) => ({ path })) });
const own = (ask: Row['ask']): Row => ({ sees: 'none', ask });
const ofRun = (part: string, more: Omit<Request, 'path'> = {}): Row =>
  own(({ runId, waitingId }) => [runId, waitingId].map((id) => ({ path: `/v1/runs/${id}${part}`, ...more })));
const operators = (because: string, ask: Row['ask']): Row => ({ sees: 'operators', because, ask });
const DESK = 'whoever holds engagements:read or :write decides what may be touched, for everybody';

/** A call in the stranger's own engagement, at a host of its own. */
const INPUT = { host: '10.99.1.1', word: 'basaltword', secret: 'basaltsecret' };
const REASON = { reason: 'a walk' };
const decide = (verb: string): Row =>
  own(({ waitingId, runId, digest }) =>
    [waitingId, runId].map((id) => ({ path: `/v1/approvals/${id}/${verb}`, body: { digest, ...REASON } })),
  );

/** Every route of the access table; a new one is missing here until somebody has said what it tells strangers. */
export const REST_WALK: Readonly<Record<string, Row>> = {
  'GET /health/live': plain('/health/live'),
  'GET /health/ready': plain('/health/ready'),
  'GET /health': plain('/health'),
  'GET /metrics': operators('what is left of an engagement is measured by its id', () => [{ path: '/metrics' }]),
  'GET /openapi.json': plain('/openapi.json'),
  'GET /docs*': plain('/docs/'),
  'GET /v1/tools': plain('/v1/tools'),
  'GET /v1/tools/:name': plain('/v1/tools/mark'),
  'GET /v1/scope': plain('/v1/scope'),
  'GET /v1/wordlists': plain('/v1/wordlists'),
  'GET /v1/stats': plain('/v1/stats'),
  'GET /v1/config': plain('/v1/config'),
  'GET /v1/events': own(() => [{ path: '/v1/events', headers: { 'last-event-id': '0' }, isEndless: true }]),
  'POST /v1/tools/:name/plan': own(({ engagement }) => [
    { path: '/v1/tools/mark/plan', body: { input: INPUT, run: { engagement } } },
    { path: '/v1/tools/mark/plan', body: { input: { ...INPUT, host: '10.66.77.14' } } },
  ]),
  'GET /v1/plans/:id': own(({ planId, runId }) => [planId, runId].map((id) => ({ path: `/v1/plans/${id}` }))),
  'POST /v1/tools/:name/runs': own(({ engagement, planId, idempotencyKey }) => [
    { path: '/v1/tools/mark/runs', body: { input: INPUT, run: { engagement } } },
    { path: '/v1/tools/mark/runs', body: { input: INPUT, run: { planId } } },
    { path: '/v1/tools/mark/runs', body: { input: {}, run: { planId } } },
    { path: '/v1/tools/mark/runs', body: { input: INPUT }, headers: { 'idempotency-key': idempotencyKey } },
  ]),
  'GET /v1/runs': own(({ runsCursor, findingsCursor, runId }) => [
    { path: '/v1/runs?limit=200' },
    { path: '/v1/runs?target=10.66.77.13' },
    { path: `/v1/runs?target=${runId}` },
    ...[runsCursor, findingsCursor].map((cursor) => ({ path: `/v1/runs?limit=1&cursor=${cursor}` })),
  ]),
  'GET /v1/runs/:id': ofRun(''),
  'GET /v1/runs/:id/result': ofRun('/result'),
  'GET /v1/runs/:id/events': own(({ runId, waitingId, eventId }) => [
    { path: `/v1/runs/${runId}/events` },
    { path: `/v1/runs/${waitingId}/events` },
    { path: `/v1/runs/${runId}/events`, headers: { 'last-event-id': eventId } },
  ]),
  'GET /v1/runs/:id/output': ofRun('/output'),
  'GET /v1/runs/:id/findings': own(({ runId, ofRunCursor }) => [
    { path: `/v1/runs/${runId}/findings` },
    { path: `/v1/runs/${runId}/findings?limit=1&cursor=${ofRunCursor}` },
  ]),
  'GET /v1/runs/:id/export': own(({ runId }) =>
    ['json', 'csv', 'sarif', 'html', 'markdown', 'defectdojo'].map((format) => ({
      path: `/v1/runs/${runId}/export?format=${format}`,
    })),
  ),
  'POST /v1/runs/:id/cancel': ofRun('/cancel'),
  'DELETE /v1/runs/:id': ofRun(''),
  'GET /v1/findings': own(({ findingsCursor, runsCursor }) => [
    { path: '/v1/findings?limit=200' },
    { path: '/v1/findings?target=10.66.77.13' },
    ...[findingsCursor, runsCursor].map((cursor) => ({ path: `/v1/findings?limit=1&cursor=${cursor}` })),
  ]),
  'GET /v1/diff': own(({ runId, otherRunId, diffCursor }) => [
    { path: `/v1/diff?from=${runId}&to=${otherRunId}` },
    { path: `/v1/diff?from=${runId}&to=${otherRunId}&unchanged=true&limit=1&cursor=${diffCursor}` },
  ]),
  'GET /v1/secrets/:id': own(({ secretRef }) => [{ path: `/v1/secrets/${secretRef}` }]),
  // Those on the list of approvers see a request; the stranger holds runs:approve and is not on it.
  'GET /v1/approvals': plain('/v1/approvals'),
  'GET /v1/approvals/:id': own(({ waitingId, runId }) =>
    [waitingId, runId].map((id) => ({ path: `/v1/approvals/${id}` })),
  ),
  'POST /v1/approvals/:id/approve': decide('approve'),
  'POST /v1/approvals/:id/deny': decide('deny'),
  'GET /v1/engagements': operators(DESK, () => [{ path: '/v1/engagements' }]),
  'GET /v1/engagements/:id': operators(DESK, ({ engagement }) => [{ path: `/v1/engagements/${engagement}` }]),
  'GET /v1/engagements/:id/versions': operators(DESK, ({ engagement }) => [
    { path: `/v1/engagements/${engagement}/versions` },
  ]),
  'PUT /v1/engagements/:id': operators(DESK, ({ engagement }) => [
    { path: `/v1/engagements/${engagement}`, body: { id: engagement } },
  ]),
  'DELETE /v1/engagements/:id': operators(DESK, ({ engagement }) => [{ path: `/v1/engagements/${engagement}` }]),
  'POST /v1/engagements/:id/revoke': operators(DESK, ({ engagement }) => [
    { path: `/v1/engagements/${engagement}/revoke`, body: {} },
  ]),
  'POST /v1/engagements/:id/reinstate': operators(DESK, ({ engagement }) => [
    { path: `/v1/engagements/${engagement}/reinstate`, body: {} },
  ]),
  'GET /v1/kill': plain('/v1/kill'),
  'POST /v1/kill': own(({ engagement }) => [{ path: '/v1/kill', body: { engagement } }]),
  'POST /v1/kill/lift': operators('admin:kill is for everybody’s runs', ({ engagement }) => [
    { path: '/v1/kill/lift', body: { engagement, ...REASON } },
  ]),
  'GET /v1/audit': operators('the record of everything, for those who hold audit:read', () => [{ path: '/v1/audit' }]),
  'GET /v1/audit/export': operators('as above', () => [{ path: '/v1/audit/export' }]),
  'GET /v1/audit/key': plain('/v1/audit/key'),
  'POST /v1/tools/:name/enable': plain('/v1/tools/mark/enable'),
  'POST /v1/tools/:name/disable': own(() => [{ path: '/v1/tools/nothing/disable' }]),
  'POST /mcp': own(({ session }) => [
    { path: '/mcp', headers: { 'mcp-session-id': session }, body: { jsonrpc: '2.0', id: 1, method: 'tools/list' } },
    { path: '/mcp', headers: { 'mcp-session-id': session }, body: { jsonrpc: '2.0', id: 0, result: {} } },
  ]),
  'GET /mcp': own(({ session }) => [
    { path: '/mcp', headers: { accept: 'text/event-stream', 'mcp-session-id': session } },
  ]),
  'DELETE /mcp': own(({ session }) => [{ path: '/mcp', headers: { 'mcp-session-id': session } }]),
  'OPTIONS /mcp': plain('/mcp'),
  'PATCH /mcp': plain('/mcp'),
  'PUT /mcp': plain('/mcp'),
};
