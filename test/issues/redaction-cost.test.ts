/*
 * Masking and cleaning cost in proportion to what they read: neither a banner of a target nor the passwords of a caller
 * stop the gateway, or make it forget the keys that it masks.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import hydra from '../../src/tools/hydra/index.ts';
import { parseGobuster } from '../../src/tools/gobuster/parser.ts';
import { growth, LINEAR } from '../fixtures/cpu-cost.ts';
import { startTestGateway } from '../fixtures/gateway.ts';
import { call, standIn } from './earlier-gateway.ts';

test('lines of gobuster that begin terminal sequences without end are read in linear time', () => {
  const ratio = growth((size) => {
    const line = Buffer.from(`/${'\u0090'.repeat(size)} (Status: 200) [Size: 1]\n`);
    return () => {
      const parser = parseGobuster({ mode: 'dir', expected: 1, emit: () => undefined });
      parser.stdout(line);
    };
  }, 1000);
  assert.ok(ratio < LINEAR, `eight times the line costs ${ratio} times as much`);
});

test('a call with ten thousand passwords hides them all and makes the gateway forget no key', async (t) => {
  const gateway = await startTestGateway(t, { yaml: 'policy: { risk: exploit }\n', tools: [standIn(hydra)] });
  const other = await gateway.key(undefined, 'other');
  await gateway.app.inject({ url: '/v1/tools', headers: { authorization: `Bearer ${other}` } });
  const passwords = Array.from({ length: 10_000 }, (_, at) => `password-${at}-x`);
  const answer = await call(gateway, 'hydra', { host: '10.0.0.5', service: 'ssh', users: ['root'], passwords });
  assert.notEqual(answer.run, undefined, answer.text);
  assert.doesNotMatch(answer.text, /password-\d+-x/);
  // Spelled so that its form does not give it away: only a gateway that still knows it masks it.
  const spelled = Buffer.from(other).toString('base64');
  assert.match(gateway.gateway.redactor.redactText(`x ${spelled}`), /^x \[redacted\].{0,3}$/);
});
