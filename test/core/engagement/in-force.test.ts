import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTrace } from '../../../src/core/plan/trace.ts';
import { files, key, NOW, open, rejection, sample, thrownBy } from './rig.ts';

const HOUR = 3_600_000;
const inHours = (hours: number): string => new Date(NOW + hours * HOUR).toISOString();
const at = { reason: 'because', requestId: 'req' };
const boss = key('boss');

test('a principal with one engagement need not name it', async () => {
  const { engagements } = await open({ files: files(sample()) });
  assert.equal(engagements.choose(key('agent-red'), undefined).id, 'acme');
  assert.equal(engagements.choose(key('agent-red'), 'acme').id, 'acme');
});

test('a principal is named by the id of its key as well', async () => {
  const { engagements } = await open({ files: files(sample({ principals: ['key_x'] })) });
  assert.equal(engagements.choose(key('x'), undefined).id, 'acme');
});

test('with several it must name one, and is told which are its own', async () => {
  const other = sample({ id: 'zeta', principals: ['agent-blue'] });
  const { engagements } = await open({ files: files(sample({ id: 'b' }), sample({ id: 'a' }), other) });
  const error = thrownBy(() => engagements.choose(key('agent-red'), undefined));
  assert.equal(error.code, 'ERR_ENGAGEMENT_REQUIRED');
  assert.deepEqual(error.details?.['engagements'], ['a', 'b']);
});

test('an engagement of somebody else answers exactly as one that is not there', async () => {
  const { engagements } = await open({
    files: files(sample(), sample({ id: 'secret-customer', principals: ['blue'] })),
  });
  const bodies = ['secret-customer', 'nothing', 'default', '../acme', '__proto__'].map((id) => {
    const { code, message, details } = thrownBy(() => engagements.choose(key('agent-red'), id));
    return { code, message, details };
  });
  assert.equal(bodies[0]?.code, 'ERR_ENGAGEMENT_UNKNOWN');
  for (const body of bodies) assert.deepEqual(body, bodies[0]);
});

test('names are compared exactly: no case, no prefix, no pattern', async () => {
  const { engagements } = await open({ files: files(sample()), configured: () => undefined });
  for (const name of ['Agent-Red', 'agent-re', 'agent-redd', '*', '']) {
    assert.deepEqual(engagements.of({ id: 'key_other', name }), [], name);
  }
});

test('default is for those whom no other engagement names', async () => {
  const { engagements } = await open({ files: files(sample()) });
  assert.equal(engagements.choose(key('somebody'), undefined).id, 'default');
  assert.equal(engagements.choose(key('somebody'), 'default').id, 'default');
});

test('an engagement that names everybody leaves nobody for default', async () => {
  const { engagements } = await open({ files: files(sample({ principals: ['*'] })) });
  assert.deepEqual(
    engagements.of(key('somebody')).map(({ id }) => id),
    ['acme'],
  );
});

for (const [how, end] of [
  ['expired', async ({ pass }: Awaited<ReturnType<typeof open>>) => pass(10_000 * HOUR)],
  ['was revoked', async ({ desk }: Awaited<ReturnType<typeof open>>) => void (await desk.revoke(boss, 'acme', at))],
  ['was killed', async ({ state }: Awaited<ReturnType<typeof open>>) => void state.killed.add('acme')],
] as const) {
  test(`an agent whose engagement ${how} does not go on under default`, async () => {
    const rig = await open({ files: files(sample()) });
    await end(rig);
    assert.equal(rig.engagements.choose(key('agent-red'), undefined).id, 'acme');
    assert.equal(thrownBy(() => rig.engagements.choose(key('agent-red'), 'default')).code, 'ERR_ENGAGEMENT_UNKNOWN');
  });
}

test('without default, whoever is not named has none', async () => {
  const { engagements } = await open({ configured: () => undefined });
  const error = thrownBy(() => engagements.choose(key('somebody'), undefined));
  assert.equal(error.code, 'ERR_ENGAGEMENT_REQUIRED');
  assert.deepEqual(error.details?.['engagements'], []);
});

test('a stored document that no longer fits leaves whom it names without default', async () => {
  const rig = await open();
  await rig.desk.put(boss, sample(), 'req');
  const broken = { ...sample(), risk: 'gone' };
  await rig.store.put({ id: 'acme', version: 'x', source: 'rest', since: '', by: 'k', document: broken as never });
  const again = await open({ store: rig.store });
  assert.deepEqual(again.engagements.of(key('agent-red')), []);
  assert.equal(again.engagements.choose(key('somebody'), undefined).id, 'default');
  assert.match(again.engagements.faults().join(), /acme/);
  await again.desk.put(boss, sample(), 'req');
  assert.deepEqual(again.engagements.faults(), []);
  assert.equal(again.engagements.choose(key('agent-red'), undefined).id, 'acme');
});

test('a stored document whose principals cannot be read leaves nobody with default', async () => {
  const rig = await open();
  await rig.store.put({ id: 'acme', version: 'x', source: 'rest', since: '', by: 'k', document: [] as never });
  const again = await open({ store: rig.store });
  assert.deepEqual(again.engagements.of(key('somebody')), []);
});

