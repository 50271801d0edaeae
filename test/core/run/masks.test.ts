import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRedactor } from '../../../src/core/redaction/redactor.ts';
import { maskOutput } from '../../../src/core/run/masks.ts';

test('a short password that a tool found is masked where the tool prints it as a word, and other words stay', () => {
  const redactor = createRedactor();
  redactor.keepFound('owner', 'toor');
  const line = '[22][ssh] host: 10.0.0.1   login: root   password: toor\npassword="toor"; rooting toor.example';
  const shown = maskOutput(line, redactor.masker({ owner: 'owner' }));
  assert.match(shown, /password: \[redacted\]\n/);
  assert.match(shown, /password="\[redacted\]";/);
  assert.match(shown, /^\[22\]\[ssh\] host: 10\.0\.0\.1 {3}login: root /);
  assert.match(shown, /rooting/);
  assert.equal(maskOutput(line, redactor.masker({ owner: 'other' })), line);
});
