import assert from 'node:assert/strict';
import { test } from 'node:test';
import { files, key, memoryStore, open, policyOf, rejection, sample, thrownBy } from './rig.ts';

const boss = key('boss');
const at = { reason: 'because', requestId: 'req' };

test('what is put is in the audit first, then stored, then in force, and told to listeners', async () => {
  const rig = await open();
  const generation = rig.engagements.generation();
  const view = await rig.desk.put(boss, sample(), 'req-1');
  assert.deepEqual(rig.order.slice(-2), ['audit engagement.put', 'applied']);
  const record = rig.audited.at(-1);
  assert.deepEqual(
    [record?.type, record?.principal, record?.engagement, record?.requestId],
    ['engagement.put', boss.id, 'acme', 'req-1'],
  );
  assert.deepEqual([record?.data?.['before'], record?.data?.['after']], [null, view.version]);
  assert.equal(view.state, 'open');
  assert.ok(rig.engagements.generation() > generation);
  assert.equal((await rig.desk.versions('acme'))[0]?.by, boss.id);
});

for (const [what, broken, code] of [
  ['audit', (rig: Awaited<ReturnType<typeof open>>) => void (rig.state.auditFails = true), 'ERR_AUDIT_UNAVAILABLE'],
  ['store', (rig: Awaited<ReturnType<typeof open>>) => void (rig.store.fail = true), 'ERR_STORE_UNAVAILABLE'],
] as const) {
  test(`without the ${what}, no change comes into force`, async () => {
    const rig = await open();
    await rig.desk.put(boss, sample(), 'req');
    const [before, generation] = [rig.desk.get('acme'), rig.engagements.generation()];
    broken(rig);
    const attempts = [
      rig.desk.put(boss, sample({ risk: 'exploit' }), 'req'),
      rig.desk.remove(boss, 'acme', at),
      rig.desk.revoke(boss, 'acme', at),
    ];
    for (const attempt of attempts) assert.equal((await rejection(attempt)).code, code);
    assert.deepEqual(rig.desk.get('acme'), before);
    assert.equal(rig.engagements.generation(), generation);
    if (what === 'audit') assert.equal(rig.store.history.filter(({ id }) => id === 'acme').length, 1);
  });
}

test('an invalid document changes nothing and is answered with every fault', async () => {
  const rig = await open();
  await rig.desk.put(boss, sample(), 'req');
  const audited = rig.audited.length;
  const error = await rejection(rig.desk.put(boss, sample({ title: 'a\nb', scope: { allow: ['x y'] } }), 'req'));
  assert.equal(error.code, 'ERR_ENGAGEMENT_INVALID');
  const paths = (error.details?.['faults'] as { path: string }[] | undefined)?.map(({ path }) => path);
  assert.deepEqual(paths, ['/title', '/scope/allow/0']);
  assert.equal(rig.desk.get('acme').document.title, 'ACME internal');
  assert.equal(rig.audited.length, audited);
});

test('the same document put again is no new version', async () => {
  const rig = await open();
  const first = await rig.desk.put(boss, sample(), 'req');
  const audited = rig.audited.length;
  assert.deepEqual(await rig.desk.put(boss, sample(), 'req'), first);
  assert.equal(rig.audited.length, audited);
  assert.equal((await rig.desk.versions('acme')).length, 1);
});

test('REST changes no engagement of a file or of the configuration, and makes none of their ids', async () => {
  const rig = await open({ files: files(sample()) });
  for (const id of ['acme', 'default']) {
    assert.equal((await rejection(rig.desk.put(boss, sample({ id }), 'req'))).code, 'ERR_ENGAGEMENT_READ_ONLY');
    assert.equal((await rejection(rig.desk.remove(boss, id, at))).code, 'ERR_ENGAGEMENT_READ_ONLY');
  }
  const bare = await open({ configured: () => undefined });
  const error = await rejection(bare.desk.put(boss, sample({ id: 'default', principals: ['*'] }), 'req'));
  assert.equal(error.code, 'ERR_ENGAGEMENT_READ_ONLY');
});

