import { integer, section } from './config-keys.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const GIB = 1_073_741_824;

/** The keys of `runs`. */
export const RUNS = section('The records of runs, and how callers wait for them.', {
  inlineWaitMs: integer('Time that a call waits for the end of its run before it is answered with the run as it is.', {
    default: 45_000,
    minimum: 0,
    maximum: HOUR,
    unit: 'ms',
  }),
  eventStreams: integer('Open event streams of runs in all.', {
    default: 500,
    minimum: 1,
    maximum: 10_000,
    unit: 'streams',
  }),
  eventStreamsPerPrincipal: integer('Open event streams of runs of one principal.', {
    default: 250,
    minimum: 1,
    maximum: 10_000,
    unit: 'streams',
  }),
  retention: section('What is removed by itself, and what may not be removed.', {
    keepMs: integer('Age below which an ended run cannot be removed by anybody.', {
      default: 0,
      minimum: 0,
      maximum: 3650 * DAY,
      unit: 'ms',
    }),
    runMs: integer('Age at which an ended run is removed with everything that belongs to it; 0 keeps it for ever.', {
      default: 0,
      minimum: 0,
      maximum: 3650 * DAY,
      unit: 'ms',
    }),
    outputMs: integer('Age at which the raw output of an ended run is removed.', {
      default: 30 * DAY,
      minimum: 60_000,
      maximum: 3650 * DAY,
      unit: 'ms',
    }),
    outputBytes: integer('Raw output that is kept in all, compressed; the oldest goes first.', {
      default: 5 * GIB,
      minimum: 1_048_576,
      maximum: 10_240 * GIB,
      unit: 'bytes',
    }),
  }),
});
