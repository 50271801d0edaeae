import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, constantFrom, ipV4, ipV6, oneof, property, string, tuple } from 'fast-check';
import {
  EGRESS_LINK,
  EGRESS_MAX,
  EGRESS_PROBE,
  egressArgv,
  egressFor,
  egressRules,
  mayEcho,
} from '../../../src/core/execution/egress.ts';
import type { Endpoint, Reach } from '../../../src/core/execution/types.ts';

const ECHO = { echo: true };
const WEB: Endpoint = { network: '10.77.0.10', protocol: 'tcp', ports: [{ from: 80, to: 80 }] };

/** The lines that let something of the tool out; the same in both tables. */
function permitted(reach: Reach): readonly string[] {
  const lines = egressRules(reach)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('ip daddr') && line.endsWith('accept'));
  const half = lines.length / 2;
  assert.deepEqual(lines.slice(0, half), lines.slice(half), 'sockets and frames have the same rules');
  return lines.slice(0, half);
}

function reasonOf(endpoint: Endpoint, host = ECHO): string | undefined {
  const decision = egressFor({ reach: { endpoints: [WEB, endpoint] } }, host);
  return decision.applies ? undefined : decision.reason;
}

test('an endpoint becomes one rule with its address, its protocol and its ports', () => {
  assert.deepEqual(permitted({ endpoints: [WEB] }), ['ip daddr { 10.77.0.10 } tcp dport { 80 } accept']);
  assert.deepEqual(permitted({ endpoints: [{ network: '10.77.0.10', protocol: 'icmp' }] }), [
    'ip daddr { 10.77.0.10 } icmp type echo-request accept',
  ]);
  assert.deepEqual(permitted({ endpoints: [{ network: '10.77.0.0/16', protocol: 'udp' }] }), [
    'ip daddr { 10.77.0.0-10.77.255.255 } meta l4proto udp accept',
  ]);
});

test('endpoints that overlap or touch are merged, because nft refuses a set that overlaps', () => {
  const ports = [
    { from: 90, to: 100 },
    { from: 1, to: 20 },
    { from: 21, to: 30 },
    { from: 95, to: 95 },
    { from: 443, to: 443 },
  ];
  const networks = ['10.0.1.0/24', '10.0.0.0/16', '10.0.0.7', '10.1.0.0', '10.9.0.1'];
  const endpoints = networks.map((network): Endpoint => ({ network, protocol: 'tcp', ports }));
  assert.deepEqual(permitted({ endpoints }), [
    'ip daddr { 10.0.0.0-10.1.0.0, 10.9.0.1 } tcp dport { 1-30, 90-100, 443 } accept',
  ]);
});

test('endpoints with different ports are never mixed', () => {
  const ssh: Endpoint = { network: '10.77.0.11', protocol: 'tcp', ports: [{ from: 22, to: 22 }] };
  assert.deepEqual(permitted({ endpoints: [WEB, ssh] }), [
    'ip daddr { 10.77.0.10 } tcp dport { 80 } accept',
    'ip daddr { 10.77.0.11 } tcp dport { 22 } accept',
  ]);
});

test('a run that may reach nobody has rules that let nothing of it out', () => {
  assert.deepEqual(permitted({ endpoints: [] }), []);
  assert.equal(egressRules({ endpoints: [] }).match(/policy drop/g)?.length, 2);
});

test('a whole network on every port stays one short rule', () => {
  const all = [{ from: 0, to: 65_535 }];
  assert.ok(egressRules({ endpoints: [{ network: '10.0.0.0/8', protocol: 'tcp', ports: all }] }).length < 2048);
});

test('what is not a canonical block, a known protocol and a range of ports is refused, never repaired', () => {
  const bad: readonly unknown[] = [
    { network: '10.0.0.1/16', protocol: 'tcp' },
    { network: '010.0.0.1', protocol: 'tcp' },
    { network: '10.0.0.1 } accept; ip daddr { 0.0.0.0/0', protocol: 'tcp' },
    { network: '10.0.0.1\n', protocol: 'tcp' },
    { network: 'example.test', protocol: 'tcp' },
    { network: '', protocol: 'tcp' },
    { network: '::ffff:10.0.0.1', protocol: 'tcp' },
    { network: '10.0.0.1', protocol: 'tcp accept' },
    { network: '10.0.0.1', protocol: 'sctp' },
    { network: '10.0.0.1', protocol: 'icmp', ports: [{ from: 1, to: 1 }] },
    ...[
      [],
      [{ from: 2, to: 1 }],
      [{ from: -1, to: 1 }],
      [{ from: 1, to: 65_536 }],
      [{ from: 1.5, to: 2 }],
      [{ from: Number.NaN, to: 2 }],
      [{ from: '1', to: 2 }],
      [{ from: 1, to: '2 } accept' }],
    ].map((ports) => ({ network: '10.0.0.1', protocol: 'tcp', ports })),
  ];
  for (const endpoint of bad) {
    const reach = { endpoints: [endpoint as Endpoint] };
    assert.throws(() => egressRules(reach), /^Error: endpoint: /, JSON.stringify(endpoint));
    assert.throws(() => egressFor({ reach }, ECHO), /^Error: endpoint: /, JSON.stringify(endpoint));
  }
});

