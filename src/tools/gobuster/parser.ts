import { type Static, Type } from '@sinclair/typebox';
import type { FindingDraft } from '../../core/findings/types.ts';
import { cleanText } from '../../core/tool/clean-text.ts';
import type { ParseOutcome, ToolEnd, ToolEvent, ToolParser } from '../../core/tool/definition.ts';
import { createLineReader } from '../../core/tool/lines.ts';

const MAX_ENTRIES = 20_000;
const MAX_ADDRESSES = 100;
const MAX_LINE = 16_384;
/** Facts told while it runs; the result has them all. */
const MAX_LIVE = 5000;
/** gobuster 3.5 writes its progress twice a second: the rate is over so many of these. */
const WINDOW = 20;
const TICKS_PER_SECOND = 2;

/** What gobuster found: `paths` in mode dir, `names` in mode dns. */
export const GobusterResultSchema = Type.Object(
  {
    paths: Type.Array(
      Type.Object(
        {
          path: Type.String({ description: 'Behind the path of the URL.' }),
          status: Type.Integer({ minimum: 100, maximum: 999 }),
          size: Type.Optional(Type.Integer({ minimum: 0, description: 'Bytes of the body, where the server said.' })),
          redirect: Type.Optional(Type.String({ description: 'Where it points; it was not followed.' })),
        },
        { additionalProperties: false },
      ),
    ),
    names: Type.Array(
      Type.Object({ name: Type.String(), addresses: Type.Array(Type.String()) }, { additionalProperties: false }),
    ),
    failedRequests: Type.Integer({ minimum: 0, description: 'Requests without an answer: those words are unknown.' }),
    omitted: Type.Integer({ minimum: 0, description: 'Found, but beyond the most that one result holds.' }),
  },
  { additionalProperties: false },
);
export type GobusterResult = Static<typeof GobusterResultSchema>;

/** Failures that gobuster states in words of its own at the end of stderr. */
const FAILURES: readonly (readonly [RegExp, string])[] = [
  [
    /matches the provided options for non existing urls/,
    'The server answers missing paths like present ones (soft 404); give statusCodes that it does not use for them.',
  ],
  [
    /returned the same IP for every domain/,
    'Every name in this zone resolves (wildcard); nothing can be told from answers.',
  ],
  [/unable to connect to/, 'The server could not be reached, or does not answer in HTTP.'],
];
const BASE_DOMAIN = 'Unable to validate base domain: ';
const RESOLVER_SILENT = /refused|timeout|misbehaving|unreachable|no route/;

/** What gobuster says about its own work. */
interface Heard {
  /** It wrote to stdout: its banner comes before its first request. */
  isAnything: boolean;
  isFinished: boolean;
  isResolverSilent: boolean;
  /** A line was cut or not in the form of gobuster: something is not in the result. */
  isUnread: boolean;
}

const FOUND = 'Found: ';
const ARROW = ' [--> ';

type Found = GobusterResult['paths'][number] | GobusterResult['names'][number];

/** Reads gobuster 3.5: findings from stdout, failed requests and progress from stderr. */
export function parseGobuster(from: {
  readonly mode: 'dir' | 'dns';
  /** Requests that a full pass makes; for the share in progress. */
  readonly expected: number;
  /** The facts in one entry of the result; without it they are only told. */
  draftsOf?(found: Found): readonly FindingDraft[];
  emit(event: ToolEvent): void;
}): ToolParser<GobusterResult> {
  const result: GobusterResult = { paths: [], names: [], failedRequests: 0, omitted: 0 };
  const heard: Heard = { isAnything: false, isFinished: false, isResolverSilent: false, isUnread: false };
  const ticks: number[] = [];
  const stdout = createLineReader(MAX_LINE, (line) => {
    const text = line.replaceAll('\x1b[2K', '');
    if (/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d Finished$/.test(text)) heard.isFinished = true;
    else if (text.startsWith(from.mode === 'dir' ? '/' : FOUND)) readFinding({ ...from, result, heard }, text);
  });
  const stderr = createLineReader(MAX_LINE, (line) => {
    const error = line.indexOf('[ERROR] ');
    if (error >= 0 && line.indexOf(' [!] ', error) >= 0) result.failedRequests += 1;
    const domain = line.indexOf(BASE_DOMAIN);
    if (domain >= 0 && RESOLVER_SILENT.test(line.slice(domain + BASE_DOMAIN.length))) heard.isResolverSilent = true;
    const done = /Progress: (\d{1,9})(?!\d)/.exec(line)?.[1];
    if (done === undefined) return;
    ticks.push(Number(done));
    if (ticks.length > WINDOW) ticks.shift();
    from.emit(progress(ticks, from.expected));
  });
  return {
    stdout(chunk) {
      heard.isAnything ||= chunk.length > 0;
      stdout.push(chunk);
    },
    stderr: (chunk) => stderr.push(chunk),
    end(end) {
      stdout.end();
      stderr.end();
      heard.isUnread ||= stdout.cut + stderr.cut > 0;
      return conclude(result, heard, end);
    },
  };
}

interface Finding {
  readonly mode: 'dir' | 'dns';
  readonly result: GobusterResult;
  readonly heard: Heard;
  draftsOf?(found: Found): readonly FindingDraft[];
  emit(event: ToolEvent): void;
}

