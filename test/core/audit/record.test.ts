import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { AUDIT_TYPES } from '../../../schemas/audit.ts';
import { boundedData, MAX_DATA_BYTES } from '../../../src/core/audit/bounded-data.ts';
import { canonicalText } from '../../../src/core/audit/canonical.ts';
import { EMPTY_CHAIN, endAt, follows, readRecord, sealRecord, textOf } from '../../../src/core/audit/chain.ts';
import { ocsfText } from '../../../src/core/audit/ocsf.ts';
import { newChain } from './chain-rig.ts';

test('canonical JSON is that of RFC 8785: the example of its section 3.2.2, and integer-like names', () => {
  const example = {
    numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
    string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
    literals: [null, true, false],
  };
  assert.equal(
    canonicalText(example),
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
  assert.equal(canonicalText({ 9: 1, 10: 2, b: 3, a: undefined }), '{"10":2,"9":1,"b":3}');
});

test('the hash of a record can be made by others: SHA-256 over its canonical JSON without the hash', () => {
  const record = sealRecord(
    { type: 'run.started', principal: 'key_a', data: { z: 1, a: [1, { c: 1, b: 2 }] } },
    EMPTY_CHAIN,
    0,
  );
  const text =
    '{"at":"1970-01-01T00:00:00.000Z","data":{"a":[1,{"b":2,"c":1}],"z":1},"digest":null,"engagement":null,' +
    `"prev":"${'0'.repeat(64)}","principal":"key_a","requestId":null,"runId":null,"seq":1,"type":"run.started"}`;
  assert.equal(record.hash, createHash('sha256').update(text).digest('hex'));
});

test('whatever is recorded comes back from its text as it was, follows, and its data is small', () => {
  const event = fc.record({
    type: fc.constantFrom(...AUDIT_TYPES),
    principal: fc.option(fc.string({ unit: 'binary' }), { nil: undefined }),
    data: fc.dictionary(fc.string({ unit: 'binary' }), fc.anything({ withBigInt: true, withDate: true, maxDepth: 4 })),
  });
  fc.assert(
    fc.property(event, (each) => {
      const record = sealRecord(each, EMPTY_CHAIN, 5);
      assert.deepEqual(readRecord(textOf(record)), { record: JSON.parse(textOf(record)), own: record.hash });
      assert.ok(follows(record, EMPTY_CHAIN));
      assert.ok(Buffer.byteLength(canonicalText(record.data)) <= MAX_DATA_BYTES);
      // No control, no bidi override, no half of a pair: what a target wrote moves nobody's terminal.
      assert.doesNotMatch(textOf(record), /[\p{Cc}\p{Cf}\p{Cs}]/u);
    }),
    { numRuns: 300 },
  );
});

test('data that is too long is cut with a mark of its length and hash, and never refused', () => {
  const circle: Record<string, unknown> = { a: 1 };
  circle['self'] = circle;
  const cases: Record<string, unknown>[] = [
    { text: 'x'.repeat(100_000) },
    { list: Array.from({ length: 100_000 }, (_, n) => n) },
    { list: Array.from({ length: 2000 }, () => 'y'.repeat(500)) },
    Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`name ${n}`, n])),
    circle,
  ];
  for (const data of cases) {
    const kept = boundedData(data);
    assert.ok(Buffer.byteLength(canonicalText(kept)) <= MAX_DATA_BYTES);
    const { bytes, sha256 } = kept['cut'] as { bytes: number; sha256: string };
    assert.ok(bytes > 0 && /^[0-9a-f]{64}$/.test(sha256));
  }
  assert.deepEqual(boundedData({ a: 'short' }), { a: 'short' });
  assert.deepEqual(boundedData({ text: 'x'.repeat(16_000) }), { text: 'x'.repeat(16_000) });
});

test('only the one spelling of a record is a record', () => {
  const record = sealRecord({ type: 'run.started' }, EMPTY_CHAIN, 0);
  const text = textOf(record);
  assert.deepEqual(readRecord(text)?.record, record);
  const others = [
    ` ${text}`,
    text.replace('{', '{"seq":1,'),
    text.replace('"seq":1', '"seq":1.0'),
    text.replace('"data":{}', '"data":[]'),
    text.replace('"data":{}', '"data":{"__proto__":{"a":1}, "b":1}'),
    text.replace('"seq":1', '"seq":0'),
    text.replace('run.started', 'run.invented'),
    text.replace('"runId":null', '"runId":7'),
    text.replace('"digest":null,', ''),
    'null',
    '[]',
    '"x"',
    '['.repeat(100_000),
  ];
  for (const other of others) assert.equal(readRecord(other), undefined, other.slice(0, 80));
});

test('a chain goes on where it ended', () => {
  const { records } = newChain(3);
  let end = EMPTY_CHAIN;
  for (const record of records) {
    assert.ok(follows(record, end));
    end = endAt(record);
  }
});

test('every type of record is an event of OCSF 1.2.0, class 6003, with what that class requires', () => {
  for (const type of AUDIT_TYPES) {
    for (const principal of ['key_a', undefined]) {
      const record = sealRecord(
        { type, principal, runId: 'run_1', requestId: 'req_1', data: { a: 1 } },
        EMPTY_CHAIN,
        1500,
      );
      const event = JSON.parse(ocsfText(record, '1.2.3')) as Record<string, never>;
      const { category_uid, class_uid, activity_id, type_uid, severity_id, status_id, time } = event as Record<
        string,
        number
      >;
      assert.deepEqual([category_uid, class_uid, time], [6, 6003, 1500], type);
      assert.ok([1, 2, 3, 4, 99].includes(activity_id ?? -1), type);
      assert.equal(type_uid, 600_300 + (activity_id ?? 0));
      assert.ok([1, 2, 3, 4].includes(severity_id ?? -1) && [1, 2].includes(status_id ?? -1), type);
      const product = { name: 'Sallyport', vendor_name: 'Sallyport', version: '1.2.3' };
      const metadata = event['metadata'] as unknown as Record<string, unknown>;
      assert.deepEqual([metadata['version'], metadata['product'], metadata['sequence']], ['1.2.0', product, 1]);
      assert.deepEqual(
        event['actor'],
        principal === undefined ? { app_name: 'sallyport' } : { user: { uid: principal } },
      );
      assert.deepEqual(event['api'], { operation: type, service: { name: 'sallyport' }, request: { uid: 'req_1' } });
      assert.deepEqual(event['src_endpoint'], { name: 'unknown' });
      assert.deepEqual(event['resources'], [{ type: 'run', uid: 'run_1' }]);
    }
  }
});
