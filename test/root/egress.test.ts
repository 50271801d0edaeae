import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { EGRESS_LINK, EGRESS_PROBE, egressRules } from '../../src/core/execution/egress.ts';
import type { Reach } from '../../src/core/execution/types.ts';
import { until } from '../lab/command.ts';
import { type ChainEnd, type EgressLab, makeEgressLab, PLACES, TCP } from './egress-lab.ts';
import { whyNoRootMount } from '../fixtures/root-mount.ts';
import { NEEDS_ROOT } from './real-checkout.ts';

const { target, neighbour, far, gateway } = PLACES;
const one = (port: number) => [{ from: port, to: port }];
/** One address, three TCP ports and one UDP port. */
const REACH: Reach = {
  endpoints: [
    { network: target, protocol: 'tcp', ports: [TCP.open, TCP.closed, TCP.filtered].flatMap(one) },
    { network: target, protocol: 'udp', ports: one(53) },
  ],
};
const RULES = egressRules(REACH);
const [ENOBUFS, EPERM, EACCES, ECONNREFUSED, ENETUNREACH, EINPROGRESS] = [105, 1, 13, 111, 101, 115];
const IPV4 = '0x0800';

interface Seen {
  readonly status: string;
  readonly environment: string;
  readonly descriptors: readonly string[];
  readonly sandboxed: boolean;
}

/** What /proc shows root of a running program of the user; undefined when there is none. */
function processOf(name: string, uid: number): Seen | undefined {
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8');
      const status = read('status');
      if (!status.startsWith(`Name:\t${name}\n`) || !status.includes(`Uid:\t${uid}\t`)) continue;
      const descriptors = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
      if (descriptors.length === 0) continue;
      return { status, environment: read('environ'), descriptors, sandboxed: status.includes('Seccomp:\t2\n') };
    } catch {
      // Gone while it was read.
    }
  }
  return undefined;
}