function readFinding(at: Finding, text: string): void {
  const { result } = at;
  const read = at.mode === 'dir' ? readPath(text) : readName(text);
  if (read === undefined || !read.isWhole) at.heard.isUnread = true;
  if (read === undefined) return;
  const { found } = read;
  if (result.paths.length + result.names.length >= MAX_ENTRIES) {
    result.omitted += 1;
    return;
  }
  if ('path' in found) result.paths.push(found);
  else result.names.push(found);
  const message = 'path' in found ? `${found.path} answers ${found.status}` : `${found.name} resolves`;
  const isLive = result.paths.length + result.names.length <= MAX_LIVE;
  const [draft, ...more] = isLive ? (at.draftsOf?.(found) ?? []) : [];
  at.emit({ kind: 'finding', message, ...(draft === undefined ? {} : { draft }) });
  for (const another of more) at.emit({ kind: 'finding', message, draft: another });
}

/** A finding of one line; not whole where the line broke off behind what is kept. */
interface Read<T> {
  readonly found: T;
  readonly isWhole: boolean;
}

/**
 * `/path   (Status: 302) [Size: 0] [--> target]`. The path is a word of ours and ends at the first mark; the target
 * comes from the server and may hold further marks, blanks and brackets without end (ReDoS, CWE-1333): it is never
 * searched by a pattern that goes back.
 */
function readPath(text: string): Read<GobusterResult['paths'][number]> | undefined {
  const mark = text.indexOf(' (Status: ');
  const facts = / \(Status: ([1-9]\d\d)\) \[Size: (-?\d{1,15})\]/y;
  facts.lastIndex = mark;
  const match = mark < 0 ? null : facts.exec(text);
  if (match === null) return undefined;
  let end = mark;
  while (text[end - 1] === ' ') end -= 1;
  const size = Number(match[2]);
  const rest = text.slice(facts.lastIndex);
  const arrow = rest.startsWith(ARROW);
  const isClosed = arrow && rest.endsWith(']');
  const redirect = arrow ? rest.slice(ARROW.length, isClosed ? -1 : undefined) : undefined;
  return {
    found: {
      path: cleanText(text.slice(0, end), 1024),
      status: Number(match[1]),
      ...(size < 0 ? {} : { size }),
      ...(redirect === undefined ? {} : { redirect: cleanText(redirect, 1024) }),
    },
    isWhole: rest === '' || isClosed,
  };
}

function readName(text: string): Read<GobusterResult['names'][number]> | undefined {
  const match = /^Found: (\S{1,254})(?: \[([0-9a-fA-F.:,]*)\])?$/.exec(text);
  if (match === null) return undefined;
  const addresses = (match[2] ?? '').split(',').filter((address) => address !== '');
  const found = {
    name: cleanText((match[1] ?? '').replace(/\.$/, ''), 253),
    addresses: addresses.slice(0, MAX_ADDRESSES).map((address) => cleanText(address, 45)),
  };
  return { found, isWhole: addresses.length <= MAX_ADDRESSES };
}

function progress(ticks: readonly number[], expected: number): ToolEvent {
  const done = ticks.at(-1) ?? 0;
  const perTick = ticks.length < 2 ? 0 : (done - (ticks[0] ?? 0)) / (ticks.length - 1);
  const rate = perTick > 0 ? { ratePerSecond: perTick * TICKS_PER_SECOND } : {};
  if (expected <= 0) return { kind: 'progress', done, ...rate };
  const percent = Math.min(100, Math.floor((done * 100) / expected));
  const left = Math.max(0, expected - done);
  const eta = perTick > 0 ? { etaSeconds: Math.ceil(left / (perTick * TICKS_PER_SECOND)) } : {};
  return { kind: 'progress', done, total: expected, percent, ...rate, ...eta };
}

function conclude(result: GobusterResult, heard: Heard, end: ToolEnd): ParseOutcome<GobusterResult> {
  const complete =
    end.ending === 'exited' &&
    end.exitCode === 0 &&
    heard.isFinished &&
    !heard.isResolverSilent &&
    !heard.isUnread &&
    !end.stdoutTruncated &&
    result.failedRequests === 0 &&
    result.omitted === 0;
  if (end.ending !== 'exited' || complete) return { result, complete };
  const known = FAILURES.find(([pattern]) => pattern.test(end.stderrTail))?.[1];
  if (known !== undefined) return { result, complete, failure: known };
  if (end.exitCode !== 0 || !heard.isFinished) {
    const failure = `gobuster ended early (exit code ${end.exitCode}).`;
    // A server can end gobuster at will (a broken answer, a gzip bomb), and five such calls would close the tool for
    // everybody. Only what it did before its first request is its own: 2 is how the Go runtime ends when it cannot start.
    return { result, complete, failure, ...(end.exitCode === 2 && !heard.isAnything ? { trips: true } : {}) };
  }
  // gobuster 3.5 says nothing about single look-ups that fail and would end with an empty list and 0.
  if (heard.isResolverSilent && result.names.length === 0) {
    return { result, complete, failure: 'The DNS server did not answer, or refused the domain.' };
  }
  return { result, complete };
}
