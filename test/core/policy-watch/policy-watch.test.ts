import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../execution/harness.ts';
import { policyUnderTest } from '../targets/policy-under-test.ts';
import type { PortRange } from '../../../src/core/targets/types.ts';
import { keyOf, watchRig } from './rig.ts';

/** What a run knows of its targets after it was planned. */
const planned = async (value: string, ports: readonly PortRange[] = []) => {
  const { policy } = policyUnderTest({}, NAMES);
  const claims = [{ role: 'target', kind: 'host-or-network' as const, value, ports }];
  return { claims, pinned: await policy.pin(claims, { maxAddresses: 1e9, maxPorts: 100 }) };
};
const NAMES = { 'www.lab.internal': ['10.1.2.3'] };

test('a run under an open engagement goes on', async (t) => {
  const { watch, runs } = watchRig(t);
  runs.add('one', await planned('10.1.2.3'));
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
    asker: async (id) => rig.askers.get(id),
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
  runs.add('in', await planned('10.20.0.0/16'));
  runs.add('out', await planned('10.99.0.1'));
  runs.add('named', await planned('www.lab.internal'));
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
  runs.add('one', await planned('10.1.2.3'));
  permissions.exchangePolicy(policyUnderTest({ ownAddresses: ['10.1.2.3'] }).policy);
  await watch.look();
  assert.match(String(runs.codes()['one']), /^ERR_TARGET_/);
});

test('what was pinned is judged, whatever its name answers today', async (t) => {
  const { watch, runs, permissions } = watchRig(t);
  runs.add('one', await planned('www.lab.internal'));
  const scope = { allow: ['10.9.0.0/16', '*.lab.internal'], deny: ['10.1.0.0/16'] };
  permissions.put({}, policyUnderTest({ scope }, { 'www.lab.internal': ['10.9.9.9'] }).policy);
  await watch.look();
  assert.deepEqual(runs.codes(), { one: 'ERR_TARGET_OUT_OF_SCOPE' });
});

test('ports that were denied since end a run whose claims are known', async (t) => {
  const { watch, runs, permissions } = watchRig(t);
  runs.add('one', await planned('10.1.2.3', [{ from: 500, to: 510 }]));
  permissions.put({}, policyUnderTest({ denyPorts: ['502'] }).policy);
  await watch.look();
  assert.equal(runs.all[0]?.why?.details?.['rule'], 'target.ports-denied');
});

test('who was taken out of an engagement loses the runs of it', async (t) => {
  const { watch, runs, permissions, askers } = watchRig(t);
  askers.set('key_bob', keyOf('bob'));
  permissions.put({ principals: ['agent', 'bob'] });
  await watch.look();
  runs.add('agent');
  runs.add('bob', { owner: 'key_bob' });
  permissions.put({ principals: ['bob'] });
  await watch.look();
  assert.deepEqual(runs.codes(), { agent: 'ERR_ENGAGEMENT_REVOKED', bob: undefined });
});

test('no name is looked up for a run that goes on, whatever changes', async (t) => {
  const { watch, runs, permissions } = watchRig(t);
  runs.add('one', await planned('www.lab.internal'));
  const { policy, asked } = policyUnderTest();
  permissions.put({}, policy);
  permissions.put({}, policyUnderTest().policy, 'other');
  await watch.look();
  assert.deepEqual(asked, []);
  assert.deepEqual(runs.codes(), { one: undefined });
});

test('targets are judged once by each policy of their own engagement, and by no change of another one', async (t) => {
  const { watch, runs, permissions } = watchRig(t);
  let judged = 0;
  const counting = () => {
    const { policy } = policyUnderTest();
    return {
      ...policy,
      recheck: (...given: Parameters<typeof policy.recheck>) => {
        judged += 1;
        policy.recheck(...given);
      },
    };
  };
  permissions.put({}, counting());
  runs.add('one', await planned('10.1.2.3'));
  for (let look = 0; look < 3; look += 1) await watch.look();
  permissions.put({}, policyUnderTest().policy, 'other');
  await watch.look();
  assert.equal(judged, 1);
  permissions.put({ title: 'another' }, counting());
  await watch.look();
  assert.equal(judged, 2);
  assert.deepEqual(runs.codes(), { one: undefined });
});

