/*
 * A refusal quotes what was sent, an audit keeps it for ever, and both are read by others than the one who sent it: the
 * half of a password, or its other spelling, must not get there by way of a quotation mark.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { AuditPage } from '../../schemas/audit.ts';
import { inputOf } from '../fixtures/hostile-tool.ts';
import { decoded, plant } from './untrusted-scene.ts';

type Planted = Awaited<ReturnType<typeof plant>>['gateway'];

/** What is answered to a plan and to a run with this host, and what the audit keeps of both. */
async function saidOf({ app, headers }: Planted, input: object): Promise<string> {
  const since = (await pageOf({ app, headers }, 0)).records.at(-1)?.seq ?? 0;
  const bodies: string[] = [];
  for (const what of ['plan', 'runs']) {
    const url = `/v1/tools/hostile/${what}`;
    bodies.push((await app.inject({ method: 'POST', url, headers, payload: { input } })).body);
  }
  let refused: AuditPage['records'] = [];
  // A refusal is answered before it is written; a request of this process alone would not let it be written.
  for (; refused.length < 2; await turn()) {
    refused = (await pageOf({ app, headers }, since)).records.filter(({ type }) => type.endsWith('.refused'));
  }
  return decoded([...bodies, JSON.stringify(refused)].join('\n'));
}

async function pageOf({ app, headers }: Pick<Planted, 'app' | 'headers'>, after: number): Promise<AuditPage> {
  const answer = await app.inject({ url: `/v1/audit?limit=1000&after=${after}`, headers });
  assert.equal(answer.statusCode, 200, answer.body);
  return answer.json() as AuditPage;
}

test('a refusal never ends in the first half of a secret, wherever its quotation is cut', async (t) => {
  const { gateway, secrets } = await plant(t);
  const { given } = secrets;
  for (let before = 60; before <= 84; before += 4) {
    const host = `${'x'.repeat(before)} ${given} ${'y'.repeat(100)}`;
    const text = await saidOf(gateway, inputOf(secrets, { host }));
    assert.ok(!text.includes(given.slice(0, 6)), `${before}: ${text}`);
  }
});

test('a secret of other letters than ASCII is masked in a refusal that escapes them', async (t) => {
  const { gateway, secrets } = await plant(t);
  const given = `Pässwörd-${randomBytes(4).toString('hex')}-€`;
  const host = `the host ${given}`;
  const text = await saidOf(gateway, inputOf({ ...secrets, given }, { host, note: 'n' }));
  assert.ok(!text.includes(given.slice(10, 18)), text);
  assert.match(text, /the host \[redacted\]/);
});

test('a secret in a name that is out of scope is masked, though names are lower case', async (t) => {
  const { gateway, secrets } = await plant(t);
  const { given } = secrets;
  const text = await saidOf(gateway, inputOf(secrets, { host: `${given}.other.test` }));
  assert.ok(!text.toLowerCase().includes(given.toLowerCase()), text);
});

test('a property named by a secret is not quoted', async (t) => {
  const { gateway, secrets } = await plant(t);
  const { given } = secrets;
  for (const name of [given, `${'x'.repeat(58)}${given}`]) {
    const text = await saidOf(gateway, { ...inputOf(secrets), [name]: 1 });
    assert.ok(!text.includes(given.slice(0, 6)), text);
  }
});
