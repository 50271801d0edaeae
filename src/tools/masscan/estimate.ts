import type { PinnedTargets } from '../../core/targets/types.ts';
import type { RunFacts, ToolEstimate, ToolSpent } from '../../core/tool/definition.ts';
import type { MasscanResult } from './parse.ts';

/** Looking for the interface, `--wait 3` counted in whole seconds, and the end of its threads. */
const FIXED_MS = 4200;
/** masscan 1.3.2 answers each answer with a reset, and both count against `--rate`. */
const PACKETS_PER_ANSWERED_PROBE = 2;
/** It writes how far it is four times a second; so much may have left since the last line. */
const UNREPORTED_S = 2;

interface Rated {
  readonly rate: number;
}

/** Addresses × ports and never more (masscan repeats nothing unasked), at exactly the rate of the argv, resets included. */
export function estimateMasscan({ rate }: Rated, pinned: PinnedTargets): ToolEstimate {
  const probes = Number(pinned.size.probes);
  const packets = PACKETS_PER_ANSWERED_PROBE * probes;
  return { probes, packetsPerSecond: rate, durationMs: Math.ceil(FIXED_MS + (packets * 1000) / rate) };
}

/** All probes of a whole scan; of one that was cut short at most what it can have sent. */
export function spentByMasscan({ input, pinned, result, complete }: RunFacts<Rated, MasscanResult>): ToolSpent {
  const all = Number(pinned.size.probes);
  const { percentSent } = result.stats;
  if (complete || percentSent === 100) return { probes: all };
  // Without a line of its progress nobody knows how far it came.
  if (percentSent === 0) return {};
  return { probes: Math.min(all, Math.ceil((all * percentSent) / 100) + UNREPORTED_S * input.rate) };
}
