import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { MORE_PAYLOADS, MOST_PAYLOADS, NAMED_PROBES, VERSION_PROBES } from '../../src/tools/nmap/most-probes.ts';

const DIRECTORY = '/usr/share/nmap';
const read = (name: string) => readFile(`${DIRECTORY}/${name}`, 'latin1').catch(() => undefined);
const [services, payloads, tls] = await Promise.all(
  ['nmap-service-probes', 'nmap-payloads', 'nselib/tls.lua'].map(read),
);
const skip = services === undefined ? 'nmap is not installed' : false;

/** One probe of version detection. */
interface Probe {
  readonly rarity: number;
  readonly ports: readonly number[];
}

/** A list as nmap writes it: `80,443,8000-8010`. */
function numbersOf(list: string): readonly number[] {
  return list
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [from = 0, to = from] = part.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_, index) => from + index);
    });
}

function tcpProbes(text: string): readonly Probe[] {
  const blocks = text.split(/^Probe /m).slice(1);
  return blocks
    .filter((block) => block.startsWith('TCP '))
    .map((block) => ({
      // The one that says nothing has none and is always sent.
      rarity: Number(/^rarity (\d)/m.exec(block)?.[1] ?? 0),
      ports: [...block.matchAll(/^(?:ssl)?ports ([\d,-]+)/gm)].flatMap(([, list = '']) => numbersOf(list)),
    }));
}

function timesOf(numbers: readonly number[]): readonly number[] {
  const times = new Map<number, number>();
  for (const number of numbers) times.set(number, (times.get(number) ?? 0) + 1);
  return [...times.values()];
}

describe('the most that nmap sends to one port', { skip }, () => {
  it('is no less than the installed program has to send for versions', () => {
    const probes = tcpProbes(services ?? '');
    assert.ok(probes.length > 50, 'nmap-service-probes was not read');
    for (const [intensity, most] of VERSION_PROBES.entries()) {
      assert.ok(probes.filter(({ rarity }) => rarity <= intensity).length <= most, `intensity ${intensity}`);
      const named = probes.filter(({ rarity }) => rarity > intensity).flatMap(({ ports }) => [...new Set(ports)]);
      assert.ok(Math.max(0, ...timesOf(named)) <= NAMED_PROBES, `named, intensity ${intensity}`);
    }
  });

  it('is no less than the payloads that the installed program has for a UDP port', () => {
    const lists = [...(payloads ?? '').matchAll(/^udp ([\d,-]+)/gm)].flatMap(([, list = '']) => numbersOf(list));
    const times = timesOf(lists);
    assert.ok(times.length > 1000, 'nmap-payloads was not read');
    assert.ok(Math.max(...times) <= MOST_PAYLOADS);
    assert.ok(times.reduce((sum, each) => sum + each - 1, 0) <= MORE_PAYLOADS);
  });

  it('is counted with all ciphers that its library can offer', () => {
    const ciphers = [...(tls ?? '').matchAll(/^\["(?:TLS|SSL)_[A-Za-z0-9_]+"\] *= *0x/gm)].length;
    assert.ok(ciphers > 300 && ciphers <= 403, `${ciphers} ciphers`);
  });
});
