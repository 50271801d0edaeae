import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { reachOf } from '../../../src/core/execution/reach.ts';
import type { TargetClaim } from '../../../src/core/targets/types.ts';
import { SallyportError } from '../../../src/core/errors.ts';
import { prepare, registeredTools } from '../../tools/under-test.ts';
import { policyUnderTest } from '../targets/policy-under-test.ts';

const LIMITS = { maxAddresses: 1024, maxPorts: 65_535 };
const WEB = [{ from: 80, to: 80 }];
const pin = (claims: readonly TargetClaim[], names: Readonly<Record<string, string[]>> = {}) =>
  policyUnderTest({}, names).policy.pin(claims, LIMITS);
const host = (value: string, ports: TargetClaim['ports'] = WEB): TargetClaim => ({
  role: 'host',
  kind: 'host-or-network',
  value,
  ports,
});
/** The reach of one call of a tool, as the plan asks for it. */
async function reachOfCall(name: string, input: Record<string, unknown>, raw = false) {
  const tool = (await registeredTools()).find(({ definition }) => definition.name === name);
  assert.ok(tool);
  const { definition } = tool;
  const call = await prepare(tool, input, { raw });
  return (
    definition.reach?.(call.input, call.pinned, call.context) ?? reachOf(definition.targets(call.input), call.pinned)
  );
}

describe('whom a call may reach', () => {
  it('is every pinned address, by TCP and UDP, at the ports of its own claim', async () => {
    const claims = [host('web.lab.internal'), host('10.77.0.16/30', [{ from: 1, to: 9 }])];
    const pinned = await pin(claims, { 'web.lab.internal': ['10.77.0.10', '10.77.0.11'] });
    assert.deepEqual(reachOf(claims, pinned), {
      endpoints: [
        { network: '10.77.0.10', protocol: 'tcp', ports: WEB },
        { network: '10.77.0.10', protocol: 'udp', ports: WEB },
        { network: '10.77.0.11', protocol: 'tcp', ports: WEB },
        { network: '10.77.0.11', protocol: 'udp', ports: WEB },
        { network: '10.77.0.16/30', protocol: 'tcp', ports: [{ from: 1, to: 9 }] },
        { network: '10.77.0.16/30', protocol: 'udp', ports: [{ from: 1, to: 9 }] },
      ],
    });
  });

  it('is nothing for a claim without ports, but ICMP where that is asked for', async () => {
    const claims = [host('10.77.0.10', [])];
    const pinned = await pin(claims);
    assert.deepEqual(reachOf(claims, pinned).endpoints, []);
    assert.deepEqual(reachOf(claims, pinned, ['tcp', 'icmp']).endpoints, [{ network: '10.77.0.10', protocol: 'icmp' }]);
  });

  it('is refused when the claims are not those that were pinned', async () => {
    const pinned = await pin([host('10.77.0.10'), host('10.77.0.11', [])]);
    for (const claims of [[host('10.77.0.10')], [host('10.77.0.11'), host('10.77.0.10')]]) {
      assert.throws(
        () => reachOf(claims, pinned),
        (error) => error instanceof SallyportError && error.code === 'ERR_INTERNAL',
      );
    }
  });
});

describe('whom the tools may reach', () => {
  it('dig asks its server alone, by both protocols', async () => {
    const { endpoints } = await reachOfCall('dig', { name: 'web.lab.internal', server: '10.77.0.10:5353' });
    const ports = [{ from: 5353, to: 5353 }];
    assert.deepEqual(endpoints, [
      { network: '10.77.0.10', protocol: 'tcp', ports },
      { network: '10.77.0.10', protocol: 'udp', ports },
    ]);
  });

  it('gobuster reaches the port of its URL, or its DNS server and nothing of the zone', async () => {
    const url = { scheme: 'https', host: '10.77.0.10' };
    const dir = await reachOfCall('gobuster', { mode: 'dir', url, wordlist: 'a/b.txt' });
    assert.deepEqual([...new Set(dir.endpoints.map(({ network }) => network))], ['10.77.0.10']);
    assert.deepEqual(dir.endpoints[0]?.ports, [{ from: 443, to: 443 }]);
    const zone = { mode: 'dns', domain: 'lab.internal', resolver: '10.77.0.11', wordlist: 'a/b.txt' };
    const { endpoints } = await reachOfCall('gobuster', zone);
    assert.deepEqual([...new Set(endpoints.map(({ network }) => network))], ['10.77.0.11']);
    assert.deepEqual(endpoints[0]?.ports, [{ from: 53, to: 53 }]);
  });

  it('hydra and sqlmap reach one port of one host', async () => {
    const login = { host: '10.77.0.10', service: 'ssh', users: ['a'], passwords: ['b'] };
    const page = { url: { scheme: 'http', host: '10.77.0.10', port: 8081, path: '/?id=1' }, param: 'id' };
    for (const [tool, input, port] of [['hydra', login, 22] as const, ['sqlmap', page, 8081] as const]) {
      const { endpoints, ownNetwork } = await reachOfCall(tool, input);
      for (const { network, ports } of endpoints) {
        assert.deepEqual([network, ports], ['10.77.0.10', [{ from: port, to: port }]]);
      }
      assert.deepEqual([endpoints.length, ownNetwork], [2, undefined]);
    }
  });

  it('masscan sends TCP to its networks', async () => {
    const { endpoints } = await reachOfCall('masscan', { cidrs: ['10.77.0.0/28'], ports: '80' }, true);
    assert.deepEqual(endpoints, [{ network: '10.77.0.0/28', protocol: 'tcp', ports: WEB }]);
  });

  it('a ping scan of nmap has ports 80 and 443, and ICMP only with raw packets', async () => {
    const input = { targets: ['10.77.0.0/28'], scan: 'ping' };
    const connecting = await reachOfCall('nmap', input);
    assert.deepEqual(
      connecting.endpoints.map(({ protocol }) => protocol),
      ['tcp', 'udp'],
    );
    assert.deepEqual(
      connecting.endpoints[0]?.ports,
      [80, 443].map((port) => ({ from: port, to: port })),
    );
    const raw = await reachOfCall('nmap', input, true);
    assert.deepEqual(
      raw.endpoints.map(({ protocol }) => protocol),
      ['tcp', 'icmp'],
    );
  });

  it('OS detection needs every port of its targets, ICMP and the machine’s own network, and only with raw packets', async () => {
    const input = { targets: ['10.77.0.10'], ports: '80', os: true };
    const reach = await reachOfCall('nmap', input, true);
    const endpoints = ['tcp', 'udp', 'icmp'].map((protocol) => ({ network: '10.77.0.10', protocol }));
    assert.deepEqual(reach, { endpoints, ownNetwork: true });
    const without = await reachOfCall('nmap', input);
    assert.deepEqual([without.ownNetwork, without.endpoints[0]?.ports], [undefined, WEB]);
  });
});
