import { type Static, Type } from '@sinclair/typebox';
import { cleanText } from '../../core/tool/clean-text.ts';
import type { ParseOutcome, ToolEnd, ToolEvent, ToolParser } from '../../core/tool/definition.ts';
import { createLineReader } from '../../core/tool/lines.ts';

const MAX_ENTRIES = 20_000;
const MAX_ADDRESSES = 100;
const MAX_LINE = 16_384;

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
type GobusterResult = Static<typeof GobusterResultSchema>;

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
  [/unable to connect to/, 'The server could not be reached.'],
];
const RESOLVER_SILENT = /Unable to validate base domain: .*(?:refused|timeout|misbehaving|unreachable|no route)/;

/** Reads gobuster 3.5: findings from stdout, failed requests and progress from stderr. */
export function parseGobuster(from: {
  readonly mode: 'dir' | 'dns';
  /** Requests that a full pass makes; for the share in progress. */
  readonly expected: number;
  emit(event: ToolEvent): void;
}): ToolParser<GobusterResult> {
  const result: GobusterResult = { paths: [], names: [], failedRequests: 0, omitted: 0 };
  let isFinished = false;
  let isResolverSilent = false;
  const stdout = createLineReader(MAX_LINE, (line) => {
    const text = line.replaceAll('\x1b[2K', '');
    if (/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d Finished$/.test(text)) isFinished = true;
    else readFinding(from, result, text);
  });
  const stderr = createLineReader(MAX_LINE, (line) => {
    if (/\[ERROR\] .*\[!\] /.test(line)) result.failedRequests += 1;
    if (RESOLVER_SILENT.test(line)) isResolverSilent = true;
    const done = /Progress: (\d{1,9})(?!\d)/.exec(line)?.[1];
    if (done !== undefined) from.emit(progress(Number(done), from.expected));
  });
  return {
    stdout: (chunk) => stdout.push(chunk),
    stderr: (chunk) => stderr.push(chunk),
    end(end) {
      stdout.end();
      stderr.end();
      return conclude(result, { end, isFinished, isResolverSilent });
    },
  };
}

function readFinding(
  from: { readonly mode: 'dir' | 'dns'; emit(event: ToolEvent): void },
  result: GobusterResult,
  text: string,
): void {
  const found = from.mode === 'dir' ? readPath(text) : readName(text);
  if (found === undefined) return;
  if (result.paths.length + result.names.length >= MAX_ENTRIES) {
    result.omitted += 1;
  } else if ('path' in found) {
    result.paths.push(found);
    from.emit({ kind: 'finding', message: `${found.path} answers ${found.status}` });
  } else {
    result.names.push(found);
    from.emit({ kind: 'finding', message: `${found.name} resolves` });
  }
}

function readPath(text: string): GobusterResult['paths'][number] | undefined {
  const match = /^(\/.*?) *\(Status: ([1-9]\d\d)\) \[Size: (-?\d{1,15})\](?: \[--> (.*)\])?$/.exec(text);
  if (match === null) return undefined;
  const [, path = '', status, size, redirect] = match;
  return {
    path: cleanText(path, 1024),
    status: Number(status),
    ...(Number(size) < 0 ? {} : { size: Number(size) }),
    ...(redirect === undefined ? {} : { redirect: cleanText(redirect, 1024) }),
  };
}

function readName(text: string): GobusterResult['names'][number] | undefined {
  const match = /^Found: (\S{1,254})(?: \[([0-9a-fA-F.:,]*)\])?$/.exec(text);
  if (match === null) return undefined;
  const addresses = (match[2] ?? '').split(',').filter((address) => address !== '');
  return {
    name: cleanText((match[1] ?? '').replace(/\.$/, ''), 253),
    addresses: addresses.slice(0, MAX_ADDRESSES).map((address) => cleanText(address, 45)),
  };
}

function progress(done: number, expected: number): ToolEvent {
  if (expected <= 0) return { kind: 'progress', done };
  const percent = Math.min(100, Math.floor((done * 100) / expected));
  return { kind: 'progress', done, total: expected, percent };
}

function conclude(
  result: GobusterResult,
  at: { end: ToolEnd; isFinished: boolean; isResolverSilent: boolean },
): ParseOutcome<GobusterResult> {
  const { end } = at;
  const complete =
    end.ending === 'exited' &&
    end.exitCode === 0 &&
    at.isFinished &&
    !at.isResolverSilent &&
    !end.stdoutTruncated &&
    result.failedRequests === 0 &&
    result.omitted === 0;
  if (end.ending !== 'exited' || complete) return { result, complete };
  const known = FAILURES.find(([pattern]) => pattern.test(end.stderrTail))?.[1];
  if (known !== undefined) return { result, complete, failure: known };
  if (end.exitCode !== 0 || !at.isFinished) {
    return { result, complete, failure: `gobuster ended early (exit code ${end.exitCode}).`, trips: true };
  }
  // gobuster 3.5 says nothing about single look-ups that fail and would end with an empty list and 0.
  if (at.isResolverSilent && result.names.length === 0) {
    return { result, complete, failure: 'The DNS server did not answer, or refused the domain.' };
  }
  return { result, complete };
}
