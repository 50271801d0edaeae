import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { FindingPage } from '../../schemas/finding.ts';
import {
  DiffQuerySchema,
  FindingListQuerySchema,
  OutputQuerySchema,
  PageQuerySchema,
  RunListQuerySchema,
} from '../../schemas/query.ts';
import { countTool } from '../fixtures/count-tool.ts';
import { startTestGateway } from '../fixtures/gateway.ts';

const QUERIES = {
  'GET /v1/runs': RunListQuerySchema,
  'GET /v1/runs/{id}/output': OutputQuerySchema,
  'GET /v1/runs/{id}/findings': PageQuerySchema,
  'GET /v1/findings': FindingListQuerySchema,
  'GET /v1/diff': DiffQuerySchema,
};

for (const [route, schema] of Object.entries(QUERIES)) {
  test(`docs/api.md names every parameter of ${route}`, () => {
    const api = readFileSync(join(import.meta.dirname, '../../docs/api.md'), 'utf8');
    const chapter = api.split(/^## /m).find((part) => part.startsWith('Following a run\n')) ?? '';
    const row = chapter.split('\n').find((line) => line.startsWith(`| \`${route}\` `)) ?? '';
    const named = [...row.matchAll(/`(\w+)(?:=\w+)?`/g)].map(([, name]) => name);
    const missing = Object.keys(schema.properties).filter((name) => !named.includes(name));
    assert.deepEqual(missing, []);
  });
}

test('findings are paged whole and once, and every filter narrows them', async (t) => {
  const { app, headers, key } = await startTestGateway(t, { tools: [countTool] });
  const started = { method: 'POST' as const, url: '/v1/tools/count/runs', headers, payload: { input: { last: 5 } } };
  for (let round = 0; round < 2; round += 1) assert.equal((await app.inject(started)).statusCode, 200);
  const list = async (query: string, as: object = headers) => {
    const response = await app.inject({ url: `/v1/findings?${query}`, headers: { ...as } });
    assert.equal(response.statusCode, 200, response.body);
    return response.json() as FindingPage;
  };
  const seen: string[] = [];
  let cursor = '';
  do {
    const page = await list(`limit=2${cursor}`);
    seen.push(...page.findings.map(({ title }) => title));
    cursor = page.nextCursor === undefined ? '' : `&cursor=${encodeURIComponent(page.nextCursor)}`;
  } while (cursor !== '');
  assert.deepEqual(
    seen.toSorted(),
    [1, 2, 3, 4, 5].map((number) => `number ${number}`),
  );
  for (const query of ['tool=count', 'kind=note', 'severity=low', 'target=count.lab', 'since=2020-01-01T00:00:00Z']) {
    assert.equal((await list(query)).findings.length, 5, query);
  }
  for (const query of [
    'tool=nmap',
    'kind=port',
    'severity=medium',
    'target=other.lab',
    'port=1',
    'since=2999-01-01T00:00:00Z',
  ]) {
    assert.equal((await list(query)).findings.length, 0, query);
  }
  const reader = { authorization: `Bearer ${await key(['findings:read', 'runs:read'])}` };
  const auditor = { authorization: `Bearer ${await key(['findings:read', 'runs:read:all'])}` };
  assert.equal((await list('', reader)).findings.length, 0, 'findings are their owner’s');
  assert.equal((await list('', auditor)).findings.length, 5);
});
