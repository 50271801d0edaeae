import type { Diff, DiffEntry, DiffState, Finding } from '../../../schemas/finding.ts';
import type { Run } from '../../../schemas/run-record.ts';
import { SallyportError } from '../errors.ts';
import type { FindingStore, SeenFinding } from '../store/types.ts';
import { isCovered } from './coverage.ts';
import { notesOf } from './diff-notes.ts';
import { canonicalJson } from './fingerprint.ts';
import type { Coverage } from './types.ts';

/** One side of a comparison: a run and what it looked at. */
export interface ComparedRun {
  readonly run: Run;
  readonly coverage: Coverage | undefined;
}

/** The run to compare from, and the one to compare to. */
export interface RunPair {
  readonly from: ComparedRun;
  readonly to: ComparedRun;
}

/** Which entries of the comparison; counts and notes are always of the whole. */
export interface ComparisonPage {
  /** At least 1. */
  readonly limit: number;
  /** `next` of the page before: a fingerprint. */
  readonly after?: string | undefined;
  /** Also the entries that did not change. */
  readonly unchanged?: boolean | undefined;
}

/** One page of a comparison, ordered by fingerprint; `next` is absent on the last one. */
export interface Comparison {
  readonly entries: readonly DiffEntry[];
  readonly counts: Diff['counts'];
  readonly notes: readonly string[];
  readonly next?: string;
}

/** Findings of one run that are in memory at once. */
const PAGE = 500;

/**
 * Compares what two runs saw, finding by finding. Reads both once, in pages, whatever page is asked for, so memory is
 * bounded by the page; "gone" is claimed only of what the second run looked at to its end. Rejects as the store does.
 */
export async function compareRuns(store: FindingStore, pair: RunPair, page: ComparisonPage): Promise<Comparison> {
  const before = createReader(store, pair.from.run.runId);
  const after = createReader(store, pair.to.run.runId);
  const counts = { new: 0, gone: 0, changed: 0, unchanged: 0, not_looked_at: 0 };
  const entries: DiffEntry[] = [];
  let last: string | undefined;
  let isMore = false;
  for (;;) {
    const [one, other] = [await before.peek(), await after.peek()];
    const fingerprint = lesser(one, other);
    if (fingerprint === undefined) break;
    const [was, is] = [before.take(fingerprint), after.take(fingerprint)];
    const state = stateOf(was, is, pair);
    counts[state.state] += 1;
    if (!isAsked(fingerprint, state.state, page)) continue;
    isMore = entries.length >= page.limit;
    if (isMore) continue;
    entries.push(toEntry(state, was?.finding, is?.finding));
    last = fingerprint;
  }
  const more = isMore && last !== undefined ? { next: last } : {};
  return { entries, counts, notes: notesOf(pair), ...more };
}

interface Reader {
  /** The next finding, or undefined at the end. */
  peek(): Promise<SeenFinding | undefined>;
  /** Takes the peeked finding when it has this fingerprint. */
  take(fingerprint: string): SeenFinding | undefined;
}

function createReader(store: FindingStore, runId: string): Reader {
  let page: readonly SeenFinding[] = [];
  let at = 0;
  let after: string | undefined;
  let isAtEnd = false;
  const refill = async (): Promise<void> => {
    page = await store.byFingerprint(runId, after === undefined ? { limit: PAGE } : { limit: PAGE, after });
    at = 0;
    isAtEnd = page.length === 0;
    after = checkedOrder(page, after);
  };
  return {
    async peek() {
      if (at >= page.length && !isAtEnd) await refill();
      return page[at];
    },
    take(fingerprint) {
      const seen = page[at];
      if (seen?.finding.fingerprint !== fingerprint) return undefined;
      at += 1;
      return seen;
    },
  };
}

/** The last fingerprint of a page. Out of order, a finding would be lost or told twice: better no comparison than a wrong one. */
function checkedOrder(page: readonly SeenFinding[], after: string | undefined): string | undefined {
  let last = after;
  for (const { finding } of page) {
    if (last !== undefined && finding.fingerprint <= last) {
      throw new SallyportError('ERR_INTERNAL', 'Findings are not in order; they cannot be compared.');
    }
    last = finding.fingerprint;
  }
  return last;
}

function lesser(one: SeenFinding | undefined, other: SeenFinding | undefined): string | undefined {
  const [a, b] = [one?.finding.fingerprint, other?.finding.fingerprint];
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? a : b;
}

interface Standing {
  readonly state: DiffState;
  readonly changes?: string[];
  readonly why?: string;
}

function stateOf(was: SeenFinding | undefined, is: SeenFinding | undefined, { from, to }: RunPair): Standing {
  if (was !== undefined && is !== undefined) {
    if (was.digest === is.digest) return { state: 'unchanged' };
    return { state: 'changed', changes: changesOf(was.finding, is.finding) };
  }
  if (was !== undefined) {
    const seen = isCovered(was.finding, to.coverage, from.coverage);
    return seen.covered ? { state: 'gone' } : { state: 'not_looked_at', why: seen.why };
  }
  if (is === undefined) return { state: 'unchanged' };
  const seen = isCovered(is.finding, from.coverage, to.coverage);
  return seen.covered ? { state: 'new' } : { state: 'new', why: `was not looked at before: ${seen.why}` };
}

/** The names of what differs: severity, title, confidence, `attributes.<name>`. */
export function changesOf(was: Finding, is: Finding): string[] {
  const fields = (['severity', 'title', 'confidence'] as const).filter((name) => was[name] !== is[name]);
  const names = [...new Set([...Object.keys(was.attributes), ...Object.keys(is.attributes)])].toSorted();
  const attributes = names.filter((name) => canonicalOf(was.attributes, name) !== canonicalOf(is.attributes, name));
  return [...fields, ...attributes.map((name) => `attributes.${name}`)];
}

function canonicalOf(attributes: Readonly<Record<string, unknown>>, name: string): string | undefined {
  // An attribute called "constructor" is one only where the finding has it.
  return Object.hasOwn(attributes, name) ? canonicalJson(attributes[name]) : undefined;
}

function isAsked(fingerprint: string, state: DiffState, { after, unchanged }: ComparisonPage): boolean {
  if (state === 'unchanged' && unchanged !== true) return false;
  return after === undefined || fingerprint > after;
}

function toEntry(standing: Standing, before: Finding | undefined, after: Finding | undefined): DiffEntry {
  return { ...standing, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
}