test('a run that was planned again is judged by its new targets, though nothing else changed since', async (t) => {
  const { watch, runs, permissions } = watchRig(t);
  permissions.put({}, policyUnderTest({ scope: { allow: ['10.1.0.0/16'], deny: [] } }).policy);
  const run = runs.add('one', await planned('10.1.2.3'));
  await watch.look();
  assert.equal(runs.codes()['one'], undefined);
  Object.assign(run.subject, await planned('10.2.2.2'));
  await watch.look();
  assert.equal(runs.codes()['one'], 'ERR_TARGET_OUT_OF_SCOPE');
});

test('a run ends when the key of its owner is gone, or may run nothing any more', async (t) => {
  const { watch, runs, permissions, askers } = watchRig(t);
  for (const name of ['bob', 'eve']) askers.set(`key_${name}`, keyOf(name));
  permissions.put({ principals: ['agent', 'bob', 'eve'] });
  for (const name of ['agent', 'bob', 'eve']) runs.add(name, { owner: `key_${name}` });
  await watch.look();
  assert.deepEqual(runs.codes(), { agent: undefined, bob: undefined, eve: undefined });
  askers.delete('key_bob');
  askers.set('key_eve', { ...keyOf('eve'), scopes: new Set(['runs:read']) });
  await watch.look();
  assert.deepEqual(runs.codes(), { agent: undefined, bob: 'ERR_AUTH_FORBIDDEN', eve: 'ERR_AUTH_FORBIDDEN' });
});

test('keys that cannot be read end nothing; it is logged once, and they are asked for again', async (t) => {
  const { watch, runs, askers, keys, logged } = watchRig(t);
  runs.add('one');
  askers.clear();
  keys.fault = new Error('disk I/O error');
  for (let look = 0; look < 3; look += 1) await watch.look();
  assert.deepEqual([runs.codes()['one'], logged], [undefined, ['store.failed']]);
  delete keys.fault;
  await watch.look();
  assert.equal(runs.codes()['one'], 'ERR_AUTH_FORBIDDEN');
});

test('each owner is asked for once in a look, however many runs are theirs', async (t) => {
  const { watch, runs, askers, keys } = watchRig(t);
  askers.set('key_bob', keyOf('bob'));
  for (let run = 0; run < 10; run += 1) runs.add(`r${run}`, { owner: run % 2 === 0 ? 'key_agent' : 'key_bob' });
  await watch.look();
  assert.equal(keys.asked, 2);
});

test('a key that nobody can tell about for long holds up the end of no other run', async (t) => {
  const { watch, runs, permissions, askers } = watchRig(t);
  runs.add('one');
  runs.add('bob', { owner: 'key_bob' });
  runs.add('narrowed', { tool: 'nmap' });
  permissions.put({ tools: { allow: ['echo'] } });
  askers.get = (id) => (id === 'key_agent' ? (new Promise(() => undefined) as never) : undefined);
  void watch.look();
  assert.ok(await until(() => runs.codes()['bob'] === 'ERR_AUTH_FORBIDDEN'));
  assert.deepEqual([runs.codes()['one'], runs.codes()['narrowed']], [undefined, 'ERR_ENGAGEMENT_TOOL_DENIED']);
});

test('what cannot be judged is ended', async (t) => {
  const { watch, runs, permissions } = watchRig(t);
  runs.add('one');
  permissions.fault = new Error('a fault of ours');
  await watch.look();
  assert.equal(runs.all[0]?.why?.code, 'ERR_ENGAGEMENT_NOT_OPEN');
  delete permissions.fault;
  runs.add('two', await planned('10.1.2.3'));
  const pin = () => assert.fail('nothing is pinned here');
  const broken = () => {
    throw new Error('a fault of ours');
  };
  permissions.put({}, { pin, recheck: broken });
  await watch.look();
  assert.equal(runs.codes()['two'], 'ERR_ENGAGEMENT_NOT_OPEN');
  // A policy that cannot judge, and targets of which nobody knows what was asked for.
  permissions.put({}, { pin });
  runs.add('three', await planned('10.1.2.3'));
  await watch.look();
  assert.equal(runs.codes()['three'], 'ERR_ENGAGEMENT_NOT_OPEN');
  permissions.put({});
  runs.add('four', { pinned: (await planned('10.1.2.3')).pinned });
  await watch.look();
  assert.equal(runs.codes()['four'], 'ERR_ENGAGEMENT_NOT_OPEN');
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
