/** How much one run of the benchmark does. */
export interface Sizes {
  /** Rounds of every pair; each round measures both sides. */
  readonly rounds: number;
  /** Calls of each side in one round of the call rows. */
  readonly calls: number;
  /** Connections of the request rows, one row for each. */
  readonly connections: readonly number[];
  /** Length of one measurement of the request rows, seconds. */
  readonly seconds: number;
  readonly memoryRounds: number;
  /** What the child writes through the gateway, MiB. */
  readonly floodMib: number;
  /** What is accumulated for comparison, MiB. */
  readonly naiveMib: number;
  /** Starts of each way in one round of the layer rows, for time and again for stalls. */
  readonly layerStarts: number;
  /** The same beside the ballast. */
  readonly ballastStarts: number;
  /** Buffers kept alive meanwhile, MiB. */
  readonly ballastMib: number;
  readonly rateRounds: number;
  /** Length of one measurement of starts in a second, milliseconds. */
  readonly rateMs: number;
  /** Runs in the store that the growth is measured against, and in the one that has grown. */
  readonly scaleFewRuns: number;
  readonly scaleManyRuns: number;
  readonly scaleRounds: number;
  /** Calls of each question to each store in one round. */
  readonly scaleCalls: number;
  /** Events written in one round, a multiple of 256. */
  readonly scaleEvents: number;
  /** Records of the audit in one round, a multiple of 64. */
  readonly auditRecords: number;
  /** The whole run is ended with an error after this time, milliseconds. */
  readonly limitMs: number;
}

/** The sizes that the published ratios were measured with. */
export const FULL: Sizes = {
  rounds: 5,
  calls: 20,
  connections: [1, 16],
  seconds: 0.6,
  memoryRounds: 3,
  floodMib: 1024,
  naiveMib: 300,
  layerStarts: 5,
  ballastStarts: 3,
  ballastMib: 500,
  rateRounds: 3,
  rateMs: 150,
  scaleFewRuns: 1000,
  scaleManyRuns: 50_000,
  scaleRounds: 5,
  scaleCalls: 20,
  scaleEvents: 2048,
  auditRecords: 512,
  limitMs: 600_000,
};

/** Just enough to see that everything still runs; its numbers mean nothing. */
export const SMOKE: Sizes = {
  rounds: 1,
  calls: 2,
  connections: [2],
  seconds: 0.1,
  memoryRounds: 1,
  floodMib: 64,
  naiveMib: 32,
  layerStarts: 1,
  ballastStarts: 1,
  ballastMib: 8,
  rateRounds: 1,
  rateMs: 20,
  scaleFewRuns: 1000,
  scaleManyRuns: 2000,
  scaleRounds: 1,
  scaleCalls: 3,
  scaleEvents: 256,
  auditRecords: 64,
  limitMs: 300_000,
};

/** The long form of the scale section: what a gateway has after years. Takes tens of minutes and about 10 GB. */
export const LONG: Sizes = { ...FULL, scaleManyRuns: 1_000_000, limitMs: 3 * 3_600_000 };
