import { RUN_STATES, type RunProgress, type RunState } from '../../schemas/run-record.ts';
import type { CommandContext } from './command.ts';
import type { FollowedEvent } from './follow-run.ts';
import { fit, oneLine } from './printable.ts';
import { clock, describeProgress } from './run-report.ts';

/** What is known of a run while it goes on. */
export interface ProgressView {
  readonly tool: string;
  readonly state: RunState;
  readonly progress: Partial<Omit<RunProgress, 'at'>>;
  readonly findings: number;
  /** Seconds since it is watched. */
  readonly elapsedSeconds: number;
}

/** Shows how a run goes on, and prints lines without tearing what it has drawn. */
export interface ProgressBar {
  take(event: FollowedEvent): void;
  /** A line of ours on standard error. */
  say(line: string): void;
  /** A line on standard output. */
  print(line: string): void;
  /** Erases what is drawn and lets go of the timer. */
  end(): void;
}

/** Where and how it is shown. */
export interface ProgressOptions {
  readonly tool: string;
  /** Says nothing about progress. */
  readonly isQuiet: boolean;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
}

/** A line at most so often where no terminal is; in a log each stays for ever. */
const LINE_MS = 10_000;
/** A terminal is not redrawn more often than this: a gateway may tell of progress as fast as it likes. */
const DRAW_MS = 100;
const ERASE = '\r\u001b[K';

/** A bar that is redrawn in place on a terminal, plain lines elsewhere, nothing when it is to be quiet. */
export function createProgressBar(
  { out, err, screen }: Pick<CommandContext, 'out' | 'err' | 'screen'>,
  { tool, isQuiet, now }: ProgressOptions,
): ProgressBar {
  const began = now();
  const seen: Seen = { state: 'queued', progress: {}, findings: new Set() };
  let isDrawn = screen.isErrTerminal && !isQuiet;
  let isEnded = false;
  let shownAt = Number.NEGATIVE_INFINITY;
  const view = (): ProgressView => ({
    tool,
    ...seen,
    findings: seen.findings.size,
    elapsedSeconds: (now() - began) / 1000,
  });
  const show = (everyMs: number): void => {
    if (isQuiet || isEnded || now() - shownAt < everyMs) return;
    shownAt = now();
    if (isDrawn) screen.draw(`${ERASE}${drawBar(view(), screen.columns())}`);
    else err(`sallyport: ${describeView(view())}`);
  };
  const between = (write: (line: string) => void) => (line: string) => {
    if (isDrawn) screen.draw(ERASE);
    write(line);
    if (isDrawn) show(0);
  };
  const ticker = isDrawn ? setInterval(() => show(DRAW_MS), 1000).unref() : undefined;
  return {
    take(event) {
      const before = seen.state;
      note(seen, event);
      if (isDrawn) show(DRAW_MS);
      else show(seen.state === before ? LINE_MS : 0);
    },
    say: between(err),
    print: between(out),
    end() {
      clearInterval(ticker);
      if (isDrawn) screen.draw(ERASE);
      isEnded = true;
      isDrawn = false;
    },
  };
}

interface Seen {
  state: RunState;
  progress: ProgressView['progress'];
  /** Fingerprints: a tool may tell of one thing more than once. */
  readonly findings: Set<unknown>;
}

/** More than a tool tells of while it runs. */
const MAX_FINDINGS = 100_000;

function note(seen: Seen, { id, type, data }: FollowedEvent): void {
  if (type === 'state') seen.state = RUN_STATES.find((each) => each === data['state']) ?? seen.state;
  if (type === 'progress') seen.progress = readProgress(data);
  if (type !== 'finding' || seen.findings.size >= MAX_FINDINGS) return;
  const { finding } = data;
  const isObject = typeof finding === 'object' && finding !== null;
  seen.findings.add((isObject && Reflect.get(finding, 'fingerprint')) || (id ?? data));
}

/** The fields of a progress event that are what they should be. */
function readProgress(data: Readonly<Record<string, unknown>>): ProgressView['progress'] {
  const { percent, done, total, ratePerSecond, etaSeconds, message } = data as Partial<
    Record<keyof RunProgress, unknown>
  >;
  const numbers = Object.entries({ percent, done, total, ratePerSecond, etaSeconds });
  return {
    ...Object.fromEntries(numbers.filter(([, value]) => Number.isFinite(value) && Number(value) >= 0)),
    ...(typeof message === 'string' && { message }),
  };
}

/** One line for a log. */
export function describeView({ tool, state, progress, findings }: ProgressView): string {
  const known = describeProgress(progress);
  const count = findings === 0 ? '' : `, ${countOf(findings)}`;
  return `${oneLine(tool)} ${state.replaceAll('_', ' ')}${known === '' ? '' : ` ${known}`}${count}`;
}

/** What stands beside the bar, with room to spare. */
const TEXT_COLUMNS = 56;

/** One line for a terminal of so many columns, never as wide as it: a line that wraps is not erased by a redraw. */
export function drawBar({ tool, state, progress, findings, elapsedSeconds }: ProgressView, columns: number): string {
  const { message, ...measured } = progress;
  const parts = [
    oneLine(tool),
    state === 'running'
      ? barOf(progress.percent, Math.min(24, Math.max(8, columns - TEXT_COLUMNS)))
      : state.replaceAll('_', ' '),
    describeProgress(measured),
    findings === 0 ? '' : countOf(findings),
    clock(elapsedSeconds),
    message === undefined ? '' : oneLine(message),
  ];
  return fit(parts.filter((part) => part !== '').join('  '), columns - 1);
}

function barOf(percent: number | undefined, columns: number): string {
  if (percent === undefined) return 'running';
  const full = Math.round((Math.min(percent, 100) / 100) * columns);
  return `[${'#'.repeat(full)}${'-'.repeat(columns - full)}]`;
}

function countOf(findings: number): string {
  return `${findings} finding${findings === 1 ? '' : 's'}`;
}
