import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { AUDIT_TYPES, type AuditRecord } from '../../../schemas/audit.ts';
import { textOf } from '../../../src/core/audit/chain.ts';
import type { AuditFaultKind } from '../../../src/core/audit/verify-types.ts';
import { type Chain, names, newChain, rehashed, verify } from './chain-rig.ts';

const LENGTH = 200;
const chain = newChain(LENGTH);
const texts = chain.records.map(textOf);

/** What somebody did to a copy, and the record that has to be named. */
interface Attack {
  readonly what: string;
  readonly seq: number;
  readonly texts: readonly string[];
  readonly kinds: readonly AuditFaultKind[];
}

const WHERE = ['table', 'file', 'both'] as const;

async function assertNamed(of: Chain, attack: Attack, where: readonly (typeof WHERE)[number][] = WHERE): Promise<void> {
  const { what, seq, texts: damaged, kinds } = attack;
  for (const place of where) {
    const report = await verify(of, {
      ...(place !== 'file' && { table: damaged }),
      ...(place !== 'table' && { file: damaged }),
    });
    const said = `${what} of record ${seq} in ${place}: ${JSON.stringify(report.faults)}`;
    assert.equal(report.ok, false, said);
    assert.ok(names(report.faults, seq), said);
    const first = report.faults.find((fault) => names([fault], seq));
    assert.ok(first !== undefined && kinds.includes(first.kind), said);
    // Only of the last record nothing but the last checkpoint tells, and that stands for all since the one before.
    const isNear = first.kind === 'rewritten' ? seq === LENGTH : Math.abs((report.faults[0]?.seq ?? 0) - seq) <= 1;
    assert.ok(isNear || what === 'swap', said);
    // One deed, not a list of everything behind it.
    assert.ok(report.faults.length <= 6 && report.moreFaults === 0, said);
  }
}

/** Another value of each field, each of its kind. */
const CHANGES: Readonly<Record<keyof AuditRecord, (record: AuditRecord) => unknown>> = {
  seq: ({ seq }) => seq + 1000,
  at: ({ at }) => new Date(Date.parse(at) + 1).toISOString(),
  type: ({ type }) => AUDIT_TYPES[(AUDIT_TYPES.indexOf(type) + 1) % AUDIT_TYPES.length],
  principal: ({ principal }) => (principal === null ? 'key_x' : null),
  engagement: ({ engagement }) => `${engagement ?? ''}x`,
  runId: () => null,
  requestId: () => 'other',
  digest: ({ digest }) => (digest === null ? '00'.repeat(32) : null),
  data: ({ data }) => ({ ...data, argv: [] }),
  prev: () => 'f'.repeat(64),
  hash: () => 'f'.repeat(64),
};

test('an untouched chain is whole, and its last checkpoint covers all of it', async () => {
  const report = await verify(chain);
  assert.deepEqual(report.faults, []);
  assert.deepEqual(
    [report.ok, report.records, report.signedUntil, report.last.hash],
    [true, { table: LENGTH, file: LENGTH }, LENGTH, chain.records.at(-1)?.hash],
  );
  assert.equal((await verify(newChain(0))).ok, true);
});

for (const [name, change] of Object.entries(CHANGES)) {
  test(`a change of ${name} in any one of 200 records is found and named`, async () => {
    for (const [index, record] of chain.records.entries()) {
      const damaged = texts.with(index, textOf({ ...record, [name]: change(record) } as AuditRecord));
      const attack = { what: name, seq: index + 1, texts: damaged, kinds: ['changed'] } as const;
      await assertNamed(chain, attack, ['both', index % 2 === 0 ? 'table' : 'file']);
    }
  });
}

test('a change whose own hash was made anew is found and named, in any one of 200 records', async () => {
  for (const [index, record] of chain.records.entries()) {
    const seq = index + 1;
    for (const changed of [
      { ...record, principal: 'key_x' },
      { ...record, prev: 'f'.repeat(64) },
    ]) {
      const damaged = texts.with(index, textOf(rehashed(changed)));
      const kinds: AuditFaultKind[] = ['changed', 'differs', 'rewritten'];
      await assertNamed(chain, { what: 'rehash', seq, texts: damaged, kinds });
    }
  }
});

test('the removal of any one of 200 records is found and named', async () => {
  for (let index = 0; index < LENGTH; index += 1) {
    const kinds: AuditFaultKind[] = ['removed', 'truncated'];
    await assertNamed(chain, { what: 'removal', seq: index + 1, texts: texts.toSpliced(index, 1), kinds });
  }
});

