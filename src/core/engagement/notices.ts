import type { EngagementDocument } from '../../../schemas/engagement.ts';
import { isAbove } from '../../../schemas/risk.ts';
import { formatPorts } from '../targets/ports.ts';
import { quote } from '../targets/rules.ts';
import { isSelected } from '../tool/patterns.ts';
import { complementOf, rangesOf } from './port-rules.ts';
import { EVERYBODY } from './principals.ts';
import { scopeNotices } from './scope-notices.ts';
import { readWindow, type Window, windowState } from './window.ts';

/** What the notices are made with. */
export interface NoticeContext {
  /** Names of the loaded tools; empty when nobody knows them. */
  readonly tools: readonly string[];
  /** The engagement `default` has no end by nature. */
  readonly mayBeEndless: boolean;
}

/** Rules of a checked document that overlap, contradict each other or have no effect, one sentence each. */
export function noticesOf(document: EngagementDocument, context: NoticeContext): readonly string[] {
  return [
    ...emptyNotices(document),
    ...scopeNotices(document),
    ...toolNotices(document, context.tools),
    ...portNotices(document),
    ...windowNotices(document, context.mayBeEndless),
    ...approvalNotices(document),
  ];
}

function when(isSo: boolean, notice: string): readonly string[] {
  return isSo ? [notice] : [];
}

const NOBODY =
  'principals is empty: nobody may use this engagement; keys that no other engagement names get default, ' +
  'unless engagements.offerDefault is false';

function emptyNotices({ principals, scope, tools }: EngagementDocument): readonly string[] {
  return [
    ...when(principals.length === 0, NOBODY),
    ...when(principals.length > 1 && principals.includes(EVERYBODY), 'principals has * and names: * is every key'),
    ...when(scope.allow.length === 0, 'scope.allow is empty: nothing may be touched'),
    ...when(tools.allow.length === 0, 'tools.allow is empty: no tool may be used'),
  ];
}

function toolNotices({ tools: { allow, deny = [] } }: EngagementDocument, known: readonly string[]): readonly string[] {
  const matches = (pattern: string) => known.filter((name) => isSelected(name, { include: [pattern], exclude: [] }));
  const isDenied = (name: string) => isSelected(name, { include: deny, exclude: [] });
  const contradictions = allow.filter((pattern) => {
    if (deny.includes(pattern)) return true;
    const names = pattern.includes('*') ? matches(pattern) : [pattern];
    return names.length > 0 && names.every(isDenied);
  });
  // A misspelt name in the list of denied tools leaves that tool permitted.
  const unknown = known.length === 0 ? [] : [...allow, ...deny].filter((pattern) => matches(pattern).length === 0);
  return [
    ...contradictions.map((pattern) => `tools.allow ${quote(pattern)} is denied by tools.deny and permits nothing`),
    ...unknown.map((pattern) => `tools: ${quote(pattern)} matches no loaded tool (${known.join(', ')})`),
  ];
}

function portNotices({ ports }: EngagementDocument): readonly string[] {
  if (ports?.allow === undefined) return [];
  const denied = rangesOf(ports.deny ?? []);
  const permitted = complementOf([...denied, ...complementOf(rangesOf(ports.allow))]);
  if (ports.allow.length === 0) return ['ports.allow is empty: no port may be touched'];
  if (permitted.length === 0) return ['ports.deny holds all of ports.allow: no port may be touched'];
  const both = complementOf([...complementOf(denied), ...complementOf(rangesOf(ports.allow))]);
  return when(both.length > 0, `ports ${formatPorts(both)} are allowed and denied: they may not be touched`);
}

function windowNotices(document: EngagementDocument, mayBeEndless: boolean): readonly string[] {
  const window = readWindow(document);
  const { from, until, weekly, blackout } = window;
  if (Number.isFinite(until) && firstOpening(window) === undefined) {
    return ['window is never open: its hours lie outside from and until, or in a blackout'];
  }
  const outside = blackout.filter((each) => each.until <= from || each.from >= until);
  const idle = weekly.filter(
    (hours) => weekly.length > 1 && firstOpening({ ...window, weekly: [hours] }) === undefined,
  );
  return [
    ...when(!Number.isFinite(until) && !mayBeEndless, 'window.until is missing: this permission never expires'),
    ...when(outside.length > 0, `${outside.length} of window.blackout lie outside from and until`),
    ...idle.map(({ text }) => `window.weekly ${quote(text)} never applies between from and until`),
  ];
}

const WEEK_MS = 7 * 86_400_000;

/** Hours come back every week, so without a beginning two weeks before the end tell. */
function firstOpening(window: Window): number | undefined {
  const blackouts = window.blackout.map((each) => each.from);
  const earliest = Math.min(window.until, ...blackouts) - 2 * WEEK_MS;
  const start = Number.isFinite(window.from) ? window.from : earliest;
  if (!Number.isFinite(start)) return 0;
  const { state, opensAt } = windowState(window, start);
  return state === 'open' ? start : opensAt;
}

function approvalNotices({ approvals, principals, risk }: EngagementDocument): readonly string[] {
  if (approvals === undefined) return [];
  const { from, quorum = 1, approvers } = approvals;
  const isAsked = !isAbove(from, risk);
  return [
    ...when(!isAsked, `approvals.from ${from} is above the ceiling ${risk}: nobody is ever asked`),
    ...(approvers === undefined ? [] : approverNotices({ approvers, principals, quorum })),
  ];
}

/** What is only told of an engagement that is not the only one. */
export function amongOthersNotices({ approvals, risk }: EngagementDocument): readonly string[] {
  const isOpen = approvals !== undefined && approvals.approvers === undefined && !isAbove(approvals.from, risk);
  return when(
    isOpen,
    'approvals.approvers is missing: every key with runs:approve sees and decides these requests, also keys of ' +
      "other engagements' principals: list approvers",
  );
}

function approverNotices(people: {
  readonly approvers: readonly string[];
  readonly principals: readonly string[];
  readonly quorum: number;
}): readonly string[] {
  const { approvers, principals, quorum } = people;
  const different = new Set(approvers);
  if (different.size < quorum) {
    return [`approvals.quorum is ${quorum} and approvals.approvers names ${different.size}: nothing can be approved`];
  }
  // Nobody approves what they asked for themselves.
  const stuck = principals.filter((name) => different.has(name) && different.size - 1 < quorum);
  return stuck.map(
    (name) => `approvals.approvers leaves too few besides ${quote(name)}: its own runs cannot be approved`,
  );
}
