import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { type FindingPlace, isCovered } from '../../../src/core/findings/coverage.ts';
import type { Area, Coverage } from '../../../src/core/findings/types.ts';
import { cidr, contains, formatAddress, formatCidr, widthOf } from '../../../src/core/targets/address.ts';
import { fuzz } from '../../fixtures/fuzz.ts';
import { portsOf } from './samples.ts';

const port = (patch: Partial<FindingPlace> = {}): FindingPlace => ({
  kind: 'port',
  target: '10.77.0.10',
  port: 80,
  protocol: 'tcp',
  ...patch,
});
const areas = (...list: Area[]): Coverage => ({ areas: list, missing: [] });
const holds = (by: Coverage | undefined, finding: FindingPlace, of?: Coverage): boolean =>
  isCovered(finding, by, of).covered;
const whyNot = (by: Coverage | undefined, finding: FindingPlace, of?: Coverage): string => {
  const answer = isCovered(finding, by, of);
  return answer.covered ? 'covered' : answer.why;
};

describe('what a run looked at', () => {
  it('holds a port in its network and range, both ends included', () => {
    const by = portsOf('10.77.0.0/24', 80, 90);
    for (const number of [80, 85, 90]) assert.ok(holds(by, port({ port: number })), String(number));
    for (const number of [79, 91, 0, 65_535]) assert.ok(!holds(by, port({ port: number })), String(number));
  });

  it('holds what is about a whole host only where it looked at the host itself', () => {
    const script = { kind: 'script', target: '10.77.0.10' } as const;
    const area = { kinds: ['script'], network: '10.77.0.10', method: 'm' } as const;
    const of = areas({ ...area, ports: [] });
    assert.ok(holds(of, script, of));
    assert.ok(!holds(areas({ ...area, ports: [{ from: 1, to: 65_535 }] }), script, of));
    assert.ok(!holds(of, { ...script, port: 80, protocol: 'tcp' }, of));
  });

  it('holds the first and the last address of a block and no other', () => {
    const by = portsOf('10.77.0.16/28');
    for (const target of ['10.77.0.16', '10.77.0.31']) assert.ok(holds(by, port({ target })), target);
    for (const target of ['10.77.0.15', '10.77.0.32', '10.77.1.16']) assert.ok(!holds(by, port({ target })), target);
    assert.ok(holds(portsOf('0.0.0.0/0'), port({ target: '255.255.255.255' })));
  });

  it('holds a finding about a network only when it holds the whole network', () => {
    const by = portsOf('10.77.0.0/24');
    for (const target of ['10.77.0.0/24', '10.77.0.128/25']) assert.ok(holds(by, port({ target })), target);
    for (const target of ['10.77.0.0/23', '10.77.0.0/16', '0.0.0.0/0']) assert.ok(!holds(by, port({ target })), target);
  });

  it('holds IPv6 as it holds IPv4, in every spelling', () => {
    const by = portsOf('fd00:77::/64');
    for (const target of ['fd00:77::1', 'FD00:77:0:0::1', 'fd00:77::ffff:ffff:ffff:ffff']) {
      assert.ok(holds(by, port({ target })), target);
    }
    for (const target of ['fd00:77:0:1::', 'fd00:76:ffff:ffff::1', '10.77.0.10'])
      assert.ok(!holds(by, port({ target })), target);
    assert.ok(!holds(portsOf('::/0'), port()), 'an IPv4 address is in no IPv6 block');
    assert.ok(holds(portsOf('10.77.0.10'), port({ target: '::ffff:10.77.0.10' })), 'mapped is the same endpoint');
  });

  it('goes by the address of a finding, not by the name that led to it', () => {
    const by = portsOf('10.77.0.0/24');
    assert.ok(holds(by, port({ target: 'web.lab.internal', address: '10.77.0.10' })));
    assert.ok(!holds(by, port({ target: '10.77.0.10', address: '10.99.0.10' })), 'the name moved elsewhere');
    assert.ok(!holds(by, port({ target: 'web.lab.internal' })), 'a name is in no network');
  });

  it('does not hold another protocol or kind, nor a finding that does not name its port', () => {
    const by = portsOf('10.77.0.10');
    assert.ok(!holds(by, port({ protocol: 'udp' })));
    assert.ok(!holds(by, port({ protocol: undefined })));
    assert.ok(!holds(by, port({ port: undefined })));
    assert.ok(!holds(by, port({ kind: 'script' })));
    assert.ok(holds(by, port({ kind: 'service' })));
  });

  it('holds by subject what has no address', () => {
    const by = areas({ kinds: ['path'], subject: 'http://web.lab.internal/' });
    assert.ok(holds(by, { kind: 'path', target: 'http://web.lab.internal/', port: 80 }));
    assert.ok(holds(by, { kind: 'path', target: 'HTTP://WEB.lab.internal:80' }));
    assert.ok(!holds(by, { kind: 'path', target: 'http://web.lab.internal/app/' }));
    assert.ok(!holds(by, { kind: 'path', target: 'http://other.lab.internal/', address: '10.77.0.10' }));
  });

  it('wants both where an area names a network and a subject', () => {
    const by = areas({ kinds: ['path'], network: '10.77.0.10', subject: 'http://web.lab/' });
    const path = (target: string, address: string): FindingPlace => ({ kind: 'path', target, address });
    assert.ok(holds(by, path('http://web.lab/', '10.77.0.10')));
    assert.ok(!holds(by, path('http://api.lab/', '10.77.0.10')));
    assert.ok(!holds(by, path('http://web.lab/', '10.77.0.11')));
  });

  it('does not join two halves: one area must hold the finding as a whole', () => {
    const by = areas(
      { kinds: ['port'], network: '10.77.0.10', protocol: 'tcp', ports: [{ from: 1, to: 79 }] },
      { kinds: ['port'], network: '10.77.0.11', protocol: 'tcp' },
      { kinds: ['host'], network: '10.77.0.10' },
    );
    assert.ok(!holds(by, port()));
  });
});

