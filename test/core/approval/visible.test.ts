import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SallyportError } from '../../../src/core/errors.ts';
import { approvalNeed } from '../../../src/core/approval/need.ts';
import { ALICE, ASKER, BOB, codeOf, document, key, openDesk, saying } from './rig.ts';

test('an unknown id and somebody else’s answer exactly alike, to every question', async (t) => {
  const rig = await openDesk(t);
  const { runId } = await rig.start({ approvers: ['alice'] });
  const stranger = key('key_mallory', 'mallory');
  rig.keys.set(stranger.id, stranger);
  const errorOf = async (promise: Promise<unknown>): Promise<unknown> => {
    const thrown: unknown = await promise.then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.ok(thrown instanceof SallyportError);
    const { code, message, details, retryAfterMs } = thrown;
    return { code, message, details, retryAfterMs };
  };
  const digest = 'c'.repeat(64);
  for (const who of [stranger, BOB]) {
    const questions = [
      (id: string) => rig.approvals.get(who, id),
      (id: string) => rig.approvals.decide(who, id, saying('approved')),
      (id: string) => rig.approvals.decide(who, id, saying('denied', { digest })),
      (id: string) => rig.approvals.confirm(who, id, { digest, accepted: true, requestId: 'r' }),
    ];
    for (const ask of questions) {
      const known = await errorOf(ask(runId));
      assert.deepEqual(known, await errorOf(ask('0190a5c0-1111-7222-8333-444455556666')));
      assert.deepEqual(known, await errorOf(ask('../../etc/passwd\n')));
      assert.equal((known as { code: string }).code, 'ERR_APPROVAL_UNKNOWN');
    }
    assert.deepEqual(await rig.approvals.list(who), []);
  }
  assert.ok(rig.audited.every(({ runId: id }) => id === undefined || /^[\w-]+$/.test(id)));
});

test('those on the list see it and decide it, by name or by id, and the requester sees it only', async (t) => {
  const rig = await openDesk(t);
  const { runId } = await rig.start({ approvers: ['alice', BOB.id] });
  for (const who of [ALICE, BOB]) {
    const [seen] = await rig.approvals.list(who);
    assert.equal(seen?.runId, runId);
    assert.deepEqual(await rig.approvals.get(who, runId), seen);
  }
  assert.equal((await rig.approvals.get(ASKER, runId)).runId, runId);
  assert.deepEqual(await rig.approvals.list(ASKER), []);
  assert.equal(await codeOf(rig.approvals.decide(ASKER, runId, saying('approved'))), 'ERR_AUTH_FORBIDDEN');
  const loud = key('key_loud', 'Alice');
  rig.keys.set(loud.id, loud);
  assert.equal(await codeOf(rig.approvals.decide(loud, runId, saying('approved'))), 'ERR_APPROVAL_UNKNOWN');
});

test('whoever was taken off the list of approvers decides nothing that was asked for before', async (t) => {
  const rig = await openDesk(t, { from: 'intrusive', approvers: ['alice', 'bob'] });
  const { runId, end } = await rig.start({ approvers: ['alice', 'bob'], quorum: 2 });
  await rig.approvals.decide(ALICE, runId, saying('approved'));
  rig.engagement.document = document({ from: 'intrusive', approvers: ['bob', 'carol'] });
  assert.equal(await codeOf(rig.approvals.get(ALICE, runId)), 'ERR_APPROVAL_UNKNOWN');
  const view = await rig.approvals.decide(BOB, runId, saying('approved'));
  assert.equal(view.state, 'pending');
  const carol = key('key_carol', 'carol');
  rig.keys.set(carol.id, carol);
  assert.equal(await codeOf(rig.approvals.decide(carol, runId, saying('approved'))), 'ERR_APPROVAL_UNKNOWN');
  await rig.approvals.decide(BOB, runId, saying('denied')).catch(() => undefined);
  assert.equal((await rig.store.approvals.get(runId))?.outcome, null);
  rig.clock.wall += 3_600_000;
  assert.equal(await end, 'ERR_APPROVAL_EXPIRED');
});

