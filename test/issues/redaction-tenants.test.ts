/*
 * Passwords that one tenant's runs found neither damage nor show themselves in the answers of another, and take nothing
 * out of the log.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestGateway, type TestGateway } from '../fixtures/gateway.ts';
import { call } from './earlier-gateway.ts';

const AS_NAMES = [
  'message',
  'address',
  'reason',
  'timedOut',
  'principal',
  'run.finished',
  'requestId',
  'details',
  'outcome',
  'succeeded',
  'stdout',
  'targets',
];

async function tenants(gateway: TestGateway) {
  const as = async (name: string) => ({
    app: gateway.app,
    headers: { authorization: `Bearer ${await gateway.key(undefined, name)}` },
  });
  return { ann: await as('ann'), bob: await as('bob') };
}

/** The tool's word may hold no other characters. */
const asWord = (text: string) => text.replace(/[^a-zA-Z0-9_+/=.%]/g, '');

test('passwords that are names of ours take no field out of an answer, an error or a line of the log', async (t) => {
  const gateway = await startTestGateway(t);
  const { ann, bob } = await tenants(gateway);
  for (const word of AS_NAMES) assert.equal((await call(ann, 'echo', { word: asWord(word), keep: true })).status, 200);
  const written = gateway.logLines.length;
  for (const tenant of [ann, bob]) {
    const good = await call(tenant, 'echo', { word: 'hello' });
    assert.ok(!good.text.includes('redacted'), good.text);
    assert.deepEqual([good.run?.outcome, good.run?.result], ['succeeded', { text: 'hello\n' }]);
    for (const [tool, input] of [
      ['echo', { word: 'a b' }],
      ['missing', {}],
      ['nowhere', {}],
    ] as const) {
      const bad = await call(tenant, tool, input);
      const body = JSON.parse(bad.text) as Record<string, unknown>;
      assert.ok(typeof body['message'] === 'string' && typeof body['requestId'] === 'string', bad.text);
      assert.ok(!bad.text.includes('"[redacted]'), bad.text);
    }
  }
  const lines = gateway.logLines.slice(written).map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.ok(lines.some(({ event }) => event === 'run.finished'));
  for (const line of lines) {
    assert.match(String(line['event']), /^[a-z_]+\.[a-z_]+$/, JSON.stringify(line));
    assert.ok(!Object.keys(line).some((name) => name.includes('redacted')), JSON.stringify(line));
  }
});

test('nobody learns from the echo of a guess that another tenant’s run found it; its owner and the log do not see it', async (t) => {
  const gateway = await startTestGateway(t);
  const { ann, bob } = await tenants(gateway);
  const found = 'Summer2026';
  const spellings = [found, Buffer.from(found).toString('base64'), Buffer.from(found).toString('hex')];
  await call(ann, 'echo', { word: found, keep: true });
  for (const spelling of spellings) {
    const word = `x${spelling}`;
    const guess = await call(bob, 'echo', { word });
    const control = await call(bob, 'echo', { word: word.replace('x', 'y') });
    assert.deepEqual(guess.run?.result, { text: `${word}\n` });
    assert.deepEqual(guess.run?.argv.slice(1), [word]);
    assert.equal(control.text.includes('redacted'), guess.text.includes('redacted'));
    const refused = await call(bob, 'echo', { [word]: 1 });
    assert.match(refused.text, new RegExp(word.slice(0, 40).replace(/[+=/]/g, '.')));
    const own = await call(ann, 'echo', { word });
    assert.ok(!own.text.includes(spelling), own.text);
    assert.ok(own.text.includes('[redacted]'));
  }
  for (const line of gateway.logLines) for (const spelling of spellings) assert.ok(!line.includes(spelling), line);
});