test('no text of an endpoint is ever found in the rules unless it is an address', () => {
  const text = oneof(
    string(),
    ipV4(),
    ipV6(),
    tuple(ipV4(), string()).map(([a, b]) => a + b),
  );
  const protocols = oneof(string(), constantFrom('tcp', 'udp', 'icmp'));
  check(
    property(text, protocols, (network, protocol) => {
      const reach = { endpoints: [{ network, protocol: protocol as 'tcp' }, WEB] };
      let rules: string;
      try {
        rules = egressRules(reach);
      } catch {
        return;
      }
      assert.match(rules, /^[\w\s{}.;,/:&"=-]*$/);
      assert.match(network, /^[\d./]+$/);
      assert.match(protocol, /^(tcp|udp|icmp)$/);
    }),
    { numRuns: 500 },
  );
});

test('this machine, what is not a host, and IPv6 cannot stand in the rules, nor inside a larger block', () => {
  const networks = [
    '127.0.0.1',
    '127.9.0.0/16',
    '0.0.0.0',
    '0.0.0.0/0',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    'fd77::1',
  ];
  for (const network of networks) {
    assert.throws(() => egressRules({ endpoints: [{ network, protocol: 'tcp' }] }), /^Error: endpoint: /, network);
    assert.notEqual(reasonOf({ network, protocol: 'tcp' }), undefined, network);
  }
});

test('layer 5 says why it does not apply', () => {
  const tcp = (network: string): Endpoint => ({ network, protocol: 'tcp' });
  assert.equal(reasonOf(tcp('10.77.0.11')), undefined);
  assert.match(reasonOf(tcp('fd77::10')) ?? '', /IPv6/);
  assert.match(reasonOf(tcp('127.0.0.2')) ?? '', /this machine/);
  assert.match(reasonOf(tcp('192.0.2.77')) ?? '', /link itself/);
  assert.match(reasonOf(tcp('192.0.0.0/16')) ?? '', /link itself/);
  assert.equal(reasonOf({ network: '10.77.0.10', protocol: 'icmp' }), undefined);
  assert.match(reasonOf({ network: '10.77.0.10', protocol: 'icmp' }, { echo: false }) ?? '', /echo/);
  const own = egressFor({ reach: { endpoints: [WEB], ownNetwork: true } }, ECHO);
  assert.ok(!own.applies && /the machine itself/.test(own.reason));
});

test('an allow-list that is too long for one load is not begun', () => {
  const applies = (endpoints: readonly Endpoint[]): boolean => egressFor({ reach: { endpoints } }, ECHO).applies;
  const ports = (count: number) => Array.from({ length: count }, (_, index) => ({ from: 2 * index, to: 2 * index }));
  const sets = (count: number) => ports(count).map((range): Endpoint => ({ ...WEB, ports: [range] }));
  const { endpoints, portSets, portIntervals } = EGRESS_MAX;
  assert.equal(applies(Array.from({ length: endpoints }, () => WEB)), true);
  assert.equal(applies(Array.from({ length: endpoints + 1 }, () => WEB)), false);
  assert.equal(applies(sets(portSets)), true);
  assert.equal(applies(sets(portSets + 1)), false);
  assert.equal(applies([{ ...WEB, ports: ports(portIntervals) }]), true);
  assert.equal(applies([{ ...WEB, ports: ports(portIntervals + 1) }]), false);
});

test('the rules of a decision are the rules of its reach', () => {
  const decision = egressFor({ reach: { endpoints: [WEB] } }, ECHO);
  assert.ok(decision.applies);
  assert.equal(decision.rules, egressRules({ endpoints: [WEB] }));
});

test('the probe asks the link itself, which no run may do', () => {
  assert.ok(permitted(EGRESS_PROBE.reach)[0]?.startsWith('ip daddr { 192.0.2.2 } tcp dport { 9 }'));
  assert.equal(egressFor({ reach: EGRESS_PROBE.reach }, ECHO).applies, false);
});

test('the router of the link is the one that libslirp makes of its address', () => {
  const hex = EGRESS_PROBE.answered.address.split('.').map((octet) => Number(octet).toString(16).padStart(2, '0'));
  assert.equal(EGRESS_LINK.routerMac, ['52', '55', ...hex].join(':'));
});

test('the chain names absolute programs and asks for raw packets only when told to', () => {
  const programs = { egress: '/p/egress', slirp: '/p/slirp4netns', nft: '/p/nft' };
  const plain = ['/p/egress', 'slirp=/p/slirp4netns', 'nft=/p/nft', 'rules=/r/file'];
  assert.deepEqual(egressArgv(programs, '/r/file', false), [...plain, '--']);
  assert.deepEqual(egressArgv(programs, '/r/file', true), [...plain, 'raw=1', '--']);
});

test('echo requests are for the groups in the range of the kernel, and for nobody when it is empty or unreadable', () => {
  assert.equal(mayEcho('0\t2147483647\n', 1000), true);
  assert.equal(mayEcho('100\t200\n', 200), true);
  assert.equal(mayEcho('100\t200\n', 201), false);
  for (const text of ['1\t0\n', '', 'all', '1', '-1\t5']) assert.equal(mayEcho(text, 0), false, text);
});
