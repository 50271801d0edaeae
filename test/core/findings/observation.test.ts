import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { ATTRIBUTE_LIMITS } from '../../../src/core/findings/attributes.ts';
import { cutText, type FindingText } from '../../../src/core/findings/field-text.ts';
import { FINDING_LIMITS, toObservation } from '../../../src/core/findings/observation.ts';
import type { FindingDraft } from '../../../src/core/findings/types.ts';
import { fuzz } from '../../fixtures/fuzz.ts';
import { draftOf, findingText } from './samples.ts';

const observe = (patch: Partial<FindingDraft>, secrets: readonly string[] = []) =>
  toObservation(draftOf(patch), findingText(secrets));
const HIDDEN = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{DI}]/u;

/** Every text in a value, names of properties too. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) => [name, ...textsIn(item)]);
}

/** Whatever a hostile target could get into a draft through a careless parser. */
const hostileText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '\ud800',
    'a\udc00b',
    '\u001b]0;x\u0007',
    '\u202etxt',
    '\u{e0041}',
    '__proto__',
    '',
    '\r\n',
    'x'.repeat(3000),
  ),
  fc.integer({ min: 0, max: 20 }).map((size) => '😀'.repeat(250 * size)),
);
const hostileValue = fc.letrec((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    hostileText,
    fc.constantFrom<unknown>(
      Number.NaN,
      Number.POSITIVE_INFINITY,
      -0,
      10n ** 30n,
      undefined,
      Symbol('x'),
      () => 1,
      new Date(Number.NaN),
    ),
    fc.constantFrom<unknown>(new Map([['a', 1]]), Buffer.from('secret'), new Uint8Array(3), null, true),
    fc.array(tie('node'), { maxLength: 60 }),
    fc.dictionary(hostileText, tie('node'), { maxKeys: 60 }),
  ),
})).node;
const hostileDraft = fc.record({
  kind: fc.constantFrom('port', 'nonsense', '__proto__', undefined),
  target: fc.oneof(hostileText, fc.constant(undefined)),
  address: fc.oneof(
    hostileText,
    fc.constantFrom('10.77.0.10', '::FFFF:10.77.0.10', 'fe80::1%eth0', '010.1.1.1', undefined),
  ),
  port: fc.constantFrom<unknown>(80, -1, 65_536, Number.NaN, 1.5, '80', Number.POSITIVE_INFINITY, undefined),
  protocol: fc.oneof(hostileText, fc.constantFrom('TCP', undefined)),
  key: fc.oneof(hostileText, fc.constant(undefined)),
  title: hostileText,
  severity: fc.constantFrom('info', 'worst', 'constructor', undefined),
  confidence: fc.constantFrom('firm', '', undefined),
  evidence: fc.oneof(hostileText, fc.constant(7)),
  references: fc.oneof(fc.array(hostileText, { maxLength: 40 }), hostileText, fc.constant({ length: 3 })),
  attributes: hostileValue,
}) as unknown as fc.Arbitrary<FindingDraft>;

