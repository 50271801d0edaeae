import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERRORS } from '../../src/core/errors.ts';
import { ADVICE } from '../../src/mcp/advice.ts';
import { estimateTokens } from '../../src/mcp/tokens.ts';

/** Codes that no call of a tool ends with. */
const NEVER_OF_A_CALL = new Set(['ERR_CONFIG_INVALID']);

test('every error that a model can get as a result tells it what to do', () => {
  for (const [code, { mcp }] of Object.entries(ERRORS)) {
    if (mcp !== 'result' || NEVER_OF_A_CALL.has(code)) continue;
    assert.ok(ADVICE[code] !== undefined, code);
  }
});

test('advice is for codes that exist, short, and one line', () => {
  for (const [code, advice = ''] of Object.entries(ADVICE)) {
    assert.ok(Object.hasOwn(ERRORS, code), code);
    assert.match(advice, /^[A-Z][^\n]+\.$/, code);
    assert.ok(estimateTokens(advice) <= 60, code);
  }
});

test('a refusal by policy never invites to try another way: it sends the agent to its user or operator', () => {
  const policy = Object.keys(ADVICE).filter((code) =>
    /_(NOT_OPEN|EXPIRED|REVOKED|TOOL_DENIED|DENIED|OUT_OF_SCOPE|SELF)$|KILL_SWITCH/.test(code),
  );
  assert.ok(policy.length >= 8);
  for (const code of policy) {
    if (code === 'ERR_PLAN_EXPIRED') continue;
    assert.match(ADVICE[code] ?? '', /[Tt]ell the user|operator/, code);
  }
});