test('an engagement that is not open says when it opens, and one that ended says that it ended', async () => {
  const window = { from: inHours(2), until: inHours(5) };
  const { engagements, pass, desk } = await open({ files: files(sample({ window })) });
  const acme = engagements.choose(key('agent-red'), undefined);
  const early = thrownBy(() => engagements.requireOpen(acme));
  assert.deepEqual([early.code, early.retryAfterMs], ['ERR_ENGAGEMENT_NOT_OPEN', 2 * HOUR]);
  assert.equal(early.details?.['rule'], 'engagement.from');
  pass(2 * HOUR);
  engagements.requireOpen(acme);
  assert.deepEqual(engagements.state(acme), { state: 'open', closesAt: NOW + 5 * HOUR });
  pass(3 * HOUR);
  const late = thrownBy(() => engagements.requireOpen(acme));
  assert.deepEqual([late.code, late.retryAfterMs], ['ERR_ENGAGEMENT_EXPIRED', undefined]);
  await desk.revoke(boss, 'acme', at);
  assert.equal(thrownBy(() => engagements.requireOpen(acme)).code, 'ERR_ENGAGEMENT_REVOKED');
});

test('a refused agent is not told why the operator revoked', async () => {
  const { engagements, desk } = await open({ files: files(sample()) });
  await desk.revoke(boss, 'acme', { reason: 'beta-bank complained', requestId: 'req' });
  const acme = engagements.choose(key('agent-red'), undefined);
  const error = thrownBy(() => engagements.requireOpen(acme));
  assert.doesNotMatch(JSON.stringify([error.message, error.details, engagements.state(acme)]), /beta-bank|key_boss/);
  assert.equal(desk.get('acme').revoked?.reason, 'beta-bank complained');
});

test('the trace names each rule of time that was asked, up to the one that refuses', async () => {
  const window = { from: inHours(-1), until: inHours(5), weekly: ['Wed 11:00-12:00 UTC'] };
  const { engagements } = await open({ files: files(sample({ window })) });
  const trace = createTrace();
  const acme = engagements.choose(key('agent-red'), undefined, trace);
  trace.fail(thrownBy(() => engagements.requireOpen(acme, trace)));
  assert.deepEqual(
    trace.entries.map(({ rule, outcome }) => `${rule} ${outcome}`),
    [
      'engagement.principal passed',
      'engagement.revoked passed',
      'engagement.until passed',
      'engagement.from passed',
      'engagement.blackout passed',
      'engagement.weekly failed',
    ],
  );
});

test('a rule of time that the engagement does not have was asked too, and passes as none', async () => {
  const { engagements } = await open({ files: files(sample({ window: {} })) });
  const trace = createTrace();
  engagements.requireOpen(engagements.choose(key('agent-red'), undefined), trace);
  const data = new Map(trace.entries.map(({ rule, datum }) => [rule, datum]));
  for (const rule of ['until', 'from', 'blackout', 'weekly']) assert.equal(data.get(`engagement.${rule}`), 'none');
});

test('a shortened window and a removal hold for what was planned under the version before', async () => {
  const { engagements, desk } = await open();
  await desk.put(boss, sample(), 'req');
  const planned = engagements.choose(key('agent-red'), undefined);
  await desk.put(boss, sample({ window: { until: inHours(-1) } }), 'req');
  assert.equal(engagements.state(planned).state, 'expired');
  await desk.remove(boss, 'acme', at);
  assert.equal(thrownBy(() => engagements.requireOpen(planned)).code, 'ERR_ENGAGEMENT_REVOKED');
});

test('deny wins for tools, and no tool is permitted by an empty list', async () => {
  const { engagements } = await open({
    files: files(sample({ tools: { allow: ['*'], deny: ['nm*'] } }), sample({ id: 'none', tools: { allow: [] } })),
  });
  const [acme, none] = ['acme', 'none'].map((id) => engagements.get(id));
  assert.ok(acme !== undefined && none !== undefined);
  assert.deepEqual(
    ['dig', 'nmap'].map((tool) => engagements.allowsTool(acme, tool)),
    [true, false],
  );
  assert.equal(engagements.allowsTool(none, 'dig'), false);
});

test('the highest ceiling is that of any engagement', async () => {
  const rig = await open({ configured: () => undefined });
  assert.equal(rig.engagements.highestRisk(), 'observe');
  await rig.setFiles(files(sample({ risk: 'exploit' })));
  assert.equal(rig.engagements.highestRisk(), 'exploit');
});

test('the metric counts every engagement once, in the state in which it is now', async () => {
  const rig = await open({ files: files(sample({ window: { until: inHours(1) } })) });
  assert.deepEqual([rig.gauges.get('open'), rig.gauges.get('expired')], [2, 0]);
  rig.pass(HOUR);
  rig.state.killed.add('default');
  await rig.refresh();
  const counts = ['open', 'expired', 'killed', 'revoked'].map((state) => rig.gauges.get(state));
  assert.deepEqual(counts, [0, 1, 1, 0]);
});

test('a configuration or directory with faults refuses to start, with every fault', async () => {
  const error = await rejection(
    open({
      configured: () => sample({ id: 'other' }),
      files: files(sample({ title: 'a\nb' }), sample({ id: 'x', risk: 'y' as never })),
    }),
  );
  assert.equal(error.code, 'ERR_CONFIG_INVALID');
  assert.equal((error.details?.['faults'] as string[] | undefined)?.length, 3);
  const missing = await rejection(open({ files: { faults: ['/e: not there'] } }));
  assert.deepEqual([missing.code, missing.details?.['faults']], ['ERR_CONFIG_INVALID', ['/e: not there']]);
});
