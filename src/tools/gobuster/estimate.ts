import type { ToolEstimate, ToolSpent } from '../../core/tool/definition.ts';

/** What of a call decides what it takes. */
export interface GobusterLoad {
  readonly mode: 'dir' | 'dns';
  readonly threads: number;
  /** Pause of each thread after each word, 0 for none. */
  readonly delayMs: number;
  readonly extensions?: readonly string[];
  /** Lines of the word list. Empty ones and comments are not sent, but counted. */
  readonly words: number;
}

interface ModeFacts {
  /** Asked before the first word: the page itself and one that cannot be there, or the domain and a name below it. */
  readonly checks: number;
  /** Of one word, or of a word with one extension. */
  readonly expected: number;
  /** dns: the Go resolver asks for A and AAAA, each up to four times when it gets SERVFAIL, each again by TCP when cut. */
  readonly most: number;
  /** dir: Go sends a request again when a connection that was used before breaks, once for each such connection. */
  readonly mostInAll: number;
}

const MODES: Readonly<Record<GobusterLoad['mode'], ModeFacts>> = {
  dir: { checks: 2, expected: 1, most: 1, mostInAll: 2 },
  dns: { checks: 4, expected: 2, most: 16, mostInAll: 16 },
};

const START_MS = 20;
/** Measured beside the target: a request of one thread, and one of all threads together. */
const TURN_MS = 0.12;
const SHARED_TURN_MS = 0.03;
/** Without a pause a thread waits for its answer alone: no round trip was measured below 0.1 ms. */
const MOST_TURNS_PER_SECOND = 10_000;

/** Words × (1 + extensions) and the checks before them; the rate is what the pauses of the threads leave. */
export function estimateGobuster(load: GobusterLoad): ToolEstimate {
  const { mode, threads, delayMs } = load;
  const { checks, expected, most, mostInAll } = MODES[mode];
  const turns = turnsOf(load);
  const perThread = delayMs === 0 ? MOST_TURNS_PER_SECOND : Math.ceil(1000 / delayMs);
  const turnMs = Math.max(TURN_MS / threads, SHARED_TURN_MS) * expected;
  return {
    probes: checks + turns * expected,
    mostProbes: (checks / expected + turns) * mostInAll,
    // In any one second: all threads begin at once, right after the checks. Not of a web server that breaks connections:
    // gobuster 3.5 does not pause after a request without an answer, and goes through the words as fast as they fail.
    packetsPerSecond: (checks / expected) * most + threads * perThread * most,
    durationMs: Math.ceil(START_MS + Math.ceil(turns / threads) * delayMs + turns * turnMs),
  };
}

/** Everything, once every word was answered; before that gobuster's result does not say how far it came. */
export function spentByGobuster(load: GobusterLoad, complete: boolean): ToolSpent {
  return complete ? { probes: estimateGobuster(load).probes } : {};
}

function turnsOf({ words, extensions }: GobusterLoad): number {
  return words * (1 + (extensions?.length ?? 0));
}
