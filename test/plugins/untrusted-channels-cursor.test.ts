/*
 * A cursor holds the place of the last finding, and a place is a text of the caller or the target: opaque is not secret.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inputOf } from '../fixtures/hostile-tool.ts';
import { plant, start } from './untrusted-scene.ts';

test('a cursor does not carry a found secret in an encoding that anybody can undo', async (t) => {
  const { gateway, secrets } = await plant(t);
  const { runId } = (await start(gateway, inputOf(secrets))).json() as { runId: string };
  const url = `/v1/runs/${runId}/findings?limit=1`;
  const page = await gateway.app.inject({ url, headers: gateway.headers });
  const { nextCursor } = page.json() as { nextCursor: string };
  const position = Buffer.from(nextCursor.split('.')[0] ?? '', 'base64url').toString();
  const texts = [position, ...position.split('.').map((part) => Buffer.from(part, 'base64url').toString())];
  assert.ok(!texts.join('\n').toLowerCase().includes(secrets.found.toLowerCase()));
});
