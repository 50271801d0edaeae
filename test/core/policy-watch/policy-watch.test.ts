import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../execution/harness.ts';
import { policyUnderTest } from '../targets/policy-under-test.ts';
import { watchRig } from './rig.ts';

const pinned = async (...values: string[]) => {
  const { policy } = policyUnderTest({}, NAMES);
  const claims = values.map((value) => ({ role: 'target', kind: 'host-or-network' as const, value }));
  return policy.pin(claims, { maxAddresses: 1e9, maxPorts: 1 });
};
const NAMES = { 'www.lab.internal': ['10.1.2.3'] };

test('a run under an open engagement goes on', async (t) => {
  const { watch, runs } = watchRig(t);
  runs.add('one', { pinned: await pinned('10.1.2.3') });
  await watch.look();
  assert.deepEqual(runs.codes(), { one: undefined });
});

test('every run of an engagement that is revoked, expired or gone ends with the code that says so', async (t) => {
  const { watch, runs, permissions, clock } = watchRig(t);
  permissions.put({}, undefined, 'other');
  runs.add('one');
  permissions.revoked = true;
  await watch.look();
  assert.deepEqual(runs.codes(), { one: 'ERR_ENGAGEMENT_REVOKED' });
  permissions.revoked = false;
  permissions.closesAt = clock.at + 1000;
  runs.add('two');
  await watch.look();
  assert.equal(runs.codes()['two'], undefined);
  // The machine's clock jumped.
  clock.at += 3_600_000;
  await watch.look();
  assert.equal(runs.codes()['two'], 'ERR_ENGAGEMENT_EXPIRED');
  delete permissions.closesAt;
  runs.add('three');
  runs.add('elsewhere', { engagement: 'other' });
  permissions.remove('acme');
  await watch.look();
  assert.deepEqual([runs.codes()['three'], runs.codes()['elsewhere']], ['ERR_ENGAGEMENT_REVOKED', undefined]);
});

test('without anybody looking, a change ends what it no longer permits at once', async (t) => {
  const { runs, permissions } = watchRig(t);
  runs.add('nmap', { tool: 'nmap' });
  runs.add('dig', { tool: 'dig', risk: 'observe' });
  permissions.put({ tools: { allow: ['dig'] } });
  permissions.announce();
  assert.deepEqual(runs.codes(), { nmap: 'ERR_ENGAGEMENT_TOOL_DENIED', dig: undefined });
  permissions.put({ risk: 'observe' });
  runs.add('gobuster');
  permissions.announce();
  assert.deepEqual([runs.codes()['gobuster'], runs.codes()['dig']], ['ERR_RISK_TOO_HIGH', undefined]);
});

test('without any change, a run is looked at often and at the moment in which its engagement closes', async (t) => {
  const { runs, permissions, clock } = watchRig(t, { intervalMs: 30 });
  runs.add('one');
  permissions.closesAt = clock.at + 10;
  clock.at += 10;
  assert.ok(await until(() => runs.codes()['one'] === 'ERR_ENGAGEMENT_EXPIRED'));
});

test('a closing time is not waited for by the interval', async (t) => {
  const rig = watchRig(t, { intervalMs: 3_600_000 });
  // The timer is set at the start: this watch begins with a run that is there already.
  rig.watch.stop();
  const { createPolicyWatch } = await import('../../../src/core/policy-watch/policy-watch.ts');
  const startedAt = Date.now();
  rig.permissions.closesAt = startedAt + 200;
  rig.runs.add('one');
  const live = { now: () => (rig.clock.at = Date.now()), monotonic: () => performance.now() };
  const watch = createPolicyWatch({
    engagements: rig.permissions.list,
    killSwitch: { check: () => void live.now() },
    runs: rig.runs,
    asker: async () => undefined,
    clock: live,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    intervalMs: 3_600_000,
  });
  t.after(() => watch.stop());
  assert.ok(await until(() => rig.runs.codes()['one'] === 'ERR_ENGAGEMENT_EXPIRED'));
  t.diagnostic(`ended ${Date.now() - startedAt - 200} ms after the closing time`);
});

test('a narrower scope ends the runs whose addresses left it, and only those', async (t) => {
  const { watch, runs, permissions } = watchRig(t);
  runs.add('in', { pinned: await pinned('10.20.0.0/16') });
  runs.add('out', { pinned: await pinned('10.99.0.1') });
  runs.add('named', { pinned: await pinned('www.lab.internal') });
  runs.add('unplanned');
  permissions.put({}, policyUnderTest({ scope: { allow: ['10.20.0.0/16'], deny: [] } }).policy);
  await watch.look();
  assert.deepEqual(runs.codes(), {
    in: undefined,
    out: 'ERR_TARGET_OUT_OF_SCOPE',
    named: 'ERR_TARGET_OUT_OF_SCOPE',
    unplanned: undefined,
  });
});

