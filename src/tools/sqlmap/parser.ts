import type { FindingDraft } from '../../core/findings/types.ts';
import { cleanText } from '../../core/tool/clean-text.ts';
import type { ParseOutcome, ToolEnd, ToolEvent, ToolParser } from '../../core/tool/definition.ts';
import { createLineReader } from '../../core/tool/lines.ts';
import type { SqlmapAction } from './input.ts';
import { readLog } from './log.ts';
import type { SqlmapResult } from './result.ts';

const MAX_LINE = 4096;
const DAY_S = 86_400;

/** What sqlmap says about its own work on stdout. */
interface Heard {
  isNegative: boolean;
  /** HTTP status of the plain request, when it was an error. */
  plainStatus: string | undefined;
  isUnreachable: boolean;
  isAbsent: boolean;
  isEmpty: boolean;
  /** Something stood between the tests and the page: a filter, lost connections, refusals. */
  isDisturbed: boolean;
  isUnsupported: boolean;
  isEnded: boolean;
  /** It wrote to stdout: its banner comes before its first request. */
  isAnything: boolean;
}

/** What the parser is told of the call. */
export interface SqlmapCall {
  readonly action: SqlmapAction;
  readonly param: string;
  /** The finding of an injectable parameter before its techniques are known. */
  draftOf(place: string): FindingDraft;
  emit(event: ToolEvent): void;
}

/** Reads sqlmap 1.7.2: what was found from its log file, whether it really looked from stdout. */
export function parseSqlmap(from: SqlmapCall): ToolParser<SqlmapResult> {
  const heard: Heard = {
    isNegative: false,
    plainStatus: undefined,
    isUnreachable: false,
    isAbsent: false,
    isEmpty: false,
    isDisturbed: false,
    isUnsupported: false,
    isEnded: false,
    isAnything: false,
  };
  const report = createReport(from);
  const stdout = createLineReader(MAX_LINE, (line) => {
    hearLine(heard, line);
    report(line);
  });
  return {
    stdout(chunk) {
      heard.isAnything ||= chunk.length > 0;
      stdout.push(chunk);
    },
    end(end) {
      stdout.end();
      return conclude(from.action, heard, end);
    },
  };
}

function hearLine(heard: Heard, line: string): void {
  const said = /^\[\d\d:\d\d:\d\d\] \[(INFO|WARNING|ERROR|CRITICAL)\] (.*)$/.exec(line);
  if (line.startsWith('[*] ending @ ')) heard.isEnded = true;
  // The sum of HTTP errors. 400, 404 and 500 are what an application says to broken SQL; these mean a filter or an overload.
  if (/^[45]\d\d \([^)]*\) - \d+ times/.test(line) && /(?<!\d)(?:40[1367]|429|50[234]) \(/.test(line)) {
    heard.isDisturbed = true;
  }
  if (said === null) return;
  const [, level, text = ''] = said;
  const isError = level === 'ERROR' || level === 'CRITICAL';
  if (isError && text.startsWith('all tested parameters do not appear to be injectable')) heard.isNegative = true;
  else if (isError && /^(?:all testable parameters you provided are not present|no parameter\(s\) found)/.test(text)) {
    heard.isAbsent = true;
  } else if (isError && /^(?:unable to connect|connection timed out|connection (?:reset|dropped)|host )/.test(text)) {
    heard.isDisturbed = true;
    if (/skipping to the next target/.test(text)) heard.isUnreachable = true;
  } else if (isError && text.startsWith('unable to retrieve page content')) heard.isEmpty = true;
  else if (isError) heard.isDisturbed = true;
  const status = /responded with an HTTP error code \((\d{3})\)|^page not found \((404)\)/.exec(text);
  heard.plainStatus = status?.[1] ?? status?.[2] ?? heard.plainStatus;
  if (level === 'WARNING' && /^on .* it is not possible to (?:enumerate|get)/.test(text)) heard.isUnsupported = true;
}

