import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../execution/harness.ts';
import { killRig } from './rig.ts';

const KILLED = { code: 'ERR_KILL_SWITCH' };
const by = { by: 'key_operator', reason: 'it went wrong' };

test('the file is looked at in every check, and its appearance ends every run', async () => {
  const { kill, runs, file, audited, stored } = await killRig();
  runs.add('one');
  file.isThere = true;
  assert.throws(() => kill.check('acme'), KILLED);
  assert.deepEqual(runs.codes(), { one: 'ERR_KILL_SWITCH' });
  assert.deepEqual([audited[0]?.type, audited[0]?.data?.['by']], ['kill.engaged', 'file']);
  assert.equal(kill.state().switches[0]?.by, 'file');
  // The file is durable by itself: nothing of it may outlive it.
  assert.equal(stored.size, 0);
});

test('without anybody asking it ends runs as soon as it is looked at', async () => {
  const { kill, runs, file } = await killRig();
  runs.add('one');
  file.isThere = true;
  kill.sentinelChanged();
  assert.deepEqual(runs.codes(), { one: 'ERR_KILL_SWITCH' });
});

test('a look that fails counts as a file that is there', async () => {
  const { kill, broken } = await killRig();
  broken.file = true;
  assert.throws(() => kill.check('acme'), KILLED);
});

test('its removal lifts what it switched on and nothing else', async () => {
  const { kill, file, audited } = await killRig();
  await kill.engage({ ...by, engagement: 'acme' });
  file.isThere = true;
  assert.throws(() => kill.check('other'), KILLED);
  file.isThere = false;
  assert.ok(await until(() => !kill.isOn('other')));
  assert.throws(() => kill.check('acme'), KILLED);
  assert.deepEqual(audited.at(-1)?.type, 'kill.lifted');
});

test('while it is there nobody lifts everything, and its removal does not lift what people pulled', async () => {
  const { kill, file } = await killRig();
  await kill.engage(by);
  file.isThere = true;
  await assert.rejects(kill.lift(by), { ...KILLED, details: { rule: 'kill.file' } });
  file.isThere = false;
  assert.ok(await until(() => kill.state().switches.every((each) => each.by !== 'file')));
  assert.throws(() => kill.check('acme'), KILLED);
  await kill.lift(by);
  kill.check('acme');
});

test('its removal lifts nothing before that is written down', async () => {
  const { kill, file, broken, clock, logged, during } = await killRig();
  let tries = 0;
  during.append = () => void (tries += 1);
  file.isThere = true;
  kill.sentinelChanged();
  file.isThere = false;
  broken.audit = true;
  kill.sentinelChanged();
  assert.ok(await until(() => logged.includes('kill.failed')));
  assert.throws(() => kill.check('acme'), KILLED);
  broken.audit = false;
  assert.throws(() => kill.check('acme'), KILLED);
  assert.equal(tries, 1, 'a broken audit is not asked four times a second');
  clock.at += 10;
  assert.ok(await until(() => !kill.isOn('acme')));
});

test('a file that comes back while its removal is written down keeps everything killed', async () => {
  const { kill, file, during, audited } = await killRig();
  file.isThere = true;
  kill.sentinelChanged();
  file.isThere = false;
  during.append = () => void (file.isThere = true);
  kill.sentinelChanged();
  assert.ok(await until(() => audited.length === 3));
  assert.deepEqual(
    audited.map(({ type }) => type),
    ['kill.engaged', 'kill.lifted', 'kill.engaged'],
  );
  assert.throws(() => kill.check('acme'), KILLED);
});

test('a file that is there at the start kills from the first moment on', async () => {
  const { kill, file } = await killRig({ isLoaded: false });
  file.isThere = true;
  await kill.load();
  assert.throws(() => kill.check('acme'), KILLED);
});
