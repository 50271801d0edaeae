import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { encode as older } from 'gpt-tokenizer/encoding/cl100k_base';
import { encode as newer } from 'gpt-tokenizer/encoding/o200k_base';
import { estimateTokens } from '../../src/mcp/tokens.ts';

const PLAIN = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() };
const realTokens = (text: string) => Math.max(older(text, PLAIN).length, newer(text, PLAIN).length);
const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
const bytes = Buffer.concat(Array.from({ length: 60 }, (_, i) => createHash('sha256').update(`${i}`).digest()));
const rows = Array.from({ length: 80 }, (_, i) => ({
  host: `10.0.0.${i}`,
  port: 22 + i,
  state: 'open',
  service: { name: 'http', product: 'nginx', version: `1.${i}.0` },
  banner: 'Apache httpd 2.4.57 ((Debian)) OpenSSL/3.0.11',
  tags: [],
}));

const SAMPLES: Readonly<Record<string, string>> = {
  'a result as JSON': JSON.stringify(rows),
  'indented JSON': JSON.stringify(rows, null, 2),
  'base 64': bytes.toString('base64'),
  'base 64 for addresses': bytes.toString('base64url'),
  hexadecimal: bytes.toString('hex'),
  'capital hexadecimal': bytes.toString('hex').toUpperCase(),
  escapes: JSON.stringify(bytes.toString('latin1')),
  'escapes in escapes': JSON.stringify(JSON.stringify(bytes.toString('latin1'))),
  Chinese: '开放端口发现高危漏洞请立即修复服务器配置错误'.repeat(20),
  'Japanese and Korean': 'テスト用のサーバー管理画面 관리자 로그인 페이지입니다'.repeat(20),
  'rare signs': Array.from({ length: 600 }, (_, i) => String.fromCodePoint(0x4e00 + i * 31)).join(''),
  emoji: '😀🎉👨‍👩‍👧🏳️‍🌈🦄🧬🔥'.repeat(40),
  Russian: 'Удалённый доступ к панели управления открыт для всех. '.repeat(20),
  Arabic: 'لوحة التحكم مفتوحة للجميع '.repeat(20),
  addresses: Array.from({ length: 200 }, (_, i) => `2001:db8::${i.toString(16)}:ff${i}/64`).join(','),
  uuids: Array.from({ length: 40 }, (_, i) => bytes.toString('hex', i, i + 16).replace(/(.{8})(.{4})/, '$1-$2-')).join(
    ' ',
  ),
  prose: read('README.md'),
  source: read('src/app.ts'),
  'a lock file': read('package-lock.json').slice(0, 20_000),
};

test('the estimate is never below what real tokenizers count', () => {
  for (const [name, text] of Object.entries(SAMPLES)) {
    const real = realTokens(text);
    assert.ok(estimateTokens(text) >= real, `${name}: ${estimateTokens(text)} for ${real}`);
  }
});

test('the estimate is not below for texts of any kind of characters either', () => {
  const letters = (from: string) =>
    fc.string({ unit: fc.constantFrom(...Array.from(from)), minLength: 400, maxLength: 800 });
  const small = 'abcdefghijklmnopqrstuvwxyz';
  const kinds = fc.oneof(
    letters(small),
    letters(small.toUpperCase()),
    letters(`${small}${small.toUpperCase()}0123456789+/`),
    letters('0123456789.:/'),
    letters('!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'),
    letters('中文字測試éàüжщ😀\u200d\u202e\u0000\u001b \n\t{}",:'),
    fc.string({ unit: 'binary', minLength: 300, maxLength: 600 }),
    fc.string({ unit: 'grapheme', minLength: 300, maxLength: 600 }),
    fc.array(fc.lorem({ mode: 'sentences' }), { minLength: 5, maxLength: 20 }).map((texts) => texts.join(' ')),
    fc.array(fc.jsonValue({ maxDepth: 3 }), { minLength: 40, maxLength: 80 }).map((value) => JSON.stringify(value)),
  );
  fc.assert(
    fc.property(kinds, (text) => assert.ok(estimateTokens(text) >= realTokens(text))),
    { numRuns: 150 },
  );
});

test('for results and prose the estimate is at most two and a half times what is counted', () => {
  for (const name of ['a result as JSON', 'indented JSON', 'prose', 'a lock file', 'addresses']) {
    const text = SAMPLES[name] ?? '';
    assert.ok(estimateTokens(text) <= 2.5 * realTokens(text), name);
  }
});

test('a text without tokens costs none', () => {
  assert.equal(estimateTokens(''), 0);
});
