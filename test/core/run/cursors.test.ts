import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { createCursors } from '../../../src/core/run/cursors.ts';

const INVALID = { code: 'ERR_INPUT_INVALID' };

test('a cursor opens for its reader and its list alone, and shows nothing of its position', () => {
  const cursors = createCursors(randomBytes(32));
  const binding = ['runs', 'key_a', { tool: 'nmap' }];
  const cursor = cursors.seal(binding, 'position of hunter2');
  assert.equal(cursors.open(binding, cursor), 'position of hunter2');
  assert.ok(!Buffer.from(cursor, 'base64url').includes('hunter2'));
  assert.notEqual(cursors.seal(binding, 'position of hunter2'), cursor);
  for (const other of [
    ['runs', 'key_b', { tool: 'nmap' }],
    ['runs', 'key_a', { tool: 'dig' }],
    ['findings', 'key_a'],
  ]) {
    assert.throws(() => cursors.open(other, cursor), INVALID);
  }
  assert.throws(() => createCursors(randomBytes(32)).open(binding, cursor), INVALID);
});

test('what is no cursor is refused: cut at every length, changed in every byte, empty, endless', () => {
  const cursors = createCursors(randomBytes(32));
  const sealed = Buffer.from(cursors.seal(['x'], 'p'), 'base64url');
  for (let length = 0; length < sealed.length; length += 1) {
    assert.throws(() => cursors.open(['x'], sealed.subarray(0, length).toString('base64url')), INVALID);
  }
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    assert.throws(() => cursors.open(['x'], changed.toString('base64url')), INVALID);
  }
  assert.throws(() => cursors.open(['x'], 'A'.repeat(1_000_000)), INVALID);
});
