import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { EngagementView } from '../../schemas/engagement.ts';
import { engagements } from '../../src/cli/engagements.ts';
import { sample } from '../core/engagement/rig.ts';
import { temporaryDirectory } from './command-line.ts';
import { call, fakeRuns, HOSTILE, isSafe, json } from './fake-runs.ts';

const view = (changes: Partial<EngagementView> = {}): EngagementView => ({
  id: 'acme',
  version: '0123456789abcdef',
  source: 'rest',
  state: 'open',
  revoked: null,
  notices: [],
  document: sample(),
  ...changes,
});

test('the list shows each with its state, and nothing that steers the terminal', async (t) => {
  const hostile = view({ id: 'beta', state: 'expired', document: sample({ title: HOSTILE }) });
  const answer = json(200, { engagements: [view(), hostile] });
  const { environment } = await fakeRuns(t, { 'GET /v1/engagements': answer });
  for (const args of [[], ['list'], ['list', '--json']]) {
    const { code, stdout, stderr } = await call(engagements, args, { environment });
    assert.equal(code, 0, stderr);
    assert.ok(isSafe(stdout));
    assert.match(stdout, /acme/);
    assert.match(stdout, /expired/);
  }
});

test('put sends a YAML file as a document, to the path of its id', async (t) => {
  const { asked, environment } = await fakeRuns(t, { 'PUT /v1/engagements/acme': json(200, view()) });
  const file = join(temporaryDirectory(t), 'acme.yaml');
  writeFileSync(file, 'id: acme\nports: { deny: [502] }\n');
  const { code, stdout, stderr } = await call(engagements, ['put', file], { environment });
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(asked[0]?.body ?? ''), { id: 'acme', ports: { deny: ['502'] } });
  assert.match(stdout, /^acme {2}open {2}rest/);
});

test('put names what is wrong with a file before it asks anybody', async (t) => {
  const { asked, environment } = await fakeRuns(t, {});
  const directory = temporaryDirectory(t);
  const file = join(directory, 'acme.yaml');
  writeFileSync(file, 'id: acme\nid: other\n');
  await assert.rejects(call(engagements, ['put', file], { environment }), /line 2/);
  writeFileSync(file, 'title: no id\n');
  await assert.rejects(call(engagements, ['put', file], { environment }), /no id/);
  await assert.rejects(call(engagements, ['put', join(directory, 'gone.yaml')], { environment }), /cannot be read/);
  assert.equal(asked.length, 0);
});

test('revoke and reinstate send the reason', async (t) => {
  for (const verb of ['revoke', 'reinstate']) {
    const state = verb === 'revoke' ? 'revoked' : 'open';
    const { asked, environment } = await fakeRuns(t, {
      [`POST /v1/engagements/acme/${verb}`]: json(200, view({ state })),
    });
    const { code, stdout } = await call(engagements, [verb, 'acme', '--reason', 'a b'], { environment });
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(asked[0]?.body ?? ''), { reason: 'a b' });
    assert.match(stdout, new RegExp(state));
  }
});

test('remove sends its reason in the query', async (t) => {
  const { asked, environment } = await fakeRuns(t, { 'DELETE /v1/engagements/acme': json(200, {}) });
  const { code } = await call(engagements, ['remove', 'acme', '--reason', 'a&b=c'], { environment });
  assert.equal(code, 0);
  assert.equal(asked[0]?.query.get('reason'), 'a&b=c');
});

test('versions are shown newest first as they come', async (t) => {
  const version = { id: 'acme', version: 'v1', source: 'file', since: '2026', by: HOSTILE, document: sample() };
  const { environment } = await fakeRuns(t, {
    'GET /v1/engagements/acme/versions': json(200, { versions: [version, { ...version, version: 'v0' }] }),
  });
  const { stdout } = await call(engagements, ['versions', 'acme'], { environment });
  assert.ok(isSafe(stdout));
  assert.deepEqual(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.slice(0, 2)),
    ['v1', 'v0'],
  );
});

test('a refusal of the gateway is shown and is exit code 1', async (t) => {
  const body = { code: 'ERR_ENGAGEMENT_READ_ONLY', message: 'It is written in a file.', requestId: 'r' };
  const { environment } = await fakeRuns(t, { 'POST /v1/engagements/acme/revoke': json(409, body) });
  const { code, stderr } = await call(engagements, ['revoke', 'acme', '--reason', 'x'], { environment });
  assert.equal(code, 1);
  assert.match(stderr, /ERR_ENGAGEMENT_READ_ONLY/);
});

for (const args of [
  ['burn'],
  ['show'],
  ['show', '../runs'],
  ['show', 'a', 'b'],
  ['list', 'a'],
  ['revoke', 'acme'],
  ['revoke', 'acme', '--reason', ' '],
  ['put'],
]) {
  test(`engagements ${args.join(' ')} is wrong usage`, async (t) => {
    const { environment } = await fakeRuns(t, {});
    await assert.rejects(call(engagements, args, { environment }), { code: 'ERR_INPUT_INVALID' });
  });
}
