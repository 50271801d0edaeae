/**
 * Names of properties of our log lines and error details whose texts are ours: ids, codes, words of closed lists. What a
 * run found is not masked there: a target that takes `run.finished` as a password must not take that event out of the log.
 */
export const STRUCTURAL_NAMES: ReadonlySet<string> = new Set([
  'level',
  'time',
  'event',
  'reqId',
  'requestId',
  'runId',
  'session',
  'secretId',
  'principal',
  'tool',
  'method',
  'route',
  'code',
  'outcome',
  'rule',
  'risk',
  'ceiling',
  'option',
  'field',
  'era',
  'by',
  'from',
  'to',
  'state',
]);