describe('a method', () => {
  const words = (method: string | undefined, subject = 'http://web.lab/'): Coverage =>
    areas({ kinds: ['path'], subject, ...(method === undefined ? {} : { method }) });
  const path: FindingPlace = { kind: 'path', target: 'http://web.lab/' };

  it('counts only when the run that saw the finding had tried the same there', () => {
    assert.ok(holds(words('small.txt'), path, words('small.txt')));
    assert.ok(!holds(words('small.txt'), path, words('big.txt')));
    assert.ok(!holds(words('small.txt'), path, words('small.txt', 'http://other.lab/')));
    assert.ok(!holds(words('small.txt'), path, areas()));
    assert.ok(!holds(words('small.txt'), path));
  });

  it('is not needed by a run that looked at everything', () => {
    assert.ok(holds(words(undefined), path, words('big.txt')));
    assert.ok(holds(words(undefined), path));
    assert.ok(!holds(words('small.txt'), path, words(undefined)));
  });

  it('is named when it differs', () => {
    assert.match(whyNot(words('small.txt'), path, words('big.txt')), /small\.txt.*big\.txt/);
  });
});

describe('what cannot be read holds nothing', () => {
  it('an unknown or empty coverage', () => {
    assert.ok(!holds(undefined, port()));
    assert.ok(!holds(areas(), port()));
  });

  it('an area without a place, with a malformed network, or with host bits', () => {
    for (const network of [
      '',
      '*',
      '10.77.0',
      '10.77.0.10/24',
      '10.77.0.0/33',
      'web.lab',
      '010.77.0.10',
      '10.77.0.10 ',
    ]) {
      assert.ok(!holds(areas({ kinds: ['port'], network }), port()), network);
    }
    assert.ok(!holds(areas({ kinds: ['port'] }), port()));
  });

  it('a finding whose address is none', () => {
    for (const address of ['', 'x', '10.77.0.256', 'constructor', 'fe80::1%eth0']) {
      assert.ok(!holds(portsOf('0.0.0.0/0'), port({ address })), address);
    }
  });
});

describe('the reason', () => {
  it('names what was left out', () => {
    const by = portsOf('10.77.0.0/24', 1, 1000);
    const cases: readonly (readonly [string, RegExp])[] = [
      [whyNot(undefined, port()), /not known/],
      [whyNot(areas(), port()), /nothing/],
      [whyNot(by, port({ kind: 'tls' })), /kind tls/],
      [whyNot(by, port({ target: '10.99.0.1' })), /10\.99\.0\.1/],
      [whyNot(by, port({ port: 8080 })), /tcp 8080.*10\.77\.0\.10/],
      [whyNot(by, port({ protocol: 'udp', port: 53 })), /udp 53/],
    ];
    for (const [why, expected] of cases) assert.match(why, expected);
  });

  it('is one short line of visible characters whatever the finding is called', () => {
    const why = whyNot(portsOf('10.77.0.10'), port({ target: `\u202e\n# Ignore${'x'.repeat(100_000)}` }));
    assert.match(why, /^[ -~…]+$/);
    assert.ok(why.length < 400);
  });
});

it('an address is held exactly when the block contains it', async (t) => {
  const family = fc.constantFrom<4 | 6>(4, 6);
  const places = family.chain((kind) =>
    fc.record({
      family: fc.constant(kind),
      bits: fc.bigInt({ min: 0n, max: (1n << BigInt(widthOf(kind))) - 1n }),
      prefix: fc.integer({ min: 0, max: widthOf(kind) }),
      flip: fc.integer({ min: 0, max: widthOf(kind) - 1 }),
    }),
  );
  await fuzz(
    t,
    fc.property(places, ({ family: kind, bits, prefix, flip }) => {
      const shift = BigInt(widthOf(kind) - prefix);
      const network = formatCidr({ family: kind, bits: (bits >> shift) << shift, prefix });
      // One bit beside the block or within it: both sides of every edge.
      const target = formatAddress({ family: kind, bits: bits ^ (1n << BigInt(flip)), prefix: widthOf(kind) });
      // An IPv4-mapped block is refused by spelling, so it holds nothing.
      if (network.startsWith('::ffff:')) return;
      assert.equal(holds(portsOf(network), port({ target })), contains(cidr(network), cidr(target)));
    }),
  );
});

it('many areas answer many questions without reading each other', () => {
  const list = Array.from(
    { length: 20_000 },
    (_, at): Area => ({
      kinds: ['port'],
      network: `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`,
      get ports() {
        asked += 1;
        return [{ from: 80, to: 80 }];
      },
    }),
  );
  let asked = 0;
  const by = areas(...list);
  for (let at = 0; at < 1000; at += 1) assert.ok(holds(by, port({ target: `10.0.1.${at & 255}` })));
  // Each question looks at the area of its own address: 1,000 times 20,000 would be seconds of a stalled loop.
  assert.ok(asked <= 3000, `${asked} areas were looked at`);
});
