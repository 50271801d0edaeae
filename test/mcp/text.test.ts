import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ERRORS } from '../../src/core/errors.ts';
import { ADVICE } from '../../src/mcp/advice.ts';
import { estimateTokens } from '../../src/mcp/tokens.ts';
import { errorText, resultText } from '../../src/mcp/text.ts';
import { visible } from '../../src/mcp/visible.ts';
import { runResult } from '../fixtures/mcp/tools.ts';

const ROOMY = { tokens: 4000 };
const jsonOf = (text: string) => JSON.parse(text.split('\n').find((line) => line.startsWith('{')) ?? 'null') as unknown;

test('a small result is whole in the text, behind the sentence that says it is data', () => {
  const run = runResult('nmap', { hosts: ['10.0.0.1'] });
  const text = resultText(run, ROOMY);
  assert.deepEqual(jsonOf(text), run);
  assert.ok(text.indexOf(run.untrusted) < text.indexOf('{'));
  assert.match(text, /^nmap succeeded in 0\.0 s against 10\.0\.0\.1\. hosts: 1\. Run run-1\./);
});

test('an incomplete, degraded or cut result says so in its first line', () => {
  const over = {
    complete: false,
    degraded: ['-sS became -sT'],
    cuts: [{ path: 'a', kind: 'text' as const, omitted: 1 }],
  };
  const [line] = resultText(runResult('nmap', null, over), ROOMY).split('\n');
  assert.match(line ?? '', /INCOMPLETE.*cuts.*-sS became -sT/);
});

test('whatever a tool found, the text is bounded and its JSON stays valid', () => {
  const numbers = { copies: fc.integer({ min: 1, max: 3000 }), tokens: fc.integer({ min: 200, max: 5000 }) };
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.record(numbers), (value, { copies, tokens }) => {
      const run = runResult('x', { list: Array.from({ length: copies }, () => value), value });
      const text = resultText(run, { tokens });
      assert.ok(estimateTokens(text) <= tokens, `${estimateTokens(text)} of ${tokens}`);
      if (text.includes('\n{')) assert.notEqual(jsonOf(text), null);
    }),
    { numRuns: 50 },
  );
});

test('a text without room for the result has the most important findings and says where the rest is', () => {
  const run = runResult('x', { hosts: Array.from({ length: 5000 }, (_, i) => `host ${i}`) });
  const text = resultText(run, { tokens: 400, findings: ['high service a', 'info host b'], next: 'Call run_result.' });
  assert.match(text, /Call run_result\.\nMost important:\nhigh service a\ninfo host b\n/);
  assert.match(text, /hosts: 5000/);
  assert.match(text, /Run run-1\./);
});

test('hidden characters become visible and JSON keeps its value', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = visible(JSON.stringify(text));
      assert.equal(JSON.parse(shown), text);
      assert.doesNotMatch(shown, /[\p{Cc}\p{Cf}\p{DI}]/u);
    }),
  );
  assert.equal(visible('\u{e0041}'), '\\udb40\\udc41');
});

test('an error text names code, cause and remedy, and carries the partial result', () => {
  const body = {
    code: 'ERR_TOOL_TIMEOUT',
    message: 'Too slow.',
    requestId: 'r',
    retryAfterMs: 5,
    details: { limitMs: 1 },
  };
  const text = errorText(
    body,
    runResult('nmap', { hosts: ['10.0.0.7'] }, { outcome: 'timed_out', complete: false }),
    ROOMY,
  );
  assert.match(text, /^ERR_TOOL_TIMEOUT: Too slow\.\n.*run\.timeoutMs.*\nTry again after 5 ms\.\n/);
  assert.deepEqual(jsonOf(text), body);
  assert.match(text, /10\.0\.0\.7/);
  assert.match(text, /timed_out/);
});

test('every error that a model can meet as a result has its advice', () => {
  const missing = Object.entries(ERRORS).filter(([code, { mcp }]) => mcp === 'result' && ADVICE[code] === undefined);
  assert.deepEqual(
    missing.map(([code]) => code),
    ['ERR_CONFIG_INVALID'],
  );
});
