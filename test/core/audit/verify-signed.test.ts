import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import { textOf } from '../../../src/core/audit/chain.ts';
import { signCheckpoint } from '../../../src/core/audit/checkpoint.ts';
import { names, newChain, newSigner, relinked, verify } from './chain-rig.ts';

const chain = newChain(200);

/** Both copies after a record was changed and every hash behind it was made anew. */
function rewrittenFrom(seq: number) {
  const record = chain.records[seq - 1];
  if (record === undefined) throw new Error(`no record ${seq}`);
  return relinked(chain.records.with(seq - 1, { ...record, principal: 'somebody else' }), seq - 1);
}

test('whoever writes the whole chain again without the key is caught by the checkpoints, wherever he began', async () => {
  for (let seq = 1; seq <= chain.records.length; seq += 1) {
    const both = rewrittenFrom(seq).map(textOf);
    const report = await verify(chain, { table: both, file: both });
    assert.ok(!report.ok && names(report.faults, seq), `${seq}: ${JSON.stringify(report.faults)}`);
    assert.deepEqual([report.faults.length, report.faults[0]?.kind], [1, 'rewritten']);
    assert.ok(report.signedUntil < seq);
  }
});

test('one copy that was written again is told from the first record on that differs, and the signed one is known', async () => {
  for (const seq of [1, 20, 50, 51, 199, 200]) {
    const report = await verify(chain, { table: rewrittenFrom(seq).map(textOf) });
    assert.equal(report.ok, false);
    assert.equal(report.faults[0]?.seq, seq, JSON.stringify(report.faults));
    assert.equal(report.signedUntil, 200);
  }
});

test('both copies cut off at the same record are told by the checkpoints behind it, and without those by the anchor', async () => {
  const kept = chain.records.slice(0, 120).map(textOf);
  const checkpoints = chain.checkpoints.filter(({ seq }) => seq <= 120);
  const told = await verify(chain, { table: kept, file: kept });
  assert.ok(names(told.faults, 121) && told.faults.every(({ kind }) => kind === 'truncated'), JSON.stringify(told));
  const silent = await verify(chain, { table: kept, file: kept, checkpoints });
  assert.equal(silent.ok, true, 'nothing on this machine can tell');
  const outside = await verify(chain, { table: kept, file: kept, checkpoints, anchors: chain.checkpoints });
  assert.ok(!outside.ok && names(outside.faults, 121), JSON.stringify(outside.faults));
});

test('somebody with the key who signs a chain of his own is caught by the anchor outside', async () => {
  const forged = rewrittenFrom(70);
  const both = forged.map(textOf);
  const checkpoints = chain.checkpoints.map(({ seq, at }) =>
    signCheckpoint(chain.signer, { seq, hash: forged[seq - 1]?.hash ?? '0'.repeat(64), at }),
  );
  assert.equal((await verify(chain, { table: both, file: both, checkpoints })).ok, true, 'nothing here can tell');
  const report = await verify(chain, { table: both, file: both, checkpoints, anchors: chain.checkpoints });
  assert.ok(!report.ok && names(report.faults, 70), JSON.stringify(report.faults));
  assert.equal(report.faults[0]?.place, 'anchor');
});

test('a chain that was set back and grew again is told by the order of what was signed', async () => {
  const anchors = [...chain.checkpoints, ...chain.checkpoints.filter(({ seq }) => seq === 50)];
  const report = await verify(chain, { anchors });
  assert.deepEqual([report.ok, report.faults[0]?.kind, report.faults[0]?.seq], [false, 'reordered', 50]);
});

test('a checkpoint with another signature, of another key, or for another record is forged', async () => {
  const other = newSigner();
  const [, first] = chain.checkpoints;
  if (first === undefined) throw new Error('no checkpoint');
  const { seq, hash, at } = first;
  const forgeries = [
    { ...first, signature: Buffer.alloc(64).toString('base64') },
    { ...first, signature: '' },
    { ...first, seq: seq + 1 },
    signCheckpoint(other, { seq, hash, at }),
    { ...signCheckpoint(other, { seq, hash, at }), keyId: chain.signer.keyId },
  ];
  for (const forgery of forgeries) {
    const report = await verify(chain, { checkpoints: chain.checkpoints.with(1, forgery) });
    assert.deepEqual([report.ok, report.faults[0]?.kind], [false, 'forged'], JSON.stringify(report.faults));
  }
  const replaced = [createPublicKey(other.publicKey), chain.publicKey];
  const both = chain.checkpoints.with(1, signCheckpoint(other, { seq, hash, at }));
  assert.equal((await verify(chain, { checkpoints: both, publicKeys: replaced })).ok, true);
});

test('a key that somebody put in place of the old one proves nothing to whoever kept the old public half', async () => {
  const other = newSigner();
  const forged = rewrittenFrom(3);
  const both = forged.map(textOf);
  const last = forged.at(-1);
  const checkpoints = [signCheckpoint(other, { seq: 200, hash: last?.hash ?? '', at: last?.at ?? '' })];
  const report = await verify(chain, { table: both, file: both, checkpoints });
  assert.deepEqual([report.ok, report.signedUntil, report.faults[0]?.kind], [false, 0, 'forged']);
});

test('records that a gateway writes meanwhile are left out, and what must be there is not', async () => {
  const texts = chain.records.map(textOf);
  const checkpoints = chain.checkpoints.filter(({ seq }) => seq <= 150);
  const meanwhile = { table: texts.slice(0, 180), file: texts, checkpoints };
  assert.equal((await verify(chain, meanwhile)).ok, false);
  assert.equal((await verify(chain, { ...meanwhile, until: 170 })).ok, true);
  const report = await verify(chain, { ...meanwhile, until: 190 });
  assert.deepEqual(
    [report.faults[0]?.place, report.faults[0]?.kind, report.faults[0]?.seq],
    ['table', 'truncated', 181],
  );
});

test('a report names 20 faults at most and counts the others', async () => {
  const odd = chain.records.filter(({ seq }) => seq % 2 === 1).map(textOf);
  const report = await verify(chain, { file: odd });
  assert.equal(report.faults.length, 20);
  assert.equal(report.moreFaults, 80);
  assert.deepEqual([report.faults[0]?.kind, report.faults[0]?.seq], ['removed', 2]);
});
