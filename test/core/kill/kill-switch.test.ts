import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { killSwitchOff } from '../../../src/core/kill/health.ts';
import { createTrace } from '../../../src/core/plan/trace.ts';
import { until } from '../execution/harness.ts';
import { killRig } from './rig.ts';

const KILLED = { code: 'ERR_KILL_SWITCH' };
const by = { by: 'key_operator', reason: 'it went wrong', requestId: 'req-1' };

test('a kill of everything is in force and has ended every run before anything is awaited', async () => {
  const { kill, runs, stored, audited } = await killRig();
  runs.add('one', { engagement: 'acme' });
  runs.add('two', { engagement: 'other' });
  const engaging = kill.engage(by);
  assert.deepEqual(runs.codes(), { one: 'ERR_KILL_SWITCH', two: 'ERR_KILL_SWITCH' });
  assert.throws(() => kill.check('acme'), KILLED);
  assert.throws(() => kill.check('one that is made tomorrow'), KILLED);
  assert.deepEqual(stored, new Map());
  const report = await engaging;
  assert.deepEqual([report.active, report.endedRuns, report.survivors], [true, 2, 0]);
  assert.equal(stored.get(null)?.reason, 'it went wrong');
  assert.deepEqual(
    audited.map(({ type, principal, requestId }) => [type, principal, requestId]),
    [['kill.engaged', 'key_operator', 'req-1']],
  );
});

test('a kill of one engagement leaves the runs of the others alone', async () => {
  const { kill, runs } = await killRig();
  runs.add('mine', { engagement: 'acme' });
  runs.add('theirs', { engagement: 'other' });
  const report = await kill.engage({ ...by, engagement: 'acme' });
  assert.equal(report.endedRuns, 1);
  assert.deepEqual(runs.codes(), { mine: 'ERR_KILL_SWITCH', theirs: undefined });
  assert.deepEqual([kill.isOn('acme'), kill.isOn('other')], [true, false]);
  const trace = createTrace();
  kill.check('other', trace);
  assert.deepEqual(trace.entries, [{ rule: 'kill.switch', outcome: 'passed', datum: 'off' }]);
});

test('a mistyped engagement is refused and not taken for a kill that found nothing', async () => {
  const { kill, runs, stored } = await killRig();
  await assert.rejects(kill.engage({ ...by, engagement: 'acne' }), { code: 'ERR_ENGAGEMENT_UNKNOWN' });
  assert.equal(kill.state().active, false);
  assert.equal(stored.size, 0);
  // Removed by its operator while it still has a run.
  runs.add('left', { engagement: 'gone' });
  assert.equal((await kill.engage({ ...by, engagement: 'gone' })).endedRuns, 1);
});

test('what a refused caller reads names neither who pulled it nor why', async () => {
  const { kill, runs } = await killRig();
  runs.add('one');
  await kill.engage({ by: 'key_operator', reason: 'tenant globex was attacked' });
  for (const told of [runs.all[0]?.why, caught(() => kill.check('acme'))]) {
    const shown = JSON.stringify([(told as Error).message, (told as { details?: unknown }).details]);
    assert.doesNotMatch(shown, /globex|key_operator/);
  }
});

test('pulling it twice keeps who was first, ends what came between and is audited again', async () => {
  const { kill, runs, clock, audited, stored } = await killRig();
  await kill.engage({ ...by, engagement: 'acme' });
  clock.at += 5000;
  runs.add('between');
  await kill.engage({ by: 'key_second', reason: 'again', engagement: 'acme' });
  const [only, ...more] = kill.state().switches;
  assert.deepEqual([only?.by, only?.reason, more.length], ['key_operator', 'it went wrong', 0]);
  assert.equal(stored.get('acme')?.since, 1_000_000);
  assert.equal(runs.codes()['between'], 'ERR_KILL_SWITCH');
  assert.deepEqual(
    audited.map(({ principal, data }) => [principal, data?.['again']]),
    [
      ['key_operator', false],
      ['key_second', true],
    ],
  );
});

test('lifting one switch leaves the others on', async () => {
  const { kill, stored } = await killRig();
  await kill.engage(by);
  await kill.engage({ ...by, engagement: 'acme' });
  await kill.engage({ ...by, engagement: 'other' });
  const state = await kill.lift({ ...by, reason: 'over' });
  assert.deepEqual(
    state.switches.map(({ engagement }) => engagement),
    ['acme', 'other'],
  );
  assert.throws(() => kill.check('acme'), KILLED);
  await kill.lift({ ...by, engagement: 'acme' });
  assert.deepEqual([kill.isOn('acme'), kill.isOn('other')], [false, true]);
  assert.deepEqual([...stored.keys()], ['other']);
});

test('the switches of an earlier life are on, and nothing may run until they are read', async () => {
  const first = await killRig();
  await first.kill.engage({ ...by, engagement: 'acme' });
  const { kill } = await killRig({ stored: first.stored, isLoaded: false });
  assert.throws(() => kill.check('other'), KILLED);
  await kill.load();
  kill.check('other');
  assert.throws(() => kill.check('acme'), KILLED);
  assert.deepEqual(kill.state(), first.kill.state());
});

test('a store whose switches cannot be read keeps everything refused', async () => {
  const { kill, broken } = await killRig({ isLoaded: false });
  broken.store = true;
  await assert.rejects(kill.load(), { code: 'ERR_STORE_UNAVAILABLE' });
  assert.throws(() => kill.check('acme'), KILLED);
});

