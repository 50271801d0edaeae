import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import masscan from '../../src/tools/masscan/index.ts';
import type { MasscanResult } from '../../src/tools/masscan/parse.ts';
import { golden } from './golden.ts';
import { type Fed, feed, prepare, registered, type Surroundings } from './under-test.ts';

const TOOL = registered(masscan);
const scan = (input: Record<string, unknown>, around: Surroundings = {}) =>
  prepare(TOOL, { cidrs: ['10.77.0.10'], ports: '80', ...input }, { raw: true, ...around });

async function read(stdout: string | Buffer, fed: Partial<Fed> = {}) {
  const outcome = feed(TOOL, await scan({}), { stdout: [Buffer.from(stdout)], ...fed });
  return { ...outcome, result: outcome.result as MasscanResult };
}
const status = (text: string): Partial<Fed> => ({ stderr: [Buffer.from(text)] });
const DONE = 'rate:  0.00-kpps, 100.00% done, waiting 3-secs, found=0       \r';

describe('the argv of masscan', () => {
  it('takes interface, address and router from the operator only', async () => {
    const link = { interface: 'veth0', adapterIp: '10.77.0.1', routerMac: '02:00:00:00:00:02' };
    const { argv } = await scan({ rate: 7 }, { link });
    const expected =
      '10.77.0.10 -p 80 --rate 7 --wait 3 --interface veth0 --adapter-ip 10.77.0.1 --router-mac 02:00:00:00:00:02 -oD -';
    assert.equal(argv.join(' '), expected);
    await assert.rejects(scan({ interface: 'eth0' }), { code: 'ERR_INPUT_INVALID' });
  });

  it('refuses a scan that cannot end within its time (1.2 of the earlier system: 46 hours against 300 s)', async () => {
    await assert.rejects(scan({ cidrs: ['10.77.0.0/24'], ports: 'all' }), { code: 'ERR_INPUT_INVALID' });
    await scan({ cidrs: ['10.77.0.0/24'], ports: '1-100', rate: 100 });
    await assert.rejects(scan({ ports: '1-1000', rate: 100 }, { timeoutMs: 10_000 }), { code: 'ERR_INPUT_INVALID' });
  });

  it('refuses rates out of bounds, too many addresses, IPv6, names and files (D4, D12, D15, D16)', async () => {
    for (const more of [
      { rate: 0 },
      { rate: -5 },
      { rate: 1001 },
      { rate: '100' },
      { ports: '80 --rate=10000000' },
      { ports: '0-80' },
      { ports: 'U:53' },
      { cidrs: ['web.lab.internal'] },
      { cidrs: ['fd00::1'] },
      { cidrs: ['10.0.0.0/8'] },
      { cidrs: ['10.77.0.0/24', '10.77.1.0/32'] },
      { cidrs: ['10.77.0.10-10.77.0.20'] },
      { excludefile: '/etc/passwd' },
      { banners: true },
    ]) {
      await assert.rejects(
        scan(more),
        { code: /^ERR_(INPUT_INVALID|TARGET_INVALID|TARGET_TOO_LARGE)$/ },
        JSON.stringify(more),
      );
    }
  });
});

describe('the report of masscan', () => {
  it('is open ports by address', async () => {
    const { result, complete } = await read(golden('masscan/found.stdout'), {
      stderr: [golden('masscan/found.stderr')],
    });
    assert.equal(complete, true);
    assert.deepEqual(
      result.hosts.map(({ address, ports }) => [address, ports.map(({ port }) => port)]),
      [
        ['10.98.0.10', [8080, 8081]],
        ['10.98.0.11', [8080, 8081]],
      ],
    );
    assert.deepEqual(result.stats, { hosts: 2, openPorts: 4, percentSent: 100 });
  });

  it('is complete and empty when everything was sent and nothing answered', async () => {
    const { result, complete } = await read('', { stderr: [golden('masscan/nothing.stderr')] });
    assert.equal(complete, true);
    assert.deepEqual(result.hosts, []);
  });

  it('is incomplete, not closed, when an empty run did not end by itself', async () => {
    for (const ending of ['timed_out', 'cancelled'] as const) {
      const { complete, result } = await read('', { ...status(DONE), end: { ending, exitCode: null } });
      assert.equal(complete, false);
      assert.equal(result.notes.length, 1);
    }
  });

  it('is incomplete when masscan saw more than it wrote, or had not sent everything', async () => {
    assert.equal((await read('', status(DONE.replace('found=0', 'found=2')))).complete, false);
    assert.equal((await read('', status(DONE.replace('100.00', '37.00')))).complete, false);
    assert.equal((await read('')).complete, false);
  });

  it('leaves out what is no record and says so (D39)', async () => {
    const good = golden('masscan/found.stdout').toString().split('\n')[0] ?? '';
    const { result, complete } = await read(`[\n${good}\n${good}\nBanner [x]\n${good.slice(0, 40)}`, status(DONE));
    assert.equal(result.stats.openPorts, 1, 'the same port twice is one port');
    assert.equal(complete, false);
    assert.equal(result.notes.length, 1);
  });

  it('tells progress and ports while it runs', async () => {
    const line = golden('masscan/found.stdout').toString().split('\n')[0] ?? '';
    const { events } = await read(
      `${line}\n`,
      status('rate:  0.00-kpps,  6.25% done,  37:20:24 remaining, found=1       \r'),
    );
    assert.deepEqual(events, [
      {
        kind: 'finding',
        message: '10.98.0.11 8081/tcp is open',
        draft: {
          kind: 'port',
          target: '10.98.0.11',
          address: '10.98.0.11',
          port: 8081,
          protocol: 'tcp',
          title: '8081/tcp is open',
          severity: 'info',
          confidence: 'firm',
          evidence: 'syn-ack, ttl 64',
          attributes: { state: 'open' },
        },
      },
      { kind: 'progress', percent: 6.25, etaSeconds: 134_424, message: '1 open so far' },
    ]);
  });

  it('says what to set when there is no interface', async () => {
    const { failure } = await read('', { stderr: [golden('masscan/no-interface.stderr')], end: { exitCode: 1 } });
    assert.match(failure ?? '', /execution\.raw\.interface/);
  });
});