test('a revocation holds for every version and source, also after a restart, until it is lifted', async () => {
  const rig = await open({ files: files(sample()) });
  const view = await rig.desk.revoke(boss, 'acme', { reason: 'stop \u202Enow\n', requestId: 'req' });
  assert.deepEqual([view.state, view.revoked?.reason, view.revoked?.by], ['revoked', 'stop now', boss.id]);
  await rig.setFiles(files(sample({ title: 'Another version' })));
  assert.equal(rig.desk.get('acme').state, 'revoked');
  const again = await open({ store: rig.store, files: files(sample()) });
  const acme = again.engagements.choose(key('agent-red'), undefined);
  assert.equal(thrownBy(() => again.engagements.requireOpen(acme)).code, 'ERR_ENGAGEMENT_REVOKED');
  assert.equal((await again.desk.reinstate(boss, 'acme', at)).state, 'open');
  again.engagements.requireOpen(acme);
  const kinds = [...rig.audited, ...again.audited].map(({ type, data }) => [type, data?.['reason']]);
  assert.ok(kinds.some(([type, reason]) => type === 'engagement.revoked' && reason === 'stop now'));
  assert.ok(kinds.some(([type, reason]) => type === 'engagement.reinstated' && reason === 'because'));
});

test('to put a revoked engagement anew does not lift the revocation', async () => {
  const rig = await open();
  await rig.desk.put(boss, sample(), 'req');
  await rig.desk.revoke(boss, 'acme', at);
  assert.equal((await rig.desk.put(boss, sample({ title: 'New' }), 'req')).state, 'revoked');
  await rig.desk.remove(boss, 'acme', at);
  assert.equal((await rig.desk.put(boss, sample(), 'req')).state, 'revoked');
});

test('a revocation that is repeated stays the first one', async () => {
  const rig = await open({ files: files(sample()) });
  const first = await rig.desk.revoke(boss, 'acme', at);
  rig.pass(60_000);
  assert.deepEqual(await rig.desk.revoke(key('other'), 'acme', { ...at, reason: 'later' }), first);
});

test('what is not there is unknown to every question and change', async () => {
  const { desk } = await open();
  assert.equal(thrownBy(() => desk.get('acme')).code, 'ERR_ENGAGEMENT_UNKNOWN');
  for (const attempt of [
    desk.versions('acme'),
    desk.remove(boss, 'acme', at),
    desk.revoke(boss, 'acme', at),
    desk.reinstate(boss, 'acme', at),
  ]) {
    assert.equal((await rejection(attempt)).code, 'ERR_ENGAGEMENT_UNKNOWN');
  }
});

test('a reason that cannot be seen is none', async () => {
  const { desk } = await open({ files: files(sample()) });
  for (const reason of ['', '  ', '\u200B\u202E', 'x'.repeat(501)]) {
    const error = await rejection((async () => desk.revoke(boss, 'acme', { reason, requestId: 'req' }))());
    assert.equal(error.code, 'ERR_INPUT_INVALID');
  }
  assert.equal(desk.get('acme').state, 'open');
});

test('changes at once are made one after the other, and each is a version', async () => {
  const rig = await open();
  const titles = Array.from({ length: 20 }, (_, index) => `Title ${index}`);
  await Promise.all(titles.map((title) => rig.desk.put(boss, sample({ title }), 'req')));
  const chain = rig.audited.filter(({ type }) => type === 'engagement.put').slice(-20);
  for (const [index, record] of chain.entries()) {
    if (index > 0) assert.equal(record.data?.['before'], chain[index - 1]?.data?.['after']);
  }
  assert.equal(rig.desk.get('acme').document.title, 'Title 19');
});

test('REST holds at most a thousand, and known ones can still be changed', async () => {
  const store = memoryStore();
  for (let index = 0; index < 1000; index += 1) {
    const document = sample({ id: `e${index}` });
    await store.put({ id: document.id, version: 'x', source: 'rest', since: '', by: 'key_boss', document });
  }
  const rig = await open({ store });
  assert.equal((await rejection(rig.desk.put(boss, sample(), 'req'))).code, 'ERR_ENGAGEMENT_INVALID');
  assert.equal((await rig.desk.put(boss, sample({ id: 'e7', title: 'New' }), 'req')).document.title, 'New');
});

test('a reload of the configuration during a change leaves no policy of before in force', async () => {
  let denied = 'old';
  const rig = await open({ makePolicy: (rules) => Object.assign(policyOf(rules), { denied }) });
  const putting = rig.desk.put(boss, sample(), 'req');
  denied = 'new';
  rig.reconfigure();
  await putting;
  const policies = rig.engagements.all().map(({ policy }) => (policy as unknown as { denied: string }).denied);
  assert.deepEqual(policies, ['new', 'new']);
});
