import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { ScopeViewSchema } from '../../../schemas/scope-view.ts';
import { describeScope, type ScopeViewParts } from '../../../src/core/engagement/scope-view.ts';
import { files, key, NOW, open, sample } from './rig.ts';

const tool = (name: string, risk: string, state: { enabled?: boolean; available?: boolean } = {}) => ({
  definition: { name, risk },
  enabled: state.enabled ?? true,
  availability: { available: state.available ?? true },
});
const registry = {
  all: () => [
    tool('dig', 'observe'),
    tool('nmap', 'active'),
    tool('hydra', 'exploit'),
    tool('off', 'observe', { enabled: false }),
    tool('gone', 'observe', { available: false }),
  ],
} as unknown as ScopeViewParts['registry'];

async function viewOf(name: string, { killed = [] as readonly (string | null)[] } = {}) {
  const documents = [
    sample({ ports: { deny: ['502'] }, approvals: { from: 'active' } }),
    sample({ id: 'later', window: { from: new Date(NOW + 60_000).toISOString() } }),
    sample({
      id: 'secret',
      principals: ['blue'],
      risk: 'exploit',
      ports: { allow: ['80'] },
      tools: { allow: ['hydra', 'dig'] },
    }),
  ];
  const { engagements } = await open({ files: files(...documents) });
  return describeScope(key(name), {
    engagements,
    registry,
    budgets: { left: () => [{ budget: 'probes-per-hour', limit: 10, used: 4, left: 6 }] },
    killSwitch: {
      isOn: (id) => killed.includes(id) || killed.includes(null),
      state: () => ({
        active: killed.length > 0,
        switches: killed.map((engagement) => ({ engagement, since: '', by: '', reason: '' })),
      }),
    },
  });
}

test('it names the engagements of the caller with what may be called under each now, and nothing of others', async () => {
  const view = await viewOf('agent-red');
  assert.deepEqual(
    view.engagements.map(({ id, state, tools }) => [id, state, tools]),
    [
      ['acme', 'open', ['dig', 'nmap']],
      ['later', 'not_yet', []],
    ],
  );
  assert.equal(view.mustName, true);
  assert.equal(JSON.stringify(view).includes('hidden-customer'), false);
  assert.equal(view.engagements[1]?.opensAt, new Date(NOW + 60_000).toISOString());
  assert.deepEqual(view.engagements[0]?.portsDeny, ['502']);
  assert.equal(view.engagements[0]?.approvalFrom, 'active');
  assert.equal(view.engagements[0]?.budgets[0]?.left, 6);
});

test('one engagement need not be named, and its allowed ports are shown', async () => {
  const view = await viewOf('blue');
  assert.equal(view.mustName, false);
  assert.deepEqual([view.engagements[0]?.portsAllow, view.engagements[0]?.tools], [['80'], ['dig', 'hydra']]);
});

test('under a kill switch no tool may be called', async () => {
  const one = await viewOf('agent-red', { killed: ['acme'] });
  assert.deepEqual([one.killed, one.engagements[0]?.state, one.engagements[0]?.tools], [false, 'killed', []]);
  const all = await viewOf('agent-red', { killed: [null] });
  assert.deepEqual([all.killed, all.engagements.flatMap(({ tools }) => tools)], [true, []]);
});

test('it fits its schema', async () => {
  const validate = new Ajv2020({ strict: true }).compile(ScopeViewSchema);
  for (const name of ['agent-red', 'blue', 'nobody']) {
    assert.ok(validate(JSON.parse(JSON.stringify(await viewOf(name)))), JSON.stringify(validate.errors));
  }
});
