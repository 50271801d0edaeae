import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KnownSecrets } from '../../../src/core/redaction/known-secrets.ts';
import { growth, LINEAR } from '../../fixtures/cpu-cost.ts';

function knowing(secrets: readonly string[]): KnownSecrets {
  const known = new KnownSecrets();
  for (const secret of secrets) known.register(secret);
  return known;
}

test('each place of a secret is found, at the start, in the middle and at the end', () => {
  const known = knowing(['hunter2hunter']);
  assert.deepEqual(known.rangesIn('hunter2hunter, hunter2hunter hunter2hunter'), [
    [0, 13],
    [15, 28],
    [29, 42],
  ]);
  assert.deepEqual(known.rangesIn('hunter2hunte'), []);
});

test('of secrets that begin alike the longest one counts', () => {
  const known = knowing(['abcdef', 'abcdefgh', 'abcdefghijklmnop']);
  assert.deepEqual(known.rangesIn('abcdefg'), [[0, 6]]);
  assert.deepEqual(known.rangesIn('abcdefghijklmno'), [[0, 8]]);
  assert.deepEqual(known.rangesIn('abcdefghijklmnop'), [[0, 16]]);
});

test('a long secret is found whole, and what is left of it where a text was cut', () => {
  const secret = Array.from({ length: 60 }, (_, at) => `part${at}`).join('-');
  const known = knowing([secret]);
  assert.deepEqual(known.rangesIn(`x${secret}y`), [[1, secret.length + 1]]);
  assert.deepEqual(known.rangesIn(`x${secret.slice(0, 100)}`), [[1, 101]]);
  assert.equal(known.has(secret), true);
  assert.equal(known.has(secret.slice(0, -1)), false);
});

test('a spelling that two secrets share stays until both are forgotten', () => {
  const known = new KnownSecrets();
  // They differ after what is compared.
  const [one, other] = ['x'.repeat(40), 'x'.repeat(50)].map((secret) => known.register(secret));
  one?.();
  assert.equal(known.rangesIn('x'.repeat(60)).length, 1);
  other?.();
  assert.deepEqual(known.rangesIn('x'.repeat(60)), []);
});

test('nothing is left of what was forgotten, in any order (all spellings)', () => {
  const known = new KnownSecrets();
  const secrets = ['abcdefgh', 'abcdefghi', 'Abc/def+gh?', 'ümläut-ümläut', '%61%62%63%64%65%66'];
  const releases = secrets.map((secret) => known.register(secret));
  for (const [at, release] of releases.entries()) {
    assert.equal(known.rangesIn(secrets[at] ?? '').length, 1);
    release();
  }
  for (const secret of secrets) {
    for (const text of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')])
      assert.deepEqual(known.rangesIn(text), [], text);
  }
});

test('making secrets known costs in proportion to their number, also when all begin alike', () => {
  for (const name of [(at: number) => `password-${at}`, (at: number) => `${at}-password`]) {
    const ratio = growth((size) => {
      const secrets = Array.from({ length: size }, (_, at) => name(at));
      return () => knowing(secrets);
    }, 300);
    assert.ok(ratio < LINEAR, `eight times the secrets cost ${ratio} times as much`);
  }
});

test('a search costs in proportion to the text, whatever the secrets have in common with it', () => {
  const nested = knowing(Array.from({ length: 500 }, (_, at) => 'a'.repeat(at + 6)));
  const alike = knowing(Array.from({ length: 5000 }, (_, at) => `password${at}`));
  for (const [known, piece] of [
    [nested, 'a'],
    [nested, `${'a'.repeat(31)}b`],
    [alike, 'password'],
    [alike, 'password77'],
  ] as const) {
    const ratio = growth((size) => {
      const text = piece.repeat(Math.ceil(size / piece.length));
      return () => known.rangesIn(text);
    }, 10_000);
    assert.ok(ratio < LINEAR, `${piece}: eight times the text costs ${ratio} times as much`);
  }
});

test('a search does not cost more because more secrets begin alike', () => {
  const text = 'password'.repeat(4000);
  const ratio = growth((size) => {
    const known = knowing(Array.from({ length: size }, (_, at) => `password${at}`));
    return () => known.rangesIn(text);
  }, 1000);
  assert.ok(ratio < 4, `eight times the secrets make the search ${ratio} times as dear`);
});
