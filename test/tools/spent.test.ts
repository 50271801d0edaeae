import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ToolSpent } from '../../src/core/tool/definition.ts';
import { withPings } from '../../src/tools/nmap/most-probes.ts';
import { feed, prepare, registeredTools, samplesOf } from './under-test.ts';

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

  it('is of nmap three times as much for a port that says nothing, and never more than was reserved', async () => {
    const result = nmapResult([{ state: 'filtered' }, { state: 'open' }], [{ state: 'closed', count: 98 }], 1);
    const { spent, estimate } = await spentOf({ tool: 'nmap', input: SCAN, result });
    assert.equal(spent.probes, withPings(3 + 1 + 98));
    const silent = nmapResult([], [{ state: 'filtered', count: 100 }]);
    const attacked = await spentOf({ tool: 'nmap', input: SCAN, result: silent });
    assert.ok((attacked.spent.probes ?? 0) >= 3 * estimate.probes, 'a silent target makes the scan dearer');
    assert.equal(attacked.spent.probes, attacked.estimate.mostProbes, 'all of that was reserved');
  });

  it('is of nmap at an open port all that versions and scripts may take there, and nothing of that at another', async () => {
    const open = nmapResult([{ state: 'open' }], [{ state: 'closed', count: 99 }], 1);
    const plain = 100;
    for (const more of [{ version: 5 }, { scripts: ['http-title'] }, { version: 9, scripts: ['ssl-enum-ciphers'] }]) {
      const { spent, estimate } = await spentOf({ tool: 'nmap', input: { ...SCAN, ...more }, result: open });
      const [taken = 0, most = 0] = [spent.probes, estimate.mostProbes];
      assert.ok(taken > plain && taken < most / 10, `${JSON.stringify(more)}: ${taken} of ${most}`);
    }
    const closed = nmapResult([], [{ state: 'closed', count: 100 }]);
    const { spent } = await spentOf({ tool: 'nmap', input: { ...SCAN, version: 5 }, result: closed });
    assert.equal(spent.probes, plain, 'without an open port there is no version to ask for');
    assert.deepEqual((await spentOf({ tool: 'nmap', input: SCAN, result: closed, complete: false })).spent, {});
    const ping = { targets: ['10.77.0.0/28'], scan: 'ping' };
    assert.deepEqual((await spentOf({ tool: 'nmap', input: ping, result: closed })).spent, {});
  });

  it('is of sqlmap every test twice where none hit, and unknown where one did', async () => {
    const page = { scheme: 'http', host: '10.77.0.10', path: '/item.php?id=1' };
    const input = { url: page, param: 'id', action: 'tables' };
    const { spent, estimate } = await spentOf({ tool: 'sqlmap', input, result: { injectable: false } });
    assert.ok((spent.probes ?? 0) > estimate.probes && (spent.probes ?? 0) < (estimate.mostProbes ?? 0));
    for (const injectable of [true, null])
      assert.deepEqual((await spentOf({ tool: 'sqlmap', input, result: { injectable } })).spent, {});
    assert.deepEqual(
      (await spentOf({ tool: 'sqlmap', input, result: { injectable: false }, complete: false })).spent,
      {},
    );
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

describe('what a recorded run has spent', () => {
  for (const { definition } of TOOLS) {
    if (definition.spent === undefined) continue;
    it(`is never more than ${definition.name} reserved for it`, async () => {
      const tool = TOOLS.find((each) => each.definition === definition) ?? assert.fail();
      let told = 0;
      for (const example of definition.examples) {
        const around = { raw: example.raw ?? definition.raw === 'required', resolves: example.resolves ?? {} };
        const call = await prepare(tool, example.input, around);
        const { probes, mostProbes = probes } =
          definition.estimate?.(call.input, call.pinned, call.context) ?? assert.fail('no estimate');
        for (const { name, stdout, stderr, files } of await samplesOf(definition.name)) {
          const { result, complete } = feed(tool, call, { stdout: [stdout], stderr: [stderr], end: { files } });
          const spent = definition.spent?.({ ...call, result, complete }).probes;
          if (spent === undefined) continue;
          told += 1;
          assert.ok(spent <= mostProbes, `${name} as "${example.title}": ${spent} of ${mostProbes}`);
        }
      }
      assert.ok(told > 0, 'no recorded output says what it took');
    });
  }
});