test('with a broken store it is in force, says that it is not durable, and becomes durable later', async () => {
  const { kill, runs, broken, stored } = await killRig();
  runs.add('one');
  broken.store = true;
  await assert.rejects(kill.engage(by), (error: { code?: string; details?: { endedRuns?: number } }) => {
    assert.equal(error.code, 'ERR_STORE_UNAVAILABLE');
    return error.details?.endedRuns === 1;
  });
  assert.deepEqual(runs.codes(), { one: 'ERR_KILL_SWITCH' });
  assert.throws(() => kill.check('acme'), KILLED);
  broken.store = false;
  assert.ok(await until(() => stored.has(null)), 'it was tried on');
});

test('what was lifted while the store was broken is not stored afterwards', async () => {
  const { kill, broken, stored } = await killRig();
  broken.store = true;
  await assert.rejects(kill.engage(by));
  broken.store = false;
  await kill.lift(by);
  await delay(30);
  assert.equal(stored.size, 0);
  kill.check('acme');
});

test('runs that do not end in time are said, and it stays on', async () => {
  const { kill, runs, stored } = await killRig();
  runs.add('stuck');
  runs.hang();
  await assert.rejects(kill.engage(by), { code: 'ERR_STORE_UNAVAILABLE' });
  assert.throws(() => kill.check('acme'), KILLED);
  assert.equal(stored.size, 1);
});

test('processes that outlived their kill are counted in the report', async () => {
  let survivors = 3;
  const { kill, runs } = await killRig({ survivors: () => survivors });
  runs.add('one');
  const engaging = kill.engage(by);
  survivors = 5;
  assert.equal((await engaging).survivors, 2);
});

test('it stays on when its lifting cannot be audited or stored', async () => {
  const { kill, broken, stored, audited } = await killRig();
  await kill.engage(by);
  broken.audit = true;
  await assert.rejects(kill.lift(by), { code: 'ERR_AUDIT_UNAVAILABLE' });
  broken.audit = false;
  broken.store = true;
  await assert.rejects(kill.lift(by), { code: 'ERR_STORE_UNAVAILABLE' });
  assert.throws(() => kill.check('acme'), KILLED);
  assert.equal(stored.size, 1);
  // The record of the lift is followed by one that takes it back.
  assert.deepEqual(
    audited.map(({ type }) => type),
    ['kill.engaged', 'kill.lifted', 'kill.engaged'],
  );
});

for (const moment of ['append', 'remove'] as const) {
  test(`whoever pulls it while it is being lifted (${moment}) wins`, async () => {
    const { kill, stored, during } = await killRig();
    await kill.engage(by);
    const again: Promise<unknown>[] = [];
    during[moment] = () => void again.push(kill.engage(by));
    await assert.rejects(kill.lift(by), KILLED);
    await Promise.all(again);
    assert.throws(() => kill.check('acme'), KILLED);
    assert.ok(await until(() => stored.has(null)), 'it is durable');
  });
}

test('of two lifts at once one finds nothing to lift', async () => {
  const { kill, audited } = await killRig();
  await kill.engage(by);
  const results = await Promise.allSettled([kill.lift(by), kill.lift(by)]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  assert.equal(audited.filter(({ type }) => type === 'kill.lifted').length, 1);
});

test('nothing is lifted that is not on, and nothing without a reason', async () => {
  const { kill } = await killRig();
  await assert.rejects(kill.lift(by), { code: 'ERR_INPUT_INVALID' });
  await kill.engage(by);
  await assert.rejects(kill.lift({ ...by, reason: ' \u200b ' }), { code: 'ERR_INPUT_INVALID' });
  assert.equal(kill.state().active, true);
});

test('a reason cannot steer the terminal it is read on', async () => {
  const { kill } = await killRig();
  await kill.engage({ ...by, reason: '\u001b[2Jgone\u202e\nfine' });
  assert.equal(kill.state().switches[0]?.reason, 'gone fine');
});

test('a signal kills everything and never throws', async () => {
  const { kill, runs, broken, audited, logged } = await killRig();
  runs.add('one');
  broken.store = true;
  kill.engageBySignal();
  assert.deepEqual(runs.codes(), { one: 'ERR_KILL_SWITCH' });
  assert.equal(kill.state().switches[0]?.by, 'signal');
  assert.ok(await until(() => logged.includes('kill.failed')), 'the log says that it is not durable');
  assert.deepEqual([audited[0]?.principal, audited[0]?.data?.['by']], [undefined, 'signal']);
});

test('metrics and health say that it is on, and nobody is called unready by it', async () => {
  const { kill, recorder } = await killRig();
  const health = killSwitchOff(kill);
  assert.equal(health.priority, 'important');
  const { signal } = new AbortController();
  assert.equal((await health.run(signal)).ok, true);
  await kill.engage({ ...by, engagement: 'acme', reason: 'globex' });
  const found = await health.run(signal);
  assert.equal(found.ok, false);
  assert.doesNotMatch(JSON.stringify(found), /globex|acme|key_operator/);
  const last = (name: string) => recorder.lines.findLast((line) => line.startsWith(name));
  assert.equal(last('sallyport_kill_switch_active{all}'), 'sallyport_kill_switch_active{all} 0');
  assert.equal(last('sallyport_kill_switch_active{engagement}'), 'sallyport_kill_switch_active{engagement} 1');
  assert.ok(last('sallyport_kill_switch_seconds'));
});

test('who listens hears of every change until they stop', async () => {
  const { kill } = await killRig();
  let heard = 0;
  const stop = kill.onChange(() => void (heard += 1));
  await kill.engage(by);
  await kill.lift(by);
  stop();
  await kill.engage(by);
  assert.equal(heard, 2);
});

function caught(work: () => void): unknown {
  try {
    work();
    return undefined;
  } catch (thrown) {
    return thrown;
  }
}
