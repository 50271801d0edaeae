import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { MASK } from '../../../src/core/redaction/patterns.ts';
import { createRedactor } from '../../../src/core/redaction/redactor.ts';

const SECRET = 'tr0ub4dor&3 "ß/+=?';

/** Ways in which a secret travels inside another text. */
const CARRIERS: Readonly<Record<string, (secret: string, before: string, after: string) => string>> = {
  raw: (secret, before, after) => `${before}${secret}${after}`,
  json: (secret, before, after) => JSON.stringify({ a: `${before}${secret}${after}` }),
  base64: (secret, before, after) => Buffer.from(`${before}${secret}${after}`).toString('base64'),
  base64url: (secret, before, after) => Buffer.from(`${before}${secret}${after}`).toString('base64url'),
  hex: (secret, before, after) => Buffer.from(`${before}${secret}${after}`).toString('hex'),
  HEX: (secret, before, after) => Buffer.from(`${before}${secret}${after}`).toString('hex').toUpperCase(),
  url: (secret, before, after) => encodeURIComponent(`${before}${secret}${after}`),
  'url lower case': (secret) => encodeURIComponent(secret).replace(/%../g, (each) => each.toLowerCase()),
  form: (secret, before, after) => new URLSearchParams({ q: `${before}${secret}${after}` }).toString(),
  'every byte': (secret) => Buffer.from(secret).toString('hex').replace(/../g, '%$&'),
};

for (const [name, carry] of Object.entries(CARRIERS)) {
  test(`a known secret is masked when it travels as ${name}, at every alignment`, () => {
    const redactor = createRedactor();
    redactor.register(SECRET);
    for (const [before, after] of [
      ['', ''],
      ['a', 'b'],
      ['ab', 'c'],
      ['abc', ''],
      ['', 'abcd'],
    ] as const) {
      const carried = carry(SECRET, before, after);
      const masked = redactor.redactText(carried);
      assert.ok(masked.includes(MASK), carried);
      const left = masked.replace(MASK, '');
      // At most the characters that the secret shares with its neighbours may stay.
      assert.ok(left.length <= carry('', before, after).length + 4, `${carried} → ${masked}`);
    }
  });
}

test('any secret is masked in any text and any spelling (property)', () => {
  const secrets = fc
    .string({ minLength: 8, maxLength: 40, unit: 'binary' })
    .filter((text) => !/^[\d.:/-]*$/.test(text) && text.isWellFormed());
  const contexts = fc.string({ maxLength: 20 });
  const spellings = fc.constantFrom('raw', 'base64', 'base64url', 'hex', 'url', 'form');
  fc.assert(
    fc.property(fc.tuple(secrets, contexts, contexts, spellings), ([secret, before, after, name]) => {
      const redactor = createRedactor();
      redactor.register(secret);
      const carried = CARRIERS[name]?.(secret, before, after) ?? '';
      return redactor.redactText(carried).includes(MASK);
    }),
  );
});

test('overlapping secrets leave no end behind', () => {
  const redactor = createRedactor();
  for (const secret of ['abcdefgh', 'efghijkl', 'abcdefghijklmnop']) redactor.register(secret);
  assert.equal(redactor.redactText('xabcdefghijklx'), `x${MASK}x`);
  assert.equal(redactor.redactText('xabcdefghijklmnopx'), `x${MASK}x`);
  assert.equal(redactor.redactText('abcdefgh abcdefgh'), `${MASK} ${MASK}`);
});

test('a released secret is forgotten, one that is held twice only at the second release', () => {
  const redactor = createRedactor();
  const [first, second] = [redactor.register('hunter2hunter'), redactor.register('hunter2hunter')];
  first();
  first();
  assert.equal(redactor.redactText('a hunter2hunter'), `a ${MASK}`);
  second();
  assert.equal(redactor.redactText('a hunter2hunter'), 'a hunter2hunter');
});

test('a caller cannot hide an address or a short word from the log by calling it a secret', () => {
  const redactor = createRedactor();
  for (const plain of ['10.77.0.10', '10.0.0.0/8', '443', '123456789', 'open', 'nmap', '2001:1:2', '']) {
    redactor.register(plain);
    assert.equal(redactor.redactText(`target ${plain}, port 443 open`), `target ${plain}, port 443 open`);
  }
  assert.equal(redactor.redactText('open'), MASK);
});