describe('behind layer 5', { skip: NEEDS_ROOT || (whyNoRootMount() ?? false) }, () => {
  let lab: EgressLab;
  before(async () => {
    lab = await makeEgressLab();
  });
  after(async () => {
    await lab.close();
  });

  /** The outcome of each attempt of the fixture, in order. */
  async function attempt(attempts: readonly string[], raw: boolean, rules = RULES): Promise<readonly string[]> {
    const { out, status, code } = await lab.behind({ rules, raw, argv: [lab.packets, ...attempts] });
    assert.deepEqual({ status, code }, { status: '', code: 0 });
    const lines = out.trim().split('\n');
    return lines.map((line) => line.slice(line.indexOf(' ') + 1));
  }

  test('a socket reaches the permitted ports of the permitted address and gets true answers', async () => {
    await lab.arrivals();
    const outcomes = await attempt(
      [`tcp:${target}:${TCP.open}`, `tcp:${target}:${TCP.closed}`, `udp:${target}:53`],
      false,
    );
    assert.deepEqual(outcomes, ['allowed', `${ECONNREFUSED}`, 'allowed']);
    assert.deepEqual(await lab.arrivals(), [`tcp ${target} 80`, `tcp ${target} 81`, `udp ${target} 53`]);
  });

  test('a socket reaches no other port, no other address and no other protocol', async () => {
    await lab.arrivals();
    const refused = [`tcp:${target}:22`, `tcp:${neighbour}:80`, `tcp:${far}:80`, `tcp:${gateway}:80`];
    const silent = await attempt(refused, false);
    assert.deepEqual(
      silent,
      refused.map(() => `${EINPROGRESS}`),
    );
    const datagrams = [`udp:${target}:80`, `udp:${target}:54`, `udp:${neighbour}:53`, `udp:${far}:53`];
    assert.deepEqual(
      await attempt(datagrams, false),
      datagrams.map(() => `${EPERM}`),
    );
    assert.deepEqual(await lab.arrivals(), []);
  });

  test('a frame of a tool with raw packets goes only where a socket may go', async () => {
    await lab.arrivals();
    const good = [`frame:${IPV4}:${IPV4}:${target}:6:80`, `frame:${IPV4}:${IPV4}:${target}:17:53`];
    assert.deepEqual(await attempt([...good, 'pause'], true), ['allowed', 'allowed', 'allowed']);
    assert.deepEqual(await lab.arrivals(), [`tcp ${target} 80`, `udp ${target} 53`]);
    const bad = [
      `frame:${IPV4}:${IPV4}:${target}:6:22`,
      `frame:${IPV4}:${IPV4}:${target}:17:80`,
      ...[neighbour, far, gateway, '192.0.2.2', '127.0.0.1', '0.0.0.0', '255.255.255.255'].flatMap((address) => [
        `frame:${IPV4}:${IPV4}:${address}:6:80`,
        `frame:${IPV4}:${IPV4}:${address}:17:53`,
      ]),
    ];
    assert.deepEqual(
      (await attempt([...bad, 'pause'], true)).slice(0, -1),
      bad.map(() => `${ENOBUFS}`),
    );
    assert.deepEqual(await lab.arrivals(), []);
  });

  test('a frame that calls itself something else, is tagged or is a fragment does not get out', async () => {
    await lab.arrivals();
    const labels = ['0', '0x0003', '0x0806', '0x86dd', '0x8100', '0x88a8'];
    const bad = [
      ...labels.map((label) => `frame:${label}:${IPV4}:${neighbour}:17:53`),
      // Called IPv4 for a permitted place, and of another type for whoever reads the frame.
      ...['0x0806', '0x86dd', '0x8100', '0x88f8'].map((type) => `frame:${IPV4}:${type}:${target}:17:53`),
      `tagged:${target}:53`,
      `frame:${IPV4}:${IPV4}:${target}:17:53:0x2000`,
      `frame:${IPV4}:${IPV4}:${target}:17:53:0x0001`,
    ];
    assert.deepEqual(
      (await attempt([...bad, 'pause'], true)).slice(0, -1),
      bad.map(() => `${ENOBUFS}`),
    );
    assert.deepEqual(await lab.arrivals(), []);
  });

  test('what would carry a packet past the rules is refused to a tool with raw packets', async () => {
    await lab.arrivals();
    // PACKET_TX_RING, VNET_HDR, TX_HAS_OFF, QDISC_BYPASS, VNET_HDR_SZ
    const options = [13, 15, 19, 20, 24].map((option) => `option:${option}`);
    const ways = [...options, 'xdp', 'uring', `checksum:${target}:53:99`];
    assert.deepEqual(await attempt([...ways, 'option:8', 'pause'], true), [
      ...ways.map(() => `${EPERM}`),
      'allowed',
      'allowed',
    ]);
    assert.deepEqual(await lab.arrivals(), []);
  });

  test('the loopback of the machine is out of reach by every name', async () => {
    await lab.bare([lab.packets, 'tcp:127.0.0.1:8082']);
    assert.ok((await lab.onLoopback()).includes('tcp 127.0.0.1 8082'), 'the counter sees what comes');
    const rules = egressRules({ endpoints: [...REACH.endpoints, { network: '192.0.2.0/24', protocol: 'tcp' }] });
    const sockets = ['127.0.0.1', '127.0.0.2', '192.0.2.2', '192.0.2.3'].map((address) => `tcp:${address}:8082`);
    const outcomes = await attempt(sockets, false, rules);
    assert.ok(!outcomes.includes('allowed'), outcomes.join());
    const frames = ['127.0.0.1', '127.0.0.2', '0.0.0.0', '192.0.2.2', '192.0.2.3'];
    await attempt([...frames.map((address) => `frame:${IPV4}:${IPV4}:${address}:6:8082`), 'pause'], true, rules);
    assert.deepEqual(await lab.onLoopback(), []);
  });

  test('the tool has no capability, or exactly NET_RAW, and no descriptor but that for the launcher', async () => {
    for (const [raw, mask] of [
      [false, 0],
      [true, 1 << 13],
    ] as const) {
      const { out } = await lab.behind({ rules: RULES, raw, argv: [lab.packets, 'status'] });
      const value = mask.toString(16).padStart(16, '0');
      for (const name of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
        assert.match(out, new RegExp(`${name}:\t${value}\n`));
      assert.match(out, new RegExp(`Uid:\t${lab.uid}\t${lab.uid}\t${lab.uid}\t${lab.uid}\n`));
      assert.match(out, /NoNewPrivs:\t1\n/);
      assert.doesNotMatch(out, /descriptor/);
    }
    assert.deepEqual(await attempt([`frame:${IPV4}:${IPV4}:${target}:17:53`], false), [`${EPERM}`]);
  });

  test('slirp4netns ends with the tool, knows nothing of the run and lives in its own sandbox', async () => {
    const behind = lab.behind({ rules: RULES, argv: ['/usr/bin/sleep', '2'] });
    let seen: Seen | undefined;
    await until(
      'slirp4netns in its sandbox',
      () => (seen = processOf('slirp4netns', lab.uid)) !== undefined && seen.sandboxed,
    );
    assert.ok(seen !== undefined);
    assert.match(seen.status, /CapEff:\t0000000000000400\n/, 'bind service, in a user namespace of its own');
    assert.match(seen.status, /NoNewPrivs:\t1\n/);
    assert.equal(seen.environment, '');
    const status = processOf('sleep', lab.uid)?.descriptors[3];
    assert.match(status ?? '', /^socket:/);
    assert.ok(!seen.descriptors.includes(status ?? ''), 'no status descriptor');
    assert.deepEqual(await behind, { out: '', status: '', code: 0 });
    await until('the end of slirp4netns', () => processOf('slirp4netns', lab.uid) === undefined);
  });

  test('the tool can neither delete the rules nor open the memory of slirp4netns', async () => {
    for (const raw of [false, true]) {
      const traced = await attempt(['trace'], raw);
      assert.ok(traced.length > 0 && traced.every((outcome) => outcome === `${EACCES}`), traced.join());
      const flushed = await lab.behind({ rules: RULES, raw, argv: ['/usr/sbin/nft', 'flush', 'ruleset'] });
      assert.notEqual(flushed.code, 0);
    }
  });

  test('on a machine without any network the link itself shows that the rules hold', async () => {
    const { answered, silent } = EGRESS_PROBE;
    const places = [answered, silent].map(({ address, port }) => `tcp:${address}:${port}`);
    const outcomes = await attempt(places, false, egressRules(EGRESS_PROBE.reach));
    assert.deepEqual(outcomes, [`${ENETUNREACH}`, `${EINPROGRESS}`]);
  });

  test('nothing of the next program runs when a step fails', async () => {
    const mark = (name: string) => join(lab.directory, name);
    const faults: readonly [string, Partial<Parameters<EgressLab['behind']>[0]>, RegExp][] = [
      ['missing', { slirp: '/nonexistent/slirp4netns' }, /^fault egress 107\n$/],
      ['tun', { tunMode: '600' }, /^fault egress 107\n$/],
      ['rules', { rules: 'table inet egress { broken' }, /^fault egress 22\n$/],
      ['option', { slirp: 'relative' }, /^fault option 22\n$/],
    ];
    await lab.bare(['chmod', '777', lab.directory]);
    for (const [name, change, expected] of faults) {
      const argv = ['/usr/bin/touch', mark(name)];
      const end: ChainEnd = await lab.behind({ rules: RULES, argv, ...change });
      assert.equal(end.code, 125, name);
      assert.match(end.status, expected, name);
      assert.equal(existsSync(mark(name)), false, name);
    }
    await lab.behind({ rules: RULES, argv: ['/usr/bin/touch', mark('well')] });
    assert.equal(existsSync(mark('well')), true, 'the same program runs when every step succeeds');
  });

  test('nmap finds the same with and without layer 5, by sockets and by packets of its own', async () => {
    const ports = `-p${TCP.open},${TCP.closed},${TCP.filtered}`;
    const table = (out: string) => out.match(/^\d+\/tcp.*$/gm);
    for (const [raw, mode] of [
      [false, ['-sT', '--unprivileged']],
      [true, ['-sS', '--privileged']],
    ] as const) {
      const argv = ['/usr/bin/nmap', '-n', '-Pn', ...mode, ports, target];
      const found = table((await lab.behind({ rules: RULES, raw, argv })).out);
      assert.equal(found?.length, 3);
      assert.deepEqual(found, table(await lab.bare(argv)));
    }
  });

  test('masscan ends by itself on the quiet link and finds the open port', async () => {
    const { interface: name, adapterIp, routerMac } = EGRESS_LINK;
    const link = ['--interface', name, '--adapter-ip', adapterIp, '--router-mac', routerMac];
    const argv = ['/usr/bin/masscan', target, '-p', '80,81', '--rate', '100', '--wait', '3', ...link, '-oD', '-'];
    const { out, code } = await lab.behind({ rules: RULES, raw: true, argv });
    assert.equal(code, 0);
    assert.match(out, /"port":80,.*"status":"open"/);
    assert.doesNotMatch(out, /"port":81,.*"status":"open"/);
  });
});
