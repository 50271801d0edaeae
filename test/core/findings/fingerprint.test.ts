import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { changesOf } from '../../../src/core/findings/diff.ts';
import { canonicalJson, digestOf, fingerprintOf } from '../../../src/core/findings/fingerprint.ts';
import type { FindingDraft } from '../../../src/core/findings/types.ts';
import { fuzz } from '../../fixtures/fuzz.ts';
import { draftOf, seenOf } from './samples.ts';

describe('the fingerprint of a finding', () => {
  it('is 32 hexadecimal digits and does not change between versions', () => {
    // Golden: a store holds findings of years, and a new spelling would make every one of them new.
    assert.equal(fingerprintOf(draftOf()), GOLDEN);
  });

  it('is the same for every spelling of one place', () => {
    const same: readonly (readonly [string, string])[] = [
      ['Web.Lab.Internal', 'web.lab.internal'],
      ['web.lab.internal.', 'web.lab.internal'],
      ['bücher.example', 'xn--bcher-kva.example'],
      ['FD00:0:0::1', 'fd00::1'],
      ['::ffff:10.77.0.10', '10.77.0.10'],
      ['10.77.0.10/32', '10.77.0.10'],
      ['HTTP://Web.Lab:80/A', 'http://web.lab/A'],
      ['http://web.lab', 'http://web.lab/'],
    ];
    for (const [one, other] of same) {
      assert.equal(fingerprintOf(draftOf({ target: one })), fingerprintOf(draftOf({ target: other })), one);
    }
  });

  it('is of the address where there is one, whatever name led to it', () => {
    const byName = draftOf({ target: 'web.lab.internal', address: '10.77.0.10' });
    assert.equal(fingerprintOf(byName), fingerprintOf(draftOf()));
    assert.notEqual(fingerprintOf({ ...byName, address: '10.77.0.11' }), fingerprintOf(byName));
  });

  it('keeps the case of a path, because two paths are two things', () => {
    const [one, other] = ['http://web.lab/A', 'http://web.lab/a'].map((target) => fingerprintOf(draftOf({ target })));
    assert.notEqual(one, other);
  });

  it('does not depend on what may change from run to run', async (t) => {
    const changing = fc.record({
      title: fc.string(),
      severity: fc.constantFrom('info', 'high', 'critical'),
      confidence: fc.constantFrom('tentative', 'confirmed'),
      evidence: fc.string(),
      references: fc.array(fc.string()),
      attributes: fc.dictionary(fc.string(), fc.jsonValue()),
    }) as fc.Arbitrary<Partial<FindingDraft>>;
    await fuzz(
      t,
      fc.property(changing, (patch) => {
        assert.equal(fingerprintOf(draftOf(patch)), fingerprintOf(draftOf()));
      }),
    );
  });

  it('tells two findings apart wherever one field moves into its neighbour', async (t) => {
    const parts = fc.record(
      {
        kind: fc.constantFrom('port', 'host', 'path'),
        target: fc.constantFrom('a', 'a1', 'a,1', 'a"', '1'),
        protocol: fc.constantFrom('tcp', 'udp', 't'),
        port: fc.constantFrom(0, 1, 11),
        key: fc.constantFrom('', '1', 'null', 'tcp', '"', '\\', '\u0000', '["a"]'),
      },
      { requiredKeys: ['kind', 'target'] },
    ) as fc.Arbitrary<Partial<FindingDraft>>;
    const about = (draft: Partial<FindingDraft>) =>
      JSON.stringify([draft.kind, draft.target, draft.protocol, draft.port, draft.key].map((each) => [each]));
    const bare = (patch: Partial<FindingDraft>): FindingDraft => ({
      ...({ title: 't', severity: 'info', confidence: 'firm' } as const),
      ...(patch as Pick<FindingDraft, 'kind' | 'target'>),
    });
    await fuzz(
      t,
      fc.property(parts, parts, (one, other) => {
        const isSame = fingerprintOf(bare(one)) === fingerprintOf(bare(other));
        assert.equal(isSame, about(one) === about(other));
      }),
    );
  });
});

describe('the digest of a finding', () => {
  it('is the same for every order of attributes, at any depth', () => {
    const one = digestOf(draftOf({ attributes: { a: 1, b: { c: [1, { d: 1, e: 2 }], f: null } } }));
    const other = digestOf(draftOf({ attributes: { b: { f: null, c: [1, { e: 2, d: 1 }] }, a: 1 } }));
    assert.equal(one, other);
  });

  it('changes exactly when the comparison names a change', async (t) => {
    const values = fc.oneof(
      fc.constantFrom<unknown>(1, '1', null, true, [], {}, [1, 2], [2, 1]),
      fc.jsonValue({ maxDepth: 2 }),
    );
    const state = fc.record({
      title: fc.constantFrom('a', 'b'),
      severity: fc.constantFrom('info', 'high'),
      confidence: fc.constantFrom('tentative', 'firm'),
      evidence: fc.constantFrom('x', 'y'),
      attributes: fc.dictionary(fc.constantFrom('a', 'b', 'constructor', 'toString', '__proto__'), values, {
        maxKeys: 3,
      }),
    }) as fc.Arbitrary<Partial<FindingDraft>>;
    await fuzz(
      t,
      fc.property(state, state, (was, is) => {
        const [one, other] = [seenOf(draftOf(was)), seenOf(draftOf(is))];
        const changes = changesOf(one.finding, other.finding);
        assert.equal(one.digest === other.digest, changes.length === 0, changes.join());
      }),
    );
  });

  it('does not take what every object has for an attribute', () => {
    const [was, is] = [{}, { constructor: null }].map((attributes) => seenOf(draftOf({ attributes })).finding);
    assert.ok(was !== undefined && is !== undefined);
    assert.deepEqual(changesOf(was, is), ['attributes.constructor']);
  });

  it('names each change as a reader knows it', () => {
    const was = seenOf(draftOf({ attributes: { version: '1', gone: 1, same: { a: 1 } } })).finding;
    const is = seenOf(
      draftOf({ severity: 'high', title: 'x', confidence: 'confirmed', attributes: { version: '2', same: { a: 1 } } }),
    );
    assert.deepEqual(changesOf(was, is.finding), [
      'severity',
      'title',
      'confidence',
      'attributes.gone',
      'attributes.version',
    ]);
  });
});

describe('canonical JSON', () => {
  it('has one text for one value, and reads back as it', async (t) => {
    await fuzz(
      t,
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        assert.equal(canonicalJson(JSON.parse(text)), text);
        assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

const GOLDEN = '197c508b650f56804c3d467dcd5c4ff7';
