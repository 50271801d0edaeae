import type { Proof } from './services.ts';

/** What hydra says about itself on its two streams; none of their text is kept. */
export interface Heard {
  /** Targets finished, from the summary line; undefined without one. */
  finished: number | undefined;
  valid: number;
  errors: number;
  unclear: number;
  needsNoPassword: boolean;
  unreachable: boolean;
  /** Guesses handed to a worker for the first time. */
  sent: number;
  /** Guesses that a worker reported as wrong, and as right. */
  refused: number;
  accepted: number;
  /** Answers with status 401. */
  challenges: number;
  /** Form answers with the condition's text, and without it. */
  matched: number;
  unmatched: number;
}

/** Nothing heard yet. */
export function createHeard(): Heard {
  return {
    finished: undefined,
    valid: 0,
    errors: 0,
    unclear: 0,
    needsNoPassword: false,
    unreachable: false,
    sent: 0,
    refused: 0,
    accepted: 0,
    challenges: 0,
    matched: 0,
    unmatched: 0,
  };
}

/** Counts one line of stdout. */
export function hearStdout(heard: Heard, line: string): void {
  const summary = /(\d) of 1 target (?:successfully )?completed, (\d{1,9}) valid passwords? found$/.exec(line);
  if (summary !== null) {
    heard.finished = Number(summary[1]);
    heard.valid = Number(summary[2]);
  }
  // A worker's unfinished dump may stand in front of what the parent says; where a caller's text ends a line, nothing counts.
  const said = /pass(?:_ptr|word:)/.test(line) ? undefined : /\[DEBUG\] head_no\[\d+\] read ([NF])$/.exec(line)?.[1];
  if (said === 'N') heard.refused += 1;
  if (said === 'F') heard.accepted += 1;
  if (isAttempt(line)) heard.sent += 1;
  const form = /\[DEBUG\] attempt result: found (-?\d), redirect (\d)/.exec(line);
  if (form?.[1] === '1') heard.matched += 1;
  if (form?.[1] === '0') heard.unmatched += 1;
  // No answer, 403 or 404: hydra goes on as if the login had been refused.
  if (form?.[1] === '-1') heard.unclear += 1;
  hearTrouble(heard, line);
}

const ATTEMPT = '[ATTEMPT] target ';

/** By its first mark and its end: one pattern with a gap would go back from every mark of a line full of them (CWE-1333). */
function isAttempt(line: string): boolean {
  const start = line.indexOf(ATTEMPT);
  const end = start < 0 ? null : / \(\d+\/\d+\)$/.exec(line);
  return end !== null && end.index >= start + ATTEMPT.length;
}

/** Counts one line of stderr; with a proof, answers of the target stand there too. */
export function hearStderr(heard: Heard, line: string, proof: Proof): void {
  // Attack: the page of a hostile server prints this line; only redis, which shows no answers, can say it.
  if (proof === 'hidden' && /^\[!\] The server \S+ does not require password/.test(line)) heard.needsNoPassword = true;
  const status = /^S:HTTP\/1\.[01] (\d{3})/.exec(line)?.[1];
  if (status === '401') heard.challenges += 1;
  // hydra counts 429 ("come back later") and its like as a refusal; 403 and 404 it takes for a success.
  else if (status?.startsWith('4') === true && status !== '403' && status !== '404') heard.unclear += 1;
  hearTrouble(heard, line);
}

/** How many guesses were shown to be refused. */
export function provenRefusals(heard: Heard, proof: Proof): number {
  if (proof === 'page') return Math.min(heard.refused, heard.challenges);
  if (proof === 'form') return Math.min(heard.refused, heard.matched);
  return proof === 'login' ? heard.refused : 0;
}

function hearTrouble(heard: Heard, line: string): void {
  // "Unusual return code: 500 for NAME:PASSWORD" and "account … might be valid but …": hydra could not tell.
  if (/^\[WARNING\] Unusual return code|might be valid but/.test(line)) heard.unclear += 1;
  if (/^\[ERROR\]|did not complete/.test(line)) heard.errors += 1;
  if (/^\[ERROR\] (?:could not connect|all children were disabled)|terminating, can ?not connect/.test(line)) {
    heard.unreachable = true;
  }
}
