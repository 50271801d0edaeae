import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from '@sinclair/typebox';
import { MASK } from '../../src/core/redaction/patterns.ts';
import { createRedactor } from '../../src/core/redaction/redactor.ts';
import { createRunText } from '../../src/gateway/run-text.ts';
import { growth, LINEAR } from '../fixtures/cpu-cost.ts';

const OUTPUT = Type.Object({ text: Type.String() });
const passwords = (count: number) => Array.from({ length: count }, (_, at) => `password-${at}-x`);

test('secrets of a call are masked in every part of its answer', () => {
  const mask = createRunText(createRedactor()).masker(['hunter2hunter', 'abc'], OUTPUT);
  assert.deepEqual(mask(['-p', 'hunter2hunter', 'abc', 'abcd']), ['-p', MASK, MASK, 'abcd']);
  assert.deepEqual(mask({ text: 'x hunter2hunter' }), { text: `x ${MASK}` });
});

test('ten thousand secrets of one call push no known key out', () => {
  const redactor = createRedactor();
  const key = 'a-key-of-the-operator-that-is-known';
  redactor.register(key);
  const mask = createRunText(redactor).masker(passwords(10_000), OUTPUT);
  assert.equal(mask('x password-9999-x, password-0-x'), `x ${MASK}, ${MASK}`);
  assert.equal(mask(`x ${key}`), `x ${MASK}`);
  assert.equal(redactor.redactText(`x ${key}`), `x ${MASK}`);
  assert.equal(redactor.redactText('x password-9999-x'), 'x password-9999-x');
});

test('an answer costs in proportion to the secrets of its call', () => {
  const redactor = createRedactor();
  const ratio = growth((size) => {
    const secrets = passwords(size);
    return () => {
      const mask = createRunText(redactor).masker(secrets, OUTPUT);
      for (let part = 0; part < 50; part += 1) mask(`part ${part}`);
    };
  }, 500);
  assert.ok(ratio < LINEAR, `eight times the secrets cost ${ratio} times as much`);
});

test('an answer of many parts does not pay for its secrets again and again', () => {
  const text = createRunText(createRedactor());
  const secrets = passwords(2000);
  const ratio = growth((parts) => {
    return () => {
      const mask = text.masker(secrets, OUTPUT);
      for (let part = 0; part < parts; part += 1) mask('part');
    };
  }, 10);
  assert.ok(ratio < 3, `eight times the parts cost ${ratio} times as much`);
});

test('the text of an event is cleaned, bounded and masked by form', () => {
  const text = createRunText(createRedactor());
  const bearer = 'bearer abcdefgh12345';
  assert.deepEqual(text.cleanEvent({ kind: 'progress', message: `a\u001b[31mb\n${bearer}` }), {
    kind: 'progress',
    message: `ab bearer ${MASK}`,
  });
  assert.ok((text.cleanEvent({ kind: 'progress', message: 'x'.repeat(9000) }).message?.length ?? 0) < 400);
  assert.deepEqual(text.cleanEvent({ kind: 'progress', percent: 5 }), { kind: 'progress', percent: 5 });
});
