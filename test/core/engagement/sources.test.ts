import assert from 'node:assert/strict';
import { test } from 'node:test';
import { files, key, open, rejection, sample } from './rig.ts';

const boss = key('boss');
const at = { reason: 'because', requestId: 'req' };
const idsOf = ({ engagements }: Awaited<ReturnType<typeof open>>) => engagements.all().map(({ id }) => id);

test('one wrong file changes nothing: the last valid ones stay, and the fault names file, line and reason', async () => {
  const rig = await open({ files: files(sample(), sample({ id: 'beta' })) });
  const generation = rig.engagements.generation();
  await rig.setFiles(files(sample({ risk: 'observe' }), sample({ id: 'beta', scope: { allow: ['0.0.0.0/0'] } })));
  assert.equal(rig.engagements.get('acme')?.document.risk, 'active');
  assert.equal(rig.engagements.generation(), generation);
  assert.match(rig.engagements.faults().join(), /^\/e\/beta\.yaml:7: scope\.allow\.0 .*too large/);
  assert.equal(rig.logged.filter(({ event }) => event === 'engagement.rejected').length, 1);
  await rig.setFiles(files(sample({ risk: 'observe' })));
  assert.deepEqual(rig.engagements.faults(), []);
  assert.equal(rig.engagements.get('acme')?.document.risk, 'observe');
  assert.equal(rig.engagements.get('beta'), undefined);
});

test('a directory that cannot be read changes nothing', async () => {
  const rig = await open({ files: files(sample()) });
  await rig.setFiles({ faults: ['/e: not there'] });
  assert.deepEqual([rig.engagements.faults(), idsOf(rig)], [['/e: not there'], ['acme', 'default']]);
});

test('a directory that is suddenly empty, as after a lost mount, gives nobody default', async () => {
  const rig = await open({ files: files(sample()) });
  await rig.setFiles(files());
  assert.deepEqual(idsOf(rig), ['acme', 'default']);
  assert.equal(rig.engagements.faults().length, 1);
});

for (const [what, documents] of [
  ['two files of one id', [sample(), sample({ title: 'Other' })]],
  ['a file with the id default', [sample({ id: 'default' })]],
] as const) {
  test(`${what} are refused`, async () => {
    const rig = await open({ files: files(sample({ id: 'old' })) });
    await rig.setFiles(files(...documents));
    assert.deepEqual(idsOf(rig), ['default', 'old']);
    assert.equal(rig.engagements.faults().length, 1);
    assert.equal((await rejection(open({ files: files(...documents) }))).code, 'ERR_CONFIG_INVALID');
  });
}

test('a file takes over no engagement that was put by REST', async () => {
  const rig = await open();
  await rig.desk.put(boss, sample(), 'req');
  await rig.setFiles(files(sample({ risk: 'exploit' })));
  assert.equal(rig.engagements.get('acme')?.document.risk, 'active');
  assert.match(rig.engagements.faults().join(), /put by REST/);
  await rig.desk.remove(boss, 'acme', at);
  await rig.setFiles(files(sample({ risk: 'exploit' })));
  assert.equal(rig.engagements.get('acme')?.document.risk, 'exploit');
});

test('each version of a file is in history and audit once, also over a restart', async () => {
  const rig = await open({ files: files(sample()) });
  await rig.setFiles(files(sample({ title: 'Two' })));
  await rig.setFiles(files(sample({ title: 'Two' })));
  await rig.refresh();
  const again = await open({ store: rig.store, files: files(sample({ title: 'Two' })) });
  await again.refresh();
  const versions = await again.desk.versions('acme');
  assert.deepEqual(
    versions.map(({ document, source, by }) => [document.title, source, by]),
    [
      ['Two', 'file', '/e/acme.yaml'],
      ['ACME internal', 'file', '/e/acme.yaml'],
    ],
  );
  const records = [...rig.audited, ...again.audited].filter(({ engagement }) => engagement === 'acme');
  assert.deepEqual(
    records.map(({ type, data }) => [type, data?.['after']]),
    versions.toReversed().map(({ version }) => ['engagement.put', version]),
  );
});

test('a file that goes is in the audit before it goes', async () => {
  const rig = await open({ files: files(sample(), sample({ id: 'beta' })) });
  rig.order.length = 0;
  await rig.setFiles(files(sample()));
  assert.deepEqual(rig.order, ['audit engagement.removed', 'applied']);
});

test('without the audit a change of files waits, is told, and comes into force when it can be written', async () => {
  const rig = await open({ files: files(sample()) });
  rig.state.auditFails = true;
  await rig.setFiles(files(sample({ risk: 'exploit' })));
  await rig.refresh();
  assert.equal(rig.engagements.get('acme')?.document.risk, 'active');
  assert.equal(rig.engagements.faults().length, 1);
  rig.state.auditFails = false;
  await rig.refresh();
  assert.equal(rig.engagements.get('acme')?.document.risk, 'exploit');
  assert.deepEqual(rig.engagements.faults(), []);
});

test('a history that could not be written is written later, and the audit is told once', async () => {
  const rig = await open({ files: files(sample()) });
  rig.store.fail = true;
  await rig.setFiles(files(sample({ title: 'Two' })));
  assert.equal(rig.engagements.get('acme')?.document.title, 'Two');
  await rig.refresh();
  rig.store.fail = false;
  await rig.refresh();
  assert.equal((await rig.desk.versions('acme'))[0]?.document.title, 'Two');
  const version = rig.engagements.get('acme')?.version;
  assert.equal(rig.audited.filter(({ data }) => data?.['after'] === version).length, 1);
});

test('a reload of the configuration makes every policy anew, or changes nothing', async () => {
  let document: unknown = sample({ id: 'default' });
  const rig = await open({ files: files(sample()), configured: () => document });
  const before = rig.engagements.get('acme')?.policy;
  document = sample({ id: 'default', risk: 'observe' });
  rig.reconfigure();
  assert.equal(rig.engagements.get('default')?.document.risk, 'observe');
  assert.notEqual(rig.engagements.get('acme')?.policy, before);
  document = sample({ id: 'default', risk: 'none' as never });
  assert.throws(() => rig.reconfigure(), { code: 'ERR_CONFIG_INVALID' });
  assert.equal(rig.engagements.get('default')?.document.risk, 'observe');
  document = undefined;
  rig.reconfigure();
  assert.deepEqual(idsOf(rig), ['acme']);
});

test('views show notices of a document and of what overlaps with it', async () => {
  const rig = await open({ files: files(sample({ window: {} }), sample({ id: 'beta' })) });
  const notices = rig.desk.get('acme').notices.join();
  assert.match(notices, /never expires/);
  assert.match(notices, /engagement beta/);
  assert.deepEqual(rig.desk.get('default').notices, []);
});

test('an engagement under the kill switch is shown as killed', async () => {
  const rig = await open({ files: files(sample()) });
  rig.state.killed.add('acme');
  assert.equal(rig.desk.get('acme').state, 'killed');
});