test('what is remembered is bounded, and what is in use is forgotten last', () => {
  const redactor = createRedactor({ maxSecrets: 3 });
  const keep = 'secret-number-0';
  for (let number = 0; number < 50; number += 1) {
    redactor.register(keep);
    redactor.register(`secret-number-${number}`);
  }
  assert.equal(redactor.redactText(`x ${keep}`), `x ${MASK}`);
  assert.equal(redactor.redactText('x secret-number-7 x'), 'x secret-number-7 x');
  assert.equal(redactor.redactText('x secret-number-49 x'), `x ${MASK} x`);
});

const KEY = `sp_0a1b2c3d_${randomBytes(32).toString('base64url')}`;
const PATTERNS: readonly (readonly [string, string, string])[] = [
  ['our key', `key ${KEY} used`, KEY],
  ['bearer', `Authorization: Bearer ${KEY}x`, KEY],
  ['basic', 'proxy-authorization: Basic dXNlcjpwYXNz', 'dXNlcjpwYXNz'],
  ['a bearer in prose', 'sent bearer abcdefgh12345 to it', 'abcdefgh12345'],
  ['a cookie header', 'Set-Cookie: sid=abcdef; Path=/', 'abcdef'],
  ['a cookie property', '{"cookie":"sid=abcdef"}', 'abcdef'],
  ['a URL with credentials', 'redis://user:p@ss:w@10.0.0.1:6379/0', 'p@ss'],
  ['a URL with a user only', 'https://ghp_token0123@github.test/x', 'ghp_token0123'],
  ['an access token', 'GET /x?access_token=abc123&y=1', 'abc123'],
  ['an AWS key id', 'id AKIAIOSFODNN7EXAMPLE end', 'AKIAIOSFODNN7EXAMPLE'],
  ['an AWS secret', `aws_secret_access_key = ${'a/B+'.repeat(10)}`, 'a/B+a/B+'],
  ['a JWT', 'token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl', 'c2lnbmF0dXJl'],
  ['a private key', '-----BEGIN RSA PRIVATE KEY-----\nMIIB\nabc\n-----END RSA PRIVATE KEY-----', 'MIIB'],
  ['a private key that is cut off', 'x -----BEGIN PRIVATE KEY-----\nMIIBabc', 'MIIBabc'],
];
for (const [name, text, secret] of PATTERNS) {
  test(`${name} is masked without being known`, () => {
    const masked = createRedactor().redactText(text);
    assert.ok(!masked.includes(secret), masked);
    assert.ok(masked.includes(MASK));
    assert.equal(createRedactor().redactText(masked), masked);
  });
}

test('ordinary results stay as they are', () => {
  const redactor = createRedactor();
  redactor.register('correct horse battery');
  for (const text of [
    'http://10.0.0.1:80/a?b=c',
    'Basic realm="lab"',
    'open tcp 22 ssh',
    'user@example.test',
    'a://b c@d',
    '',
  ]) {
    assert.equal(redactor.redactText(text), text);
  }
});

test('a value is masked to its last corner, and the original stays as it was', () => {
  const redactor = createRedactor();
  redactor.register('hunter2hunter2');
  const value = {
    list: [{ deep: 'x hunter2hunter2' }],
    [KEY]: 1,
    [`${KEY}x`]: 2,
    map: new Map([['a', 'hunter2hunter2']]),
    set: new Set(['hunter2hunter2']),
    buffer: Buffer.from('hunter2hunter2'),
    headers: { Authorization: 'short', 'X-Api-Key': ['a'] },
    error: new Error('about hunter2hunter2', { cause: new Error('hunter2hunter2') }),
    big: 5n,
    number: 5,
    nothing: null,
  };
  const before = structuredClone(value.list);
  const text = JSON.stringify(redactor.redactValue(value));
  assert.ok(!text.includes('hunter2'), text);
  assert.ok(!text.includes(KEY), text);
  assert.equal(text.match(/"\[redacted\] \d+":/g)?.length, 2, text);
  assert.ok(!text.includes('"short"') && !text.includes('104,117,110'), text);
  assert.match(text, /"big":"5","number":5,"nothing":null/);
  assert.deepEqual(value.list, before);
});

test('a name of a property is never masked by what somebody made known', () => {
  const redactor = createRedactor();
  const body = { message: 'm', address: 'a', reason: 'r', timedOut: true, 'run.finished': 1 };
  for (const name of Object.keys(body)) {
    redactor.register(name);
    redactor.keepFound('ann', name);
  }
  const names = (value: unknown) => Object.keys(value as object);
  const masker = redactor.masker({ owner: 'ann', given: () => names(body) });
  for (const masked of [
    redactor.redactValue(body),
    redactor.redactLogged(body),
    masker.value(body),
    masker.fields(body),
  ])
    assert.deepEqual(names(masked), names(body));
});

