import type { Run, RunState } from '../../schemas/run-record.ts';
import type { ExportSource } from '../core/findings/types.ts';

/** Why a reader must not take what is listed for everything there is. */
export interface Notice {
  readonly code: NoticeCode;
  /** `error`: the run did not come to its end; `warning`: something was left out; `note`: it was done another way. */
  readonly level: 'error' | 'warning' | 'note';
  /** One sentence; it may quote texts of tools and targets. */
  readonly text: string;
}

/** What each notice is about, for formats that describe their notices. */
export const NOTICES = {
  unfinished: 'The run had not ended when the export was made.',
  ended_early: 'The run ended before it had looked at everything.',
  incomplete: 'The tool did not finish looking.',
  not_covered: 'Something that was asked for was not looked at to its end.',
  coverage_unknown: 'What was looked at to its end is not known.',
  degraded: 'Something was done in another way than asked.',
  output_truncated: 'The tool wrote more than was kept.',
} as const;
export type NoticeCode = keyof typeof NOTICES;

const NOT_THERE = '“not listed” does not mean “not there”';

const UNFINISHED: Partial<Record<RunState, string>> = {
  awaiting_approval: 'This run waits for an approval: nothing has been looked at',
  queued: 'This run has not started: nothing has been looked at',
  running: 'This run was still going on when the export was made: more may come',
};
const ENDED_EARLY: Partial<Record<RunState, string>> = {
  failed: 'This run failed',
  timed_out: 'This run was ended by its time limit',
  cancelled: 'This run was cancelled',
  ended_by_policy: 'This run was ended by policy',
  lost: 'This run was lost: the gateway stopped while it was going on',
};

/** Everything that limits what this export may be taken for, gravest first; empty for a run that saw all it was asked for. */
export function noticesOf({ run, coverage }: Pick<ExportSource, 'run' | 'coverage'>): readonly Notice[] {
  return [
    ...stateNotices(run),
    ...(coverage === undefined && UNFINISHED[run.state] === undefined
      ? [warning('coverage_unknown', `There is no record of what was looked at to its end; ${NOT_THERE}.`)]
      : []),
    ...(coverage?.missing ?? []).map((text) => warning('not_covered', `Not looked at to its end: ${text}`)),
    ...(['stdout', 'stderr'] as const)
      .filter((stream) => run[stream].truncated)
      .map((stream) => warning('output_truncated', `The tool wrote more to ${stream} than was kept.`)),
    ...run.degraded.map((text): Notice => ({ code: 'degraded', level: 'note', text: `Done in another way: ${text}` })),
  ];
}

function stateNotices(run: Run): Notice[] {
  const unfinished = UNFINISHED[run.state];
  if (unfinished !== undefined) {
    return [{ code: 'unfinished', level: 'error', text: `${unfinished}; ${NOT_THERE}.` }];
  }
  const early = ENDED_EARLY[run.state];
  if (early !== undefined) {
    const why = run.error === null ? '' : ` ${run.error.code}: ${run.error.message}`;
    return [{ code: 'ended_early', level: 'error', text: `${early}; ${NOT_THERE}.${why}` }];
  }
  return run.complete ? [] : [warning('incomplete', `The tool did not finish looking; ${NOT_THERE}.`)];
}

function warning(code: NoticeCode, text: string): Notice {
  return { code, level: 'warning', text };
}

/** Whether the run came to its end and looked at everything it was asked for. */
export function isWhole(source: Pick<ExportSource, 'run' | 'coverage'>): boolean {
  return noticesOf(source).every(({ level }) => level === 'note');
}
