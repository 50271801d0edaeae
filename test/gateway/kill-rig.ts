import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Type } from '@sinclair/typebox';
import type { Run } from '../../schemas/run-record.ts';
import { type AnyTool, defineTool } from '../../src/core/tool/definition.ts';
import { fakeTools, living, scriptNeeds } from '../core/execution/harness.ts';
import { startTestGateway, type TestGateway } from '../fixtures/gateway.ts';

/** The promise is 2 s; a busy machine gets 10 before a test says no, and the real time is printed. */
export const KILL_LIMIT_MS = 10_000;

/** Trees that do not end by themselves: each ignores polite signals, and some leave its group and session. */
export const HOSTILE: readonly (readonly [name: string, ...options: string[]])[] = [
  ['stubborn'],
  ['escape', '3', 'stay'],
  ['escape', '2', 'stay', 'bare'],
  ['relay'],
];

/** A tool that runs one of the fake tools out of a directory; its processes are known by that directory. */
export function hostileTool(name: string, directory: string): AnyTool {
  return defineTool({
    name,
    title: 'Does not end',
    description: 'Runs a program that does not want to end.',
    binary: 'perl',
    debianPackage: 'perl-base',
    risk: 'observe',
    timeoutMs: 120_000,
    maxTimeoutMs: 120_000,
    concurrency: 4,
    maxConcurrency: 4,
    limits: { maxAddresses: 1, maxPorts: 0 },
    input: Type.Object(
      {
        program: Type.String({ pattern: '^[a-z-]{1,32}$', description: 'which' }),
        options: Type.Optional(Type.Array(Type.String({ pattern: '^[a-z0-9]{1,16}$' }), { description: 'how' })),
      },
      { additionalProperties: false },
    ),
    output: Type.Object({ text: Type.String() }, { additionalProperties: false }),
    targets: () => [],
    needs: scriptNeeds(directory),
    grammar: { options: {}, operands: /^[\w./-]{1,200}$/ },
    argv: ({ program, options = [] }) => [`${directory}/${program}`, ...options],
    parse: () => {
      let text = '';
      return {
        stdout: (chunk) => {
          text += chunk.toString('latin1');
        },
        end: () => ({ result: { text: text.slice(0, 1000) }, complete: false }),
      };
    },
    findings: () => [],
    coverage: () => ({ areas: [], missing: [] }),
    probe: { argv: ['-v'], version: /\(v(\S+)\)/ },
    examples: [{ title: 'one', input: { program: 'stubborn' }, argv: [`${directory}/stubborn`] }],
  });
}

/** A running gateway with two hostile tools, `mine` and `theirs`, each in an engagement of its own, `acme` and `other`. */
export interface KillPlace extends TestGateway {
  readonly directories: { readonly mine: string; readonly theirs: string };
  /** Starts a run and resolves once its program said that its tree is complete. */
  readonly start: (tool: 'mine' | 'theirs', hostile: (typeof HOSTILE)[number]) => Promise<string>;
  readonly post: (url: string, payload?: object, headers?: Record<string, string>) => Promise<Answer>;
  readonly get: (url: string) => Promise<Answer>;
  readonly run: (runId: string) => Promise<Run>;
}

/** An answer of the gateway. */
export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Starts it; the test ends it. */
export async function startKillPlace(t: TestContext): Promise<KillPlace> {
  const directories = { mine: fakeTools(t), theirs: fakeTools(t) };
  const tools = [hostileTool('mine', directories.mine), hostileTool('theirs', directories.theirs)];
  const gateway = await startTestGateway(t, { tools, yaml: 'port: 0\nexecution:\n  maxConcurrentRuns: 16\n' });
  const ask = async (
    method: 'GET' | 'POST' | 'PUT',
    url: string,
    given: { payload?: object; headers?: object } = {},
  ) => {
    const { payload, headers } = given;
    const answer = await gateway.app.inject({
      method,
      url,
      headers: { ...gateway.headers, ...headers },
      ...(payload === undefined ? {} : { payload }),
    });
    return { status: answer.statusCode, body: answer.json<Record<string, unknown>>() };
  };
  for (const id of ['acme', 'other']) {
    const put = await ask('PUT', `/v1/engagements/${id}`, { payload: engagement(id) });
    assert.equal(put.status < 300, true, JSON.stringify(put.body));
  }
  const place: Omit<KillPlace, 'start'> = {
    ...gateway,
    directories,
    post: (url, payload = {}, headers = {}) => ask('POST', url, { payload, headers }),
    get: (url) => ask('GET', url),
    run: async (runId) => (await ask('GET', `/v1/runs/${runId}`)).body as unknown as Run,
  };
  return { ...place, start: (tool, hostile) => startHostile(place, tool, hostile) };
}

function engagement(id: string): object {
  return {
    id,
    title: id,
    approver: 'j.doe',
    principals: ['test'],
    scope: { allow: ['10.0.0.0/8'] },
    tools: { allow: [id === 'acme' ? 'mine' : 'theirs'] },
    risk: 'active',
  };
}

async function startHostile(
  place: Omit<KillPlace, 'start'>,
  tool: 'mine' | 'theirs',
  [program, ...options]: (typeof HOSTILE)[number],
): Promise<string> {
  const engagementId = tool === 'mine' ? 'acme' : 'other';
  const asked = { input: { program, options }, run: { engagement: engagementId } };
  const started = await place.post(`/v1/tools/${tool}/runs`, asked, { prefer: 'respond-async' });
  assert.equal(started.status, 202, JSON.stringify(started.body));
  const runId = String(started.body['runId']);
  for (const end = performance.now() + 30_000; performance.now() < end; await delay(50)) {
    const { body } = await place.get(`/v1/runs/${runId}/output?stream=stdout`);
    if (JSON.stringify(body).includes('ready')) return runId;
  }
  assert.fail(`${program} did not get ready: ${JSON.stringify(await place.run(runId))}`);
}

/** Milliseconds until no process of a directory is left; Infinity when one is there after the limit. */
export async function gone(directory: string, limitMs = KILL_LIMIT_MS): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    if (living(directory).length === 0) return performance.now() - startedAt;
    if (performance.now() - startedAt > limitMs) return Number.POSITIVE_INFINITY;
    await delay(10);
  }
}