test('what an owner found is masked for that owner and in the log, and for nobody else', () => {
  const redactor = createRedactor();
  redactor.keepFound('ann', 'Summer2026!');
  const text = 'x Summer2026! x';
  assert.equal(redactor.masker({ owner: 'ann' }).text(text), `x ${MASK} x`);
  assert.equal(redactor.redactLogged(text), `x ${MASK} x`);
  assert.equal(redactor.masker({ owner: 'bob' }).text(text), text);
  assert.equal(redactor.masker({}).text(text), text);
  assert.equal(redactor.redactText(text), text);
  assert.deepEqual(redactor.redactValue({ text }), { text });
});

test('in the log and in error details a find is not masked where our own words stand', () => {
  const redactor = createRedactor();
  for (const found of ['run.finished', 'risk.tool', 'failed']) redactor.keepFound('ann', found);
  const fields = { event: 'run.finished', rule: 'risk.tool', outcome: 'failed' };
  assert.deepEqual(redactor.redactLogged({ ...fields, note: 'run.finished' }), { ...fields, note: MASK });
  assert.deepEqual(redactor.masker({ owner: 'ann' }).fields({ ...fields, note: 'x risk.tool' }), {
    ...fields,
    note: `x ${MASK}`,
  });
  // A key of ours is masked there too.
  assert.deepEqual(redactor.redactLogged({ tool: KEY }), { tool: MASK });
});

test('a word that the schema of an answer fixes stays in the answer', () => {
  const redactor = createRedactor();
  const schema = { properties: { state: { anyOf: [{ const: 'filtered' }, { const: 'open' }] } } };
  const masker = redactor.masker({ given: () => ['filtered', 'open'], schema });
  assert.deepEqual(masker.value({ state: 'filtered', note: 'filtered!' }), { state: 'filtered', note: `${MASK}!` });
});

test('secrets of one call are asked for once, when there is a text, and are known to no other call', () => {
  const redactor = createRedactor();
  let asked = 0;
  const masker = redactor.masker({ given: () => [`hunter2hunter${(asked += 1)}`] });
  assert.equal(asked, 0);
  assert.deepEqual(masker.value(['a hunter2hunter1', 'b hunter2hunter1']), [`a ${MASK}`, `b ${MASK}`]);
  assert.equal(asked, 1);
  assert.equal(redactor.redactText('a hunter2hunter1'), 'a hunter2hunter1');
});

test('secrets of different sets that overlap leave no end behind', () => {
  const redactor = createRedactor();
  redactor.register('abcdefgh');
  redactor.keepFound('ann', 'efghijkl');
  const masker = redactor.masker({ owner: 'ann', given: () => ['klmnopqr'] });
  assert.equal(masker.text('xabcdefghijklmnopqrx'), `x${MASK}x`);
});

test('cycles, depth, throwing getters and prototype names do not break it', () => {
  const redactor = createRedactor();
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  assert.ok(JSON.stringify(redactor.redactValue(cycle)).includes('[too deep]'));
  const bad = {
    get x(): string {
      throw new Error('no');
    },
  };
  assert.deepEqual(redactor.redactValue(bad), { x: '[unreadable]' });
  redactor.redactValue(JSON.parse('{"__proto__":{"polluted":1}}'));
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
});

test('hostile texts cost time in proportion to their length', () => {
  const redactor = createRedactor();
  for (let number = 0; number < 200; number += 1) redactor.register(randomBytes(12).toString('hex'));
  const hostile = [
    '-eyJ',
    'bearer ',
    'a://',
    '://',
    'cookie:',
    'authorization',
    'sp_a_',
    '-----BEGIN PRIVATE KEY',
    'a',
    '%41',
    'x@',
    'a.',
    'a+a-',
    'a://b@',
    '.eyJaaaaaaaa',
    'proxy-',
    'set-cookie=\\"',
    'bearer        ',
    'sp_aaaaaaaa_aaaaaaaaaaaaaaaaaaa ',
  ];
  const cost = (text: string) => {
    const started = process.cpuUsage().user;
    redactor.redactText(text);
    return process.cpuUsage().user - started;
  };
  for (const piece of hostile) {
    const short = Math.max(2000, ...[1, 2, 3].map(() => cost(piece.repeat(4000))));
    const long = Math.min(...[1, 2, 3].map(() => cost(piece.repeat(32_000))));
    // Eight times the text: a quadratic pattern would cost sixty-four times as much.
    assert.ok(long < short * 40, `${piece}: ${short} → ${long} µs`);
  }
});
