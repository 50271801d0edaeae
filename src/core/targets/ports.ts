import { fault, type Parsed, parsed, quote } from './rules.ts';
import { TOP_100, TOP_1000 } from './top-ports.ts';
import type { PortRange } from './types.ts';

/** Most items that one list of ports may have. */
const MAX_ITEMS = 100;
const ITEM = /^([1-9]\d{0,4})(?:-([1-9]\d{0,4}))?$/;
const PRESETS: ReadonlyMap<string, () => readonly PortRange[]> = new Map([
  ['top100', () => TOP_100.map((port) => ({ from: port, to: port }))],
  ['top1000', () => TOP_1000.map((port) => ({ from: port, to: port }))],
  ['all', () => [{ from: 1, to: 65_535 }]],
]);

/**
 * Reads `80,443,8000-8010`, `top100`, `top1000`, `all` or a mixture: ports 1 to 65535, at most 100 items, merged and in
 * order. Refuses port 0, open ranges, leading zeros and spaces, which tools read differently.
 */
export function parsePorts(text: string): Parsed<readonly PortRange[]> {
  const items = text.split(',');
  if (items.length > MAX_ITEMS) return fault(`at most ${MAX_ITEMS} items are taken in a list of ports`);
  const ranges: PortRange[] = [];
  for (const item of items) {
    const preset = PRESETS.get(item);
    if (preset !== undefined) {
      ranges.push(...preset());
      continue;
    }
    const match = ITEM.exec(item);
    if (match === null) return fault(`${quote(item)} is not a port, a range like 8000-8010, top100, top1000 or all`);
    const from = Number(match[1]);
    const to = Number(match[2] ?? match[1]);
    if (to > 65_535 || from > to) return fault(`${quote(item)} is not within 1 to 65535 in rising order`);
    ranges.push({ from, to });
  }
  return parsed(mergePorts(ranges));
}

/** The same ports as few ranges in rising order without overlap. */
export function mergePorts(ranges: readonly PortRange[]): readonly PortRange[] {
  const merged: PortRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last === undefined || range.from > last.to + 1) merged.push({ from: range.from, to: range.to });
    else merged[merged.length - 1] = { from: last.from, to: Math.max(last.to, range.to) };
  }
  return merged;
}

/** Number of different ports. Exact; overlaps count once. */
export function countPorts(ranges: readonly PortRange[]): number {
  return mergePorts(ranges).reduce((sum, range) => sum + range.to - range.from + 1, 0);
}

/** The ports as text for an argv: `22,80,8000-8010`. */
export function formatPorts(ranges: readonly PortRange[]): string {
  return mergePorts(ranges)
    .map(({ from, to }) => (from === to ? String(from) : `${from}-${to}`))
    .join(',');
}

/** The first range of `denied` that shares a port with `ranges`. */
export function findDeniedPorts(ranges: readonly PortRange[], denied: readonly PortRange[]): PortRange | undefined {
  return denied.find((deny) => ranges.some((range) => range.from <= deny.to && deny.from <= range.to));
}

/** True for whole numbers 0 to 65535 in rising order. */
export function isPortRange({ from, to }: PortRange): boolean {
  return Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from <= to && to <= 65_535;
}

/** Every fault of configured denied ports, one sentence each. */
export function denyPortFaults(entries: readonly string[]): readonly string[] {
  return entries.flatMap((entry, index) => {
    const read = parsePorts(entry);
    return read.ok ? [] : [`denyPorts[${index}]: ${read.fault}`];
  });
}
