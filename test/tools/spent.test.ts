import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ToolSpent } from '../../src/core/tool/definition.ts';
import { prepare, registeredTools } from './under-test.ts';

const TOOLS = await registeredTools();

interface Ended {
  readonly tool: string;
  readonly input: Record<string, unknown>;
  readonly result: unknown;
  readonly complete?: boolean;
}

async function spentOf({ tool: name, input, result, complete = true }: Ended) {
  const tool = TOOLS.find(({ definition }) => definition.name === name) ?? assert.fail(`no tool ${name}`);
  const { definition } = tool;
  const call = await prepare(tool, input, { raw: definition.raw === 'required' });
  const estimate = definition.estimate?.(call.input, call.pinned, call.context) ?? assert.fail('no estimate');
  const spent: ToolSpent = definition.spent?.({ ...call, result, complete }) ?? {};
  return { spent, estimate };
}

const SCAN = { targets: ['10.77.0.10'], ports: '1-100' };
const nmapResult = (ports: readonly object[], otherPorts: readonly object[], openPorts = 0) => ({
  hosts: [{ ports, otherPorts }],
  stats: { openPorts },
});

describe('what a run has spent', () => {
  it('is of masscan everything at its end, and when it was cut short no less than it can have sent', async () => {
    const run = { tool: 'masscan', input: { cidrs: ['10.77.0.0/24'], ports: '1-100', rate: 100 } };
    const at = async (percentSent: number, complete = false) =>
      (await spentOf({ ...run, result: { stats: { percentSent } }, complete })).spent.probes;
    assert.equal(await at(100, true), 25_600);
    assert.equal(await at(50), 12_800 + 200);
    assert.equal(await at(99.9), 25_600);
    assert.equal(await at(0), undefined, 'it said nothing: all of it counts');
  });

  it('is of nmap three times as much for a port that says nothing', async () => {
    const result = nmapResult([{ state: 'filtered' }, { state: 'open' }], [{ state: 'closed', count: 98 }], 1);
    const { spent, estimate } = await spentOf({ tool: 'nmap', input: SCAN, result });
    assert.equal(spent.probes, 1 + 3 + 1 + 98);
    const silent = nmapResult([], [{ state: 'filtered', count: 100 }]);
    const attacked = await spentOf({ tool: 'nmap', input: SCAN, result: silent });
    assert.ok((attacked.spent.probes ?? 0) >= 3 * estimate.probes, 'a silent target makes the scan dearer');
  });

  it('is left to the estimate where nmap does not say what versions, scripts and its other scans took', async () => {
    const open = nmapResult([{ state: 'open' }], [{ state: 'closed', count: 99 }], 1);
    for (const more of [{ version: 5 }, { scripts: ['http-title'] }, { os: true }]) {
      const { spent } = await spentOf({ tool: 'nmap', input: { ...SCAN, ...more }, result: open });
      assert.deepEqual(spent, {}, JSON.stringify(more));
    }
    const closed = nmapResult([], [{ state: 'closed', count: 100 }]);
    const { spent } = await spentOf({ tool: 'nmap', input: { ...SCAN, version: 5 }, result: closed });
    assert.equal(spent.probes, 101, 'without an open port there is no version to ask for');
    assert.deepEqual((await spentOf({ tool: 'nmap', input: SCAN, result: closed, complete: false })).spent, {});
  });

  it('is of dig one query more where an answer was fetched again by TCP', async () => {
    const ask = (transport: string, by: string | null) =>
      spentOf({
        tool: 'dig',
        input: { name: 'web.lab.internal', server: '10.77.0.10', transport },
        result: { server: by === null ? null : { transport: by } },
      });
    assert.deepEqual((await ask('udp', 'udp')).spent, { probes: 1 });
    assert.deepEqual((await ask('udp', 'tcp')).spent, { probes: 2 });
    assert.deepEqual((await ask('tcp', 'tcp')).spent, { probes: 1 });
    assert.deepEqual((await ask('udp', null)).spent, {});
  });

  it('is of gobuster everything or unknown', async () => {
    const input = { mode: 'dir', url: { scheme: 'http', host: '10.77.0.10' }, wordlist: 'dirb/common.txt' };
    const whole = await spentOf({ tool: 'gobuster', input, result: {} });
    assert.equal(whole.spent.probes, whole.estimate.probes);
    assert.deepEqual((await spentOf({ tool: 'gobuster', input, result: {}, complete: false })).spent, {});
  });

  it('is of hydra given back by nothing but a whole run, so that no cut-off one frees guesses at an account', async () => {
    const input = { host: '10.77.0.10', service: 'ssh', users: ['admin'], passwords: ['a', 'b'] };
    const result = { credentials: [], open: false, unclear: 0 };
    const { spent, estimate } = await spentOf({ tool: 'hydra', input, result });
    assert.deepEqual(spent, { probes: estimate.probes, accounts: estimate.accounts });
    assert.deepEqual((await spentOf({ tool: 'hydra', input, result, complete: false })).spent, {});
    assert.deepEqual((await spentOf({ tool: 'hydra', input, result: { ...result, credentials: [{}] } })).spent, {});
    assert.deepEqual((await spentOf({ tool: 'hydra', input, result: { ...result, open: true } })).spent, {});
  });
});
