import type { Scope } from './types.ts';

/**
 * Who may use a route.
 * `public`: anybody. `optional`: anybody, more for a holder of the scope.
 * `scope`: holders of the scope. `browser`: the same, and the key may come as the password of HTTP Basic (RFC 7617),
 * because a browser cannot send a bearer token when a person opens a page.
 */
export type Access =
  | { readonly kind: 'public' }
  | { readonly kind: 'optional' | 'scope' | 'browser'; readonly scope: Scope };

const scope = (name: Scope): Access => ({ kind: 'scope', scope: name });

/** Every route and what it needs. A route that is not here refuses to be registered, so nothing is open by oversight. */
export const ACCESS: Readonly<Record<string, Access>> = {
  'GET /health/live': { kind: 'public' },
  'GET /health/ready': { kind: 'public' },
  'GET /health': { kind: 'optional', scope: 'health:read' },
  'GET /metrics': scope('metrics:read'),
  'GET /openapi.json': { kind: 'browser', scope: 'tools:read' },
  'GET /docs*': { kind: 'browser', scope: 'tools:read' },
  'GET /v1/tools': scope('tools:read'),
  'GET /v1/tools/:name': scope('tools:read'),
  'POST /v1/tools/:name/plan': scope('runs:plan'),
  'GET /v1/plans/:id': scope('runs:plan'),
  'GET /v1/scope': scope('tools:read'),
  'POST /v1/tools/:name/runs': scope('runs:execute'),
  'GET /v1/runs': scope('runs:read'),
  'GET /v1/runs/:id': scope('runs:read'),
  'GET /v1/runs/:id/result': scope('runs:read'),
  'GET /v1/runs/:id/events': scope('runs:read'),
  'GET /v1/runs/:id/output': scope('runs:read'),
  'GET /v1/runs/:id/findings': scope('findings:read'),
  'GET /v1/runs/:id/export': scope('findings:read'),
  'POST /v1/runs/:id/cancel': scope('runs:cancel'),
  'DELETE /v1/runs/:id': scope('runs:cancel'),
  'GET /v1/findings': scope('findings:read'),
  'GET /v1/diff': scope('findings:read'),
  'GET /v1/approvals': scope('runs:approve'),
  'GET /v1/approvals/:id': scope('runs:approve'),
  'POST /v1/approvals/:id/approve': scope('runs:approve'),
  'POST /v1/approvals/:id/deny': scope('runs:approve'),
  'GET /v1/engagements': scope('engagements:read'),
  'GET /v1/engagements/:id': scope('engagements:read'),
  'GET /v1/engagements/:id/versions': scope('engagements:read'),
  'PUT /v1/engagements/:id': scope('engagements:write'),
  'DELETE /v1/engagements/:id': scope('engagements:write'),
  'POST /v1/engagements/:id/revoke': scope('engagements:write'),
  'POST /v1/engagements/:id/reinstate': scope('engagements:write'),
  'GET /v1/kill': scope('admin:kill'),
  'POST /v1/kill': scope('admin:kill'),
  'POST /v1/kill/lift': scope('admin:kill'),
  'GET /v1/audit': scope('audit:read'),
  'GET /v1/audit/export': scope('audit:read'),
  'GET /v1/audit/key': scope('audit:read'),
  'POST /v1/tools/:name/enable': scope('admin:tools'),
  'POST /v1/tools/:name/disable': scope('admin:tools'),
  'GET /v1/wordlists': scope('tools:read'),
  'GET /v1/stats': scope('tools:read'),
  'GET /v1/config': scope('admin:config'),
  'GET /v1/events': scope('health:read'),
  'GET /v1/secrets/:id': scope('secrets:read'),
  // What a principal may do over MCP is decided per operation by src/mcp; the door itself asks for the least scope.
  'POST /mcp': scope('tools:read'),
  'GET /mcp': scope('tools:read'),
  'DELETE /mcp': scope('tools:read'),
  // Registered only to be refused with 405.
  'OPTIONS /mcp': scope('tools:read'),
  'PATCH /mcp': scope('tools:read'),
  'PUT /mcp': scope('tools:read'),
};

/** The row of a route: `pattern` is the route's own pattern with concrete tool names written as `:name`. */
export function accessOf(method: string, pattern: string): Access | undefined {
  // HEAD is GET without a body (RFC 9110 section 9.3.2), so it needs the same.
  const verb = method === 'HEAD' ? 'GET' : method;
  return ACCESS[`${verb} ${pattern.startsWith('/docs') ? '/docs*' : pattern}`];
}
