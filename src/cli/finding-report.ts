import { type Diff, DIFF_STATES, type DiffEntry, type DiffState, type Finding } from '../../schemas/finding.ts';
import { oneLine } from './printable.ts';

/** A finding as an event or a page tells of it; the event leaves out what is of no use while the run goes on. */
export type ShownFinding = Omit<Finding, 'confidence'> & Partial<Pick<Finding, 'confidence'>>;

/** A finding in one line: how bad, what, where, and its title. */
export function describeFinding(finding: ShownFinding): string {
  const { severity, kind, title, confidence } = finding;
  const sure = confidence === undefined || confidence === 'confirmed' ? '' : ` (${confidence})`;
  return oneLine(`${severity.padEnd(8)}  ${kind.padEnd(10)}  ${placeOf(finding)}  ${title}${sure}`);
}

/** The mark of each state, as diff(1) has them for lines. */
const MARKS: Readonly<Record<DiffState, string>> = {
  new: '+',
  gone: '-',
  changed: '~',
  unchanged: '=',
  not_looked_at: '?',
};

/** One line of a comparison: what became of which finding, and how. */
export function describeDiffEntry({ state, before, after, changes, why }: DiffEntry): string {
  const finding = after ?? before;
  const what = finding === undefined ? '' : describeFinding(finding);
  const how =
    changes === undefined || changes.length === 0
      ? ''
      : `  changed: ${changes.map(changeOf(before, after)).join(', ')}`;
  return oneLine(`${MARKS[state]} ${what}${how}${why === undefined ? '' : `  (${why})`}`);
}

/** How many of each, in one line. */
export function describeCounts({ counts }: Pick<Diff, 'counts'>): string {
  return DIFF_STATES.map((state) => `${counts[state]} ${state.replaceAll('_', ' ')}`).join(', ');
}

/** Whether an answer is a finding, as far as it is shown here. */
export function isFinding(value: unknown): value is Finding {
  if (typeof value !== 'object' || value === null) return false;
  const { severity, kind, title, target } = value as Partial<Record<keyof Finding, unknown>>;
  return [severity, kind, title, target].every((each) => typeof each === 'string');
}

/** Whether an answer is a line of a comparison, as far as it is shown here. */
export function isDiffEntry(value: unknown): value is DiffEntry {
  if (typeof value !== 'object' || value === null) return false;
  const { state, before, after } = value as Partial<Record<keyof DiffEntry, unknown>>;
  return (
    DIFF_STATES.some((each) => each === state) && [before, after].every((each) => each === undefined || isFinding(each))
  );
}

function placeOf({ target, address, port, protocol }: ShownFinding): string {
  const host = address === undefined || address === target ? target : `${target} [${address}]`;
  return `${host}${port === undefined ? '' : ` ${port}`}${protocol === undefined ? '' : `/${protocol}`}`;
}

/** The field with both values, where it is one of the finding's own. */
function changeOf(before: Finding | undefined, after: Finding | undefined) {
  return (field: string): string => {
    const [from, to] = [valueOf(before, field), valueOf(after, field)];
    return from === undefined || to === undefined ? field : `${field} ${from} → ${to}`;
  };
}

function valueOf(finding: Finding | undefined, field: string): string | undefined {
  const [first = '', second] = field.split('.');
  if (finding === undefined) return undefined;
  const from: object = second === undefined ? finding : finding.attributes;
  const name = second ?? first;
  const value: unknown = Object.hasOwn(from, name) ? Reflect.get(from, name) : undefined;
  const isShort = ['string', 'number', 'boolean'].includes(typeof value);
  return isShort ? JSON.stringify(value).slice(0, 80) : undefined;
}