test('what the configuration denies to everybody since ends runs too', async (t) => {
  const { watch, runs, permissions } = watchRig(t);
  runs.add('one', { pinned: await pinned('10.1.2.3') });
  permissions.exchangePolicy(policyUnderTest({ ownAddresses: ['10.1.2.3'] }).policy);
  await watch.look();
  assert.match(String(runs.codes()['one']), /^ERR_TARGET_/);
});

test('what was pinned is judged, whatever its name answers today', async (t) => {
  const { watch, runs, permissions } = watchRig(t);
  runs.add('one', { pinned: await pinned('www.lab.internal') });
  const scope = { allow: ['10.9.0.0/16', '*.lab.internal'], deny: ['10.1.0.0/16'] };
  permissions.put({}, policyUnderTest({ scope }, { 'www.lab.internal': ['10.9.9.9'] }).policy);
  await watch.look();
  assert.deepEqual(runs.codes(), { one: 'ERR_TARGET_OUT_OF_SCOPE' });
});

test('ports that were denied since end a run whose claims are known', async (t) => {
  const { watch, runs, permissions } = watchRig(t);
  const claims = [{ role: 'target', kind: 'host', value: '10.1.2.3', ports: [{ from: 500, to: 510 }] }];
  const subject = { pinned: await pinned('10.1.2.3'), claims };
  runs.add('one', subject as Parameters<typeof runs.add>[1]);
  permissions.put({}, policyUnderTest({ denyPorts: ['502'] }).policy);
  await watch.look();
  assert.equal(runs.all[0]?.why?.details?.['rule'], 'target.ports-denied');
});

test('who was taken out of an engagement loses the runs of it', async (t) => {
  const { watch, runs, permissions, askers } = watchRig(t);
  askers.set('key_bob', { id: 'key_bob', name: 'bob' });
  permissions.put({ principals: ['agent', 'bob'] });
  await watch.look();
  runs.add('agent');
  runs.add('bob', { owner: 'key_bob' });
  permissions.put({ principals: ['bob'] });
  await watch.look();
  assert.deepEqual(runs.codes(), { agent: 'ERR_ENGAGEMENT_REVOKED', bob: undefined });
});

test('a scope is not resolved again while nothing changes', async (t) => {
  const { watch, runs, permissions } = watchRig(t);
  const { policy, asked } = policyUnderTest({}, NAMES);
  permissions.put({}, policy);
  await watch.look();
  runs.add('one', { pinned: await pinned('www.lab.internal') });
  for (let look = 0; look < 3; look += 1) await watch.look();
  assert.deepEqual(asked, []);
  permissions.put({ title: 'another' }, policy);
  await watch.look();
  assert.deepEqual(asked, ['www.lab.internal']);
  assert.deepEqual(runs.codes(), { one: undefined });
});

test('what cannot be judged is ended', async (t) => {
  const { watch, runs, permissions } = watchRig(t);
  runs.add('one');
  permissions.fault = new Error('a fault of ours');
  await watch.look();
  assert.equal(runs.all[0]?.why?.code, 'ERR_ENGAGEMENT_NOT_OPEN');
  delete permissions.fault;
  runs.add('two', { pinned: await pinned('10.1.2.3') });
  permissions.put({}, { pin: () => Promise.reject(new Error('a fault of ours')) });
  await watch.look();
  assert.equal(runs.codes()['two'], 'ERR_ENGAGEMENT_NOT_OPEN');
});

test('what slipped past a kill is ended at the next look', async (t) => {
  const { watch, runs, killed } = watchRig(t);
  killed.add('acme');
  runs.add('one');
  await watch.look();
  assert.deepEqual(runs.codes(), { one: 'ERR_KILL_SWITCH' });
});

test('an end is logged once, however long it takes', async (t) => {
  const { watch, runs, permissions, logged } = watchRig(t);
  runs.add('one');
  permissions.revoked = true;
  for (let look = 0; look < 3; look += 1) await watch.look();
  assert.deepEqual(logged, ['policy.ended_run']);
});

test('after it was stopped nothing is looked at', async (t) => {
  const { watch, runs, permissions } = watchRig(t, { intervalMs: 20 });
  runs.add('one');
  watch.stop();
  permissions.revoked = true;
  permissions.announce();
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(runs.codes(), { one: undefined });
});