describe('an observation', () => {
  it('is bounded, plain, free of hidden characters and the same again, whatever the draft holds', async (t) => {
    await fuzz(
      t,
      fc.property(hostileDraft, (draft) => {
        const { fingerprint, digest, draft: kept } = toObservation(draft, findingText());
        assert.match(fingerprint, /^[0-9a-f]{32}$/);
        assert.match(digest, /^[0-9a-f]{32}$/);
        assert.deepEqual(JSON.parse(JSON.stringify(kept)), kept, 'a store gives back what it got');
        assert.deepEqual(
          textsIn(kept).filter((text) => HIDDEN.test(text)),
          [],
        );
        for (const name of ['target', 'address', 'key', 'title', 'evidence'] as const) {
          assert.ok((kept[name]?.length ?? 0) <= FINDING_LIMITS[name], name);
        }
        assert.ok(kept.references.length <= 20 && kept.references.every((each) => each.length <= 200));
        assert.ok(JSON.stringify(kept.attributes).length <= 120_000);
        const again = toObservation(kept, findingText());
        assert.equal(again.fingerprint, fingerprint);
      }),
    );
  });

  it('keeps a draft of ours as it is', () => {
    const draft = draftOf({
      address: '10.77.0.10',
      key: 'http-title',
      evidence: 'line one\nline two',
      references: ['CWE-89', 'secret_abc'],
      attributes: { product: 'nginx', versions: ['1', '2'], tls: { from: 1.2 }, none: null },
    });
    assert.deepEqual(observe(draft).draft, draft);
  });

  it('cuts every field to its bound with a marker', () => {
    const long = 'x'.repeat(2_000_000);
    const { draft } = observe({
      title: long,
      evidence: long,
      references: Array(30)
        .fill(0)
        .map((_, at) => `${at}${long}`),
    });
    assert.match(draft.title, /^x+…\[cut 1999\d+ characters\]$/);
    assert.match(draft.evidence, /^x+…\[cut 1996\d+ characters\]$/);
    assert.equal(draft.references.length, 20);
    assert.equal(draft.references[19], '…[cut 11 references]');
    assert.match(draft.references[0] ?? '', /^0x+…\[cut \d+ characters\]$/);
  });

  it('never cuts a pair into a lone surrogate', () => {
    for (const length of [297, 298, 299, 300, 301]) {
      assert.doesNotMatch(observe({ title: 'x'.repeat(length % 2) + '😀'.repeat(length) }).draft.title, /\p{Cs}/u);
    }
    assert.equal(cutText('x'.repeat(50), 40), `${'x'.repeat(20)}…[cut 30 characters]`);
  });

  it('says so when nothing of a title can be read', () => {
    assert.equal(observe({ title: '\u200b\u202e \u0007' }).draft.title, '[no readable title]');
  });

  it('tells two facts apart whose keys are masked alike, and one fact the same whatever is masked', () => {
    const hide = (words: readonly string[]): FindingText => ({
      clean: (text) => text,
      mask: <T>(value: T): T =>
        JSON.parse(words.reduce((json, word) => json.replaceAll(word, '[redacted]'), JSON.stringify(value))) as T,
    });
    const login = (key: string, words: readonly string[]) =>
      toObservation(
        { kind: 'credential', target: 'h', key, title: key, severity: 'high', confidence: 'confirmed' },
        hide(words),
      );
    const [one, other] = [login('administrator', ['administrator', 'superuser']), login('superuser', ['superuser'])];
    assert.notEqual(one.fingerprint, other.fingerprint);
    assert.equal(one.draft.key, '[redacted]');
    assert.equal(one.fingerprint, login('administrator', []).fingerprint);
  });

  it('has no port, protocol or address that is none', () => {
    for (const port of [-1, 65_536, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '80']) {
      assert.equal('port' in observe({ port: port as number }).draft, false, String(port));
    }
    for (const port of [0, 65_535]) assert.equal(observe({ port }).draft.port, port);
    assert.equal('protocol' in observe({ protocol: 'tcp; drop' }).draft, false);
    assert.equal(observe({ protocol: 'TCP' }).draft.protocol, 'tcp');
    assert.equal(observe({ address: '::ffff:10.77.0.10' }).draft.address, '10.77.0.10');
    assert.equal('address' in observe({ address: '\u200b' }).draft, false);
  });

  it('leaves lines in the evidence and nowhere else', () => {
    const { draft } = observe({ title: 'a\r\nb', key: 'a\nb', references: ['a\u2028b'], evidence: 'a\r\nb' });
    assert.deepEqual([draft.title, draft.key, draft.references, draft.evidence], ['a b', 'a b', ['a b'], 'a\nb']);
  });
});