/** Tells of each test that begins, with their rate by sqlmap's own clock, and of each technique that worked. */
function createReport(from: SqlmapCall): (line: string) => void {
  let done = 0;
  let startS: number | undefined;
  let isTold = false;
  return (line) => {
    const stamp = /^\[(\d\d):(\d\d):(\d\d)\] \[INFO\] /.exec(line);
    if (stamp === null) return;
    const text = line.slice(stamp[0].length);
    const nowS = Number(stamp[1]) * 3600 + Number(stamp[2]) * 60 + Number(stamp[3]);
    const test = /^testing '([^']{1,120})/.exec(text)?.[1];
    if (test !== undefined) {
      startS ??= nowS;
      const elapsedS = (nowS - startS + DAY_S) % DAY_S;
      const rate = elapsedS > 0 ? { ratePerSecond: done / elapsedS } : {};
      // How many tests there will be depends on the answers.
      from.emit({ kind: 'progress', done, ...rate, message: `testing ${cleanText(test, 120)}` });
      done += 1;
    }
    // Not one pattern with gaps: a line that repeats "' is '" would make it go back at every one (CWE-1333).
    const place = /^(\S{1,20}) parameter '/.exec(text)?.[1];
    const verdict = place === undefined ? -1 : text.indexOf("' is '");
    if (place === undefined || verdict < 0 || !text.includes("' injectable", verdict + 6)) return;
    const draft = isTold || !/^(?:GET|POST)$/.test(place) ? {} : { draft: from.draftOf(place) };
    isTold ||= 'draft' in draft;
    from.emit({ kind: 'finding', message: `parameter ${from.param} is injectable`, ...draft });
  };
}

function conclude(action: SqlmapAction, heard: Heard, end: ToolEnd): ParseOutcome<SqlmapResult> {
  const { facts, isCut } = readLog(logOf(end));
  const isInjectable = facts.techniques.length > 0;
  // A page that refuses the plain request, or a filter or an overload before it, was not tested: its "no" is no answer.
  const isTested =
    heard.isNegative && heard.isEnded && heard.plainStatus === undefined && !heard.isUnreachable && !heard.isDisturbed;
  const isWhole = end.ending === 'exited' && !end.stdoutTruncated;
  const injectable = isInjectable ? true : isTested && isWhole ? false : null;
  const result: SqlmapResult = { injectable, ...facts, unsupported: heard.isUnsupported };
  if (end.ending !== 'exited') return { result, complete: false };
  if (injectable === null) return { result, complete: false, ...failureOf(heard, end) };
  const complete = !isInjectable || (heard.isEnded && !end.stdoutTruncated && !isCut && isAnswered(action, result));
  return { result, complete };
}

function failureOf(heard: Heard, end: ToolEnd): { failure: string; trips?: boolean } {
  if (heard.isUnreachable) return { failure: 'The server could not be reached.' };
  if (heard.plainStatus !== undefined) {
    return { failure: `The page answers HTTP ${heard.plainStatus} to the plain request; it was not tested.` };
  }
  if (heard.isAbsent) return { failure: 'The parameter is not in the request.' };
  if (heard.isEmpty) return { failure: 'The page answers without content; there is nothing to compare.' };
  if (heard.isDisturbed) {
    return { failure: 'The connection was lost, or a filter or an overload answered the tests; nothing is known.' };
  }
  // A page can end sqlmap at will, and five such calls would close the tool for everybody: only what it did before it
  // wrote anything is its own.
  const failure = `sqlmap ended early (exit code ${end.exitCode}).`;
  return { failure, ...(end.exitCode === 0 || heard.isAnything ? {} : { trips: true }) };
}

/** Whether the action's question has its answer. */
function isAnswered(action: SqlmapAction, result: SqlmapResult): boolean {
  if (result.unsupported) return true;
  switch (action) {
    case 'detect':
      return true;
    case 'banner':
      return result.banner !== undefined;
    case 'currentUser':
      return result.currentUser !== undefined;
    case 'currentDb':
      return result.currentDb !== undefined;
    case 'dbs':
      return result.databases.length > 0;
    case 'tables':
      return result.tables.length > 0;
    case 'columns':
      // With SQLite sqlmap 1.7.2 prints the columns of one table only, under the name "None".
      return result.columns.length > 0 && result.columns.every(({ table }) => table !== 'None');
  }
}

function logOf(end: ToolEnd): string {
  for (const [path, content] of end.files) if (path.endsWith('/log')) return content.toString('utf8');
  return '';
}
