import type { ToolEstimate, ToolSpent } from '../../core/tool/definition.ts';

/**
 * Queries that one question can come to with dig 9.18: a server that asks for a cookie gets a second one, one that cuts
 * its answer the next by TCP. Three were brought about; one more is left for what was not tried.
 */
const MOST_QUERIES = 4;
const DURATION_MS = 50;

/** One question is one query; a server can make more of it, all in one second. */
export function estimateDig(): ToolEstimate {
  return { probes: 1, mostProbes: MOST_QUERIES, packetsPerSecond: MOST_QUERIES, durationMs: DURATION_MS };
}

/** Two queries where an answer by UDP was too long and was fetched again by TCP; nothing when no answer was read to its end. */
export function spentByDig(
  input: { readonly type: string; readonly transport: 'udp' | 'tcp' },
  result: { readonly server: { readonly transport: 'udp' | 'tcp' } | null },
  complete: boolean,
): ToolSpent {
  if (!complete || result.server === null) return {};
  const isAskedByUdp = input.transport === 'udp' && input.type !== 'AXFR';
  return { probes: isAskedByUdp && result.server.transport === 'tcp' ? 2 : 1 };
}