test('without runs:approve nobody sees or decides anything, list or not', async (t) => {
  const rig = await openDesk(t);
  const { runId } = await rig.start({ approvers: ['reader'] });
  const reader = key('key_reader', 'reader', ['runs:read', 'runs:read:all', 'runs:execute']);
  rig.keys.set(reader.id, reader);
  assert.deepEqual(await rig.approvals.list(reader), []);
  assert.equal(await codeOf(rig.approvals.get(reader, runId)), 'ERR_APPROVAL_UNKNOWN');
  assert.equal(await codeOf(rig.approvals.decide(reader, runId, saying('approved'))), 'ERR_AUTH_FORBIDDEN');
});

test('secrets are masked in views, in the audit and in what people are told', async (t) => {
  const rig = await openDesk(t);
  const secret = 'hunter2-hunter2-hunter2';
  rig.secrets.register(secret);
  const change = async (runId: string) =>
    rig.store.runs.change({
      runId,
      from: 'awaiting_approval',
      patch: {
        argv: ['--password', secret],
        targets: [{ role: 'host', given: secret, canonical: secret, addresses: [] }],
      },
      events: [],
    });
  const asked = await rig.ask();
  await change(asked.runId);
  const run = (await rig.store.runs.get(asked.runId)) ?? asked;
  const waits = rig.approvals.wait(run, new AbortController().signal);
  const refused = assert.rejects(waits, ({ message }: Error) => !message.includes(secret));
  const seen = [await rig.approvals.list(ALICE), await rig.approvals.get(ASKER, run.runId)];
  const denied = await rig.approvals.decide(ALICE, run.runId, saying('denied', { reason: `because of ${secret}` }));
  await refused;
  const everything = JSON.stringify([seen, denied, rig.told, rig.audited, await rig.store.approvals.get(run.runId)]);
  assert.equal(everything.includes(secret), false);
  assert.match(everything, /because of/);
});

test('a name shows its addresses, and says when there are more than are shown', async (t) => {
  const rig = await openDesk(t);
  const { runId } = await rig.ask();
  const addresses = Array.from({ length: 40 }, (_, at) => `10.0.1.${at}`);
  const targets = [
    { role: 'host', given: '10.0.0.9', canonical: '10.0.0.9', addresses: ['10.0.0.9'] },
    { role: 'host', given: 'big.lab', canonical: 'big.lab', addresses },
  ];
  await rig.store.runs.change({ runId, from: 'awaiting_approval', patch: { targets }, events: [] });
  const shown = (await rig.approvals.get(ALICE, runId)).targets;
  assert.equal(shown[0], '10.0.0.9');
  assert.match(shown[1] ?? '', /^big\.lab \[10\.0\.1\.0, .*10\.0\.1\.31, and 8 more\]$/);
});

test('consent is needed from the risk of the engagement up, and with its numbers', () => {
  const at = (approvals: Parameters<typeof document>[0], risk: 'observe' | 'active' | 'intrusive' | 'exploit') =>
    approvalNeed({ document: document(approvals) }, risk);
  assert.equal(at({ from: 'intrusive' }, 'active'), undefined);
  const plain = { from: 'intrusive', quorum: 1, ttlMs: 3_600_000, selfConfirm: false };
  assert.deepEqual(at({ from: 'intrusive' }, 'intrusive'), plain);
  assert.deepEqual(at({ from: 'intrusive' }, 'exploit'), plain);
  assert.deepEqual(at({ from: 'observe', quorum: 2, ttlMinutes: 5, approvers: ['a'], selfConfirm: true }, 'observe'), {
    from: 'observe',
    quorum: 2,
    ttlMs: 300_000,
    approvers: ['a'],
    selfConfirm: true,
  });
  const { approvals: _, ...without } = document();
  assert.equal(approvalNeed({ document: without }, 'exploit'), undefined);
});
