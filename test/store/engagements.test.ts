import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngagementVersion } from '../../schemas/engagement.ts';
import { openStore } from '../../src/store/store.ts';
import { sample } from '../core/engagement/rig.ts';
import { at, newStore } from './rig.ts';

const version = (changes: Partial<EngagementVersion> = {}): EngagementVersion => ({
  id: 'acme',
  version: '0123456789abcdef',
  source: 'rest',
  since: at(1000),
  by: 'key_boss',
  document: sample({ title: 'ACME “internal” \u{1f600}' }),
  ...changes,
});

test('what REST put is current with its newest version, also after the store was opened again', async (t) => {
  const { store, dataDir } = await newStore(t);
  await store.engagements.put(version());
  await store.engagements.put(version({ version: 'second', since: at(2000), by: 'key_other' }));
  await store.engagements.put(version({ id: 'beta' }));
  const expected = [version({ version: 'second', since: at(2000), by: 'key_other' }), version({ id: 'beta' })];
  assert.deepEqual(await store.engagements.current(), expected);
  const again = await openStore(dataDir);
  t.after(() => again.close());
  assert.deepEqual(await again.engagements.current(), expected);
});

test('versions of files are history and never current', async (t) => {
  const { store } = await newStore(t);
  await store.engagements.put(version({ source: 'file', by: '/e/acme.yaml' }));
  await store.engagements.put(version({ source: 'configuration', id: 'default' }));
  assert.deepEqual(await store.engagements.current(), []);
  assert.equal((await store.engagements.versions('acme')).length, 1);
});

test('the history is newest first, of one id, and stays when the engagement goes', async (t) => {
  const { store } = await newStore(t);
  for (const [index, name] of ['one', 'two', 'three'].entries()) {
    // The clock of the machine may have been set back between them.
    await store.engagements.put(version({ version: name, since: at(5000 - index) }));
  }
  await store.engagements.put(version({ id: 'beta', version: 'other' }));
  assert.equal(await store.engagements.remove('acme'), true);
  assert.equal(await store.engagements.remove('acme'), false);
  const history = await store.engagements.versions('acme');
  assert.deepEqual(
    history.map((each) => each.version),
    ['three', 'two', 'one'],
  );
  assert.deepEqual(
    (await store.engagements.current()).map(({ id }) => id),
    ['beta'],
  );
  assert.deepEqual(await store.engagements.versions('nothing'), []);
});

test('a revocation is kept until it is lifted, for ids of any source', async (t) => {
  const { store } = await newStore(t);
  await store.engagements.setRevocation('acme', { at: 1000, by: 'key_a', reason: 'stop' });
  await store.engagements.setRevocation('beta', { at: 2000, by: 'key_b', reason: 'late' });
  await store.engagements.setRevocation('beta', { at: 3000, by: 'key_c', reason: 'later' });
  assert.deepEqual(
    await store.engagements.revocations(),
    new Map([
      ['acme', { at: 1000, by: 'key_a', reason: 'stop' }],
      ['beta', { at: 3000, by: 'key_c', reason: 'later' }],
    ]),
  );
  await store.engagements.setRevocation('acme', null);
  await store.engagements.setRevocation('nothing', null);
  assert.deepEqual([...(await store.engagements.revocations()).keys()], ['beta']);
});