test('a record put in at any of 200 places is found and named: a copy, a forged one, and a text that is none', async () => {
  for (const [index, record] of chain.records.entries()) {
    const seq = index + 1;
    const put = (text: string): readonly string[] => texts.toSpliced(index, 0, text);
    const kinds: AuditFaultKind[] = ['inserted', 'unreadable', 'changed'];
    const forged = textOf(rehashed({ ...record, principal: 'key_x' }));
    const bad = textOf({ ...record, principal: 'key_x' });
    for (const text of [texts[index] ?? '', forged, bad, '{"seq":1}', 'no JSON']) {
      // The first is the one that the second is a repetition of.
      await assertNamed(chain, { what: `put in ${text.slice(0, 9)}`, seq, texts: put(text), kinds }, ['file', 'both']);
    }
  }
});

test('a later or earlier record put in a second time anywhere is found and named', async () => {
  const places = fc.tuple(fc.integer({ min: 0, max: LENGTH }), fc.integer({ min: 0, max: LENGTH - 1 }));
  await fc.assert(
    fc.asyncProperty(places, async ([place, index]) => {
      const damaged = texts.toSpliced(place, 0, texts[index] ?? '');
      const report = await verify(chain, { file: damaged });
      assert.ok(!report.ok && names(report.faults, index + 1), JSON.stringify(report.faults));
    }),
    { numRuns: 300 },
  );
});

test('two neighbours that changed places are found and named, at any of 199 places', async () => {
  for (let index = 0; index + 1 < LENGTH; index += 1) {
    const [one = '', two = ''] = texts.slice(index, index + 2);
    const kinds: AuditFaultKind[] = ['reordered'];
    const report = await verify(chain, { table: texts.toSpliced(index, 2, two, one) });
    assert.ok(
      report.faults.some(({ kind, seq }) => kind === 'reordered' && (seq === index + 1 || seq === index + 2)),
      JSON.stringify(report.faults),
    );
    const seq = report.faults[0]?.seq ?? 0;
    await assertNamed(chain, { what: 'swap', seq, texts: texts.toSpliced(index, 2, two, one), kinds });
  }
});

test('any two records that changed places are both named', async () => {
  const pair = fc.uniqueArray(fc.integer({ min: 0, max: LENGTH - 1 }), { minLength: 2, maxLength: 2 });
  await fc.assert(
    fc.asyncProperty(pair, fc.constantFrom(...WHERE), async ([one = 0, two = 0], place) => {
      const damaged = texts.with(one, texts[two] ?? '').with(two, texts[one] ?? '');
      const report = await verify(chain, {
        ...(place !== 'file' && { table: damaged }),
        ...(place !== 'table' && { file: damaged }),
      });
      const moved = report.faults.filter(({ kind }) => kind === 'reordered').map(({ seq }) => seq);
      const found = [...new Set(moved)];
      const isNear = Math.abs(one - two) === 1;
      assert.ok(isNear ? found.length > 0 : found.length === 2, JSON.stringify(report.faults));
      for (const seq of found) assert.ok(seq === one + 1 || seq === two + 1, JSON.stringify(report.faults));
    }),
    { numRuns: 300 },
  );
});

test('a chain that was cut off at any of 200 places is found, and the first missing record is named', async () => {
  for (let length = 0; length < LENGTH; length += 1) {
    const damaged = texts.slice(0, length);
    await assertNamed(chain, { what: 'truncation', seq: length + 1, texts: damaged, kinds: ['truncated'] });
  }
});

test('200 sampled attacks on a chain of 10,000 are found and named', async () => {
  const long = newChain(10_000, 100);
  const all = long.records.map(textOf);
  const fields = fc.constantFrom(...(Object.keys(CHANGES) as (keyof AuditRecord)[]));
  const deed = fc.constantFrom('change', 'remove', 'repeat', 'swap', 'cut');
  const attack = fc.record({ deed, field: fields, index: fc.nat({ max: 9_998 }), place: fc.constantFrom(...WHERE) });
  for (const { deed: what, field, index, place } of fc.sample(attack, 200)) {
    const record = long.records[index] as AuditRecord;
    const changed = textOf({ ...record, [field]: CHANGES[field](record) } as AuditRecord);
    const damaged: Readonly<Record<string, () => readonly string[]>> = {
      change: () => all.with(index, changed),
      remove: () => all.toSpliced(index, 1),
      repeat: () => all.toSpliced(index, 0, all[index] ?? ''),
      swap: () => all.toSpliced(index, 2, all[index + 1] ?? '', all[index] ?? ''),
      cut: () => all.slice(0, index),
    };
    const left = damaged[what]?.() ?? [];
    const report = await verify(long, {
      ...(place !== 'file' && { table: left }),
      ...(place !== 'table' && { file: left }),
    });
    const isNamed = names(report.faults, index + 1) || (what === 'swap' && names(report.faults, index + 2));
    assert.ok(!report.ok && isNamed, `${what} ${field} ${index + 1} ${place}: ${JSON.stringify(report.faults)}`);
  }
});
