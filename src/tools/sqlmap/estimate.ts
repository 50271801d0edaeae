import type { RunFacts, ToolContext, ToolEstimate, ToolSpent } from '../../core/tool/definition.ts';
import type { PinnedTargets } from '../../core/targets/types.ts';
import type { SqlmapAction, SqlmapInput } from './input.ts';
import type { SqlmapResult } from './result.ts';

/** Requests of one technique with the payloads of level 1 and level 2, measured with sqlmap 1.7.2. */
const TESTS: Readonly<Record<string, readonly [level1: number, level2: number]>> = {
  B: [12, 68],
  E: [17, 117],
  U: [10, 45],
  S: [36, 70],
  T: [45, 98],
};
/** Is the page there, is it the same twice, what do its errors look like. */
const CHECKS = 8;
/** What an action adds on a small database. Where only blind techniques work each character is seven requests. */
const READING: Readonly<Record<SqlmapAction, number>> = {
  detect: 0,
  banner: 10,
  currentUser: 10,
  currentDb: 10,
  dbs: 10,
  tables: 20,
  columns: 40,
};

const START_MS = 1000;
const REQUEST_MS = 5;
/** `--threads=1`: one request after the other; 300 a second were seen beside the target. */
const MOST_PER_SECOND = 500;

/** `--retries=1`: a request whose connection breaks is sent again. */
const TRIES = 2;

/**
 * By level, techniques and action. How much there is to read is the database's, and a page that answers each test
 * differently draws out ever more of them: only the time of the run bounds that.
 */
export function estimateSqlmap(input: SqlmapInput, _pinned: PinnedTargets, { timeoutMs }: ToolContext): ToolEstimate {
  const probes = testsOf(input) + READING[input.action];
  return {
    probes,
    mostProbes: Math.max(probes * TRIES, MOST_PER_SECOND * Math.ceil(timeoutMs / 1000)),
    packetsPerSecond: MOST_PER_SECOND,
    durationMs: START_MS + probes * REQUEST_MS,
  };
}

/** Every test, each sent twice, where none of them hit: then nothing was read. Left out where one did. */
export function spentBySqlmap({ input, result, complete }: RunFacts<SqlmapInput, SqlmapResult>): ToolSpent {
  return complete && result.injectable === false ? { probes: testsOf(input) * TRIES } : {};
}

function testsOf({ level, technique }: SqlmapInput): number {
  return technique.split('').reduce((sum, letter) => sum + (TESTS[letter]?.[level === 1 ? 0 : 1] ?? 0), CHECKS);
}