describe('a hostile target', () => {
  it('cannot hide a finding behind another with the same beginning of a key', () => {
    const begin = 'k'.repeat(5000);
    const keys = [begin, `${begin}1`, `${begin}2`, begin.slice(0, 300), begin.slice(0, 301)];
    const seen = keys.map((key) => observe({ key }));
    assert.equal(new Set(seen.map(({ fingerprint }) => fingerprint)).size, keys.length);
    for (const { draft } of seen) assert.ok((draft.key?.length ?? 0) <= 300);
  });

  it('cannot hide an attribute behind another that looks like it', () => {
    const { draft } = observe({
      attributes: { 'a\u200b': 1, a: 2, [`${'n'.repeat(70)}1`]: 3, [`${'n'.repeat(70)}2`]: 4 },
    });
    assert.deepEqual(new Set(Object.values(draft.attributes)), new Set([1, 2, 3, 4]));
  });

  it('cannot reach a prototype through the name of an attribute', () => {
    const attributes = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}') as Record<
      string,
      unknown
    >;
    const { draft } = observe({ attributes });
    const copy: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(draft.attributes)) copy[name] = value;
    assert.equal(copy['polluted'], undefined);
    assert.equal(Object.getPrototypeOf(copy), Object.prototype);
    assert.deepEqual(draft.attributes['[__proto__]'], { polluted: 1 });
  });

  it('cannot make attributes that are too many, too deep, endless or that throw', () => {
    const cycle: Record<string, unknown> = { a: 1 };
    cycle['self'] = cycle;
    const trap = Object.defineProperty({}, 'trap', { enumerable: true, get: () => assert.fail('thrown by a getter') });
    const wide = Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`n${String(at).padStart(4, '0')}`, at]));
    const fat = Array.from({ length: 40 }, () => 'x'.repeat(1000));
    const { draft } = observe({
      attributes: { cycle, trap, wide, zFat: fat, list: Array.from({ length: 1000 }, () => 1) },
    });
    assert.deepEqual(draft.attributes['trap'], { trap: '[unreadable]' });
    assert.equal((draft.attributes['wide'] as Record<string, unknown>)['…'], '[cut 1951 properties]');
    assert.equal((draft.attributes['list'] as unknown[]).at(-1), '…[cut 951 entries]');
    assert.match(JSON.stringify(draft.attributes['cycle']), /too deep/);
    assert.ok(textsIn(draft.attributes).join('').length < ATTRIBUTE_LIMITS.maxChars + 40 * 30);
  });

  it('cannot change the digest by the order of what it sends', () => {
    const names = Array.from({ length: 80 }, (_, at) => `header-${at}`);
    const made = (order: readonly string[]) => Object.fromEntries(order.map((name) => [name, name]));
    assert.equal(observe({ attributes: made(names) }).digest, observe({ attributes: made(names.toReversed()) }).digest);
  });
});

describe('a secret', () => {
  const secret = 'hunter2-correct-horse';

  it('is masked in every text of a finding', () => {
    const { draft } = observe(
      {
        title: secret,
        key: `login ${secret}`,
        evidence: secret,
        references: [secret],
        attributes: { a: [{ b: secret }] },
      },
      [secret],
    );
    assert.equal(JSON.stringify(draft).includes(secret), false);
  });

  it('that lies across the bound of a field leaves no beginning behind', () => {
    const long = `hunter2-${'correct-horse-'.repeat(8)}`;
    for (let before = 3860; before <= 4000; before += 1) {
      const text = `${'.'.repeat(before)}${long}${'.'.repeat(6000)}`;
      const { draft } = observe({ evidence: text, attributes: { a: text.slice(3000) } }, [long]);
      assert.doesNotMatch(JSON.stringify(draft), /hun|horse/);
    }
  });

  it('that is split by invisible characters is still masked', () => {
    const { draft } = observe(
      { title: secret.split('').join('\u200b'), attributes: { a: secret.split('').join('\u0000') } },
      [secret],
    );
    assert.equal(JSON.stringify(draft).includes(secret), false);
  });

  it('that was guessed as an address does not take findings out of their place', () => {
    assert.equal(observe({ address: '10.77.0.10' }, ['10.77.0.10']).draft.address, '10.77.0.10');
  });
});
