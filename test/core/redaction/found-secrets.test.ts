import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FoundSecrets } from '../../../src/core/redaction/found-secrets.ts';

const isIn = (known: { rangesIn(text: string): readonly unknown[] } | undefined, text: string) =>
  (known?.rangesIn(`x ${text} x`) ?? []).length > 0;

test('what one owner found is in no set of another, and in the set for the log', () => {
  const found = new FoundSecrets();
  found.keep('ann', 'Summer2026!');
  found.keep('bob', 'Winter2026!');
  assert.deepEqual([isIn(found.of('ann'), 'Summer2026!'), isIn(found.of('ann'), 'Winter2026!')], [true, false]);
  assert.deepEqual([isIn(found.of('bob'), 'Summer2026!'), isIn(found.of('bob'), 'Winter2026!')], [false, true]);
  assert.equal(found.of('eve'), undefined);
  for (const secret of ['Summer2026!', 'Winter2026!']) assert.equal(isIn(found.all, secret), true);
});

test('an owner with many finds forgets its own oldest, never those of another; also for the log', () => {
  const found = new FoundSecrets();
  found.keep('ann', 'Summer2026!');
  found.keep('bob', 'Summer2026!');
  for (let at = 0; at < 2000; at += 1) found.keep('bob', `find-number-${at}`);
  assert.equal(isIn(found.of('ann'), 'Summer2026!'), true);
  assert.equal(isIn(found.all, 'Summer2026!'), true);
  assert.equal(isIn(found.of('bob'), 'Summer2026!'), false);
  for (const known of [found.of('bob'), found.all]) {
    assert.equal(isIn(known, 'find-number-1999'), true);
    assert.equal(isIn(known, 'find-number-3'), false);
  }
});

test('what is found again counts once and is forgotten last', () => {
  const found = new FoundSecrets();
  found.keep('ann', 'Summer2026!');
  for (let at = 0; at < 1200; at += 1) {
    found.keep('ann', `find-number-${at}`);
    found.keep('ann', 'Summer2026!');
  }
  assert.equal(isIn(found.of('ann'), 'Summer2026!'), true);
  assert.equal(isIn(found.all, 'Summer2026!'), true);
});

test('owners are bounded in number, and one that leaves takes its finds out of the log’s set', () => {
  const found = new FoundSecrets();
  for (let at = 0; at < 200; at += 1) found.keep(`owner-${at}`, `find-of-owner-${at}.`);
  assert.equal(found.of('owner-0'), undefined);
  assert.equal(isIn(found.all, 'find-of-owner-0.'), false);
  assert.equal(isIn(found.of('owner-199'), 'find-of-owner-199.'), true);
});
