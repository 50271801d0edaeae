import type { EngagementDocument } from '../../../schemas/engagement.ts';
import { formatPorts, mergePorts, parsePorts } from '../targets/ports.ts';
import type { PortRange } from '../targets/types.ts';

const FIRST = 1;
const LAST = 65_535;

/**
 * The ports of a checked document that may not be touched, as the target policy takes them: what is denied, and every
 * port beside what is allowed. `allow: []` denies all of them.
 */
export function deniedPorts(ports: EngagementDocument['ports']): readonly string[] {
  const denied = rangesOf(ports?.deny ?? []);
  const beside = ports?.allow === undefined ? [] : complementOf(rangesOf(ports.allow));
  return mergePorts([...denied, ...beside]).map((range) => formatPorts([range]));
}

/** The ports of checked texts as few ranges in rising order. */
export function rangesOf(texts: readonly string[]): readonly PortRange[] {
  return mergePorts(
    texts.flatMap((text) => {
      const read = parsePorts(text);
      return read.ok ? read.value : [];
    }),
  );
}

/** Every port from 1 to 65535 that is in none of the ranges. */
export function complementOf(ranges: readonly PortRange[]): readonly PortRange[] {
  const gaps: PortRange[] = [];
  let next = FIRST;
  for (const { from, to } of mergePorts(ranges)) {
    if (from > next) gaps.push({ from: next, to: from - 1 });
    next = Math.max(next, to + 1);
  }
  if (next <= LAST) gaps.push({ from: next, to: LAST });
  return gaps;
}
