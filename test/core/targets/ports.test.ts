import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  countPorts,
  denyPortFaults,
  findDeniedPorts,
  formatPorts,
  parsePorts,
} from '../../../src/core/targets/ports.ts';
import { TOP_100, TOP_1000 } from '../../../src/core/targets/top-ports.ts';
import type { PortRange } from '../../../src/core/targets/types.ts';

function ranges(text: string): readonly PortRange[] {
  const read = parsePorts(text);
  return read.ok ? read.value : assert.fail(read.fault);
}

function setOf(all: readonly PortRange[]): Set<number> {
  return new Set(all.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i)));
}

describe('a list of ports', () => {
  it('is merged without overlap and counted exactly', () => {
    assert.equal(formatPorts(ranges('443,80,8000-8010,8005-8020,81')), '80-81,443,8000-8020');
    assert.equal(countPorts(ranges('443,80,8000-8010,8005-8020,81,80')), 24);
    assert.equal(countPorts(ranges('all')), 65_535);
    assert.equal(countPorts(ranges('top100')), 100);
    assert.equal(countPorts(ranges('top1000')), 1000);
    assert.equal(countPorts(ranges('top100,top1000,1')), 1000);
    assert.equal(countPorts(ranges('top100,4')), 101);
  });

  for (const text of [
    '',
    '0',
    '00',
    '080',
    '65536',
    '99999',
    '-',
    '-80',
    '80-',
    '90-80',
    '80--90',
    '80-90-95',
    '1,',
    ',1',
    '1,,2',
    ' 80',
    '80 ',
    '80, 443',
    '8e1',
    '0x50',
    '+80',
    '-1',
    'T:80',
    'U:53',
    'http',
    'http*',
    '*',
    'top10',
    'TOP100',
    '８０',
    '80\n',
    '80;443',
    '1.5',
    'constructor',
    '1-65536',
    '0-10',
  ]) {
    it(`is refused when it says ${JSON.stringify(text)}`, () => {
      assert.equal(parsePorts(text).ok, false);
    });
  }

  it('has at most a hundred items', () => {
    assert.equal(parsePorts(Array.from({ length: 100 }, (_, i) => i + 1).join(',')).ok, true);
    assert.equal(parsePorts(Array.from({ length: 101 }, (_, i) => i + 1).join(',')).ok, false);
  });

  it('counts, writes and compares as a set of numbers does', () => {
    const list = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 300 }), fc.nat(20)).map(([from, more]) => ({ from, to: from + more })),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(list, list, (a, b) => {
        const [left, right] = [setOf(a), setOf(b)];
        assert.equal(countPorts(a), left.size);
        assert.deepEqual(
          [...setOf(ranges(formatPorts(a)))].sort((x, y) => x - y),
          [...left].sort((x, y) => x - y),
        );
        assert.equal(findDeniedPorts(a, b) !== undefined, !left.isDisjointFrom(right));
      }),
    );
  });
});

describe('the presets', () => {
  it('are different ports, the hundred within the thousand, with the well-known ones', () => {
    assert.equal(new Set(TOP_100).size, 100);
    assert.equal(new Set(TOP_1000).size, 1000);
    assert.ok(TOP_100.every((port) => TOP_1000.includes(port)));
    for (const port of [21, 22, 23, 25, 53, 80, 110, 139, 143, 443, 445, 3306, 3389, 5900, 8080])
      assert.ok(TOP_100.includes(port), String(port));
  });
});

describe('denied ports of the configuration', () => {
  it('report every bad entry', () => {
    assert.deepEqual(denyPortFaults(['502', '20000-20010']), []);
    assert.equal(denyPortFaults(['502', '0', 'x', '9-1']).length, 3);
  });
});
