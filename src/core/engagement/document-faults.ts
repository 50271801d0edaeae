import type { EngagementDocument } from '../../../schemas/engagement.ts';
import { cleanText } from '../redaction/untrusted.ts';
import { parsePorts } from '../targets/ports.ts';
import { quote } from '../targets/rules.ts';
import { parseScope } from '../targets/scope.ts';
import type { InputFault } from '../tool/input-validator.ts';
import { parseMoment } from './moment.ts';
import { EVERYBODY } from './principals.ts';
import { parseWeekly } from './weekly.ts';

const TOOL_PATTERN = /^[A-Za-z0-9_*-]{1,64}$/;

/** What a schema cannot say: every fault of a document that fits it, by JSON Pointer. */
export function documentFaults(document: EngagementDocument): readonly InputFault[] {
  return [
    ...textFaults(document),
    ...principalFaults('/principals', document.principals),
    ...principalFaults('/approvals/approvers', document.approvals?.approvers ?? [], false),
    ...scopeFaults(document),
    ...portFaults(document),
    ...toolFaults(document),
    ...windowFaults(document),
  ];
}

/** Shown to people and models as the operator's own words: what cannot be seen has no place in them. */
function textFaults({ title, approver, window }: EngagementDocument): readonly InputFault[] {
  const reasons = (window?.blackout ?? []).map(({ reason = '' }, at) => [`/window/blackout/${at}/reason`, reason]);
  return [['/title', title], ['/approver', approver], ...reasons].flatMap(([path = '', text = '']) =>
    isPlain(text) ? [] : [{ path, message: 'must be one line without control and invisible characters' }],
  );
}

function isPlain(text: string): boolean {
  return text.isWellFormed() && cleanText(text, 512) === text;
}

/** Names are compared exactly: an entry that looks like another one, or like a pattern, would permit nobody unnoticed. */
function principalFaults(path: string, names: readonly string[], mayBeEverybody = true): readonly InputFault[] {
  return names.flatMap((name, at) => {
    const here = `${path}/${at}`;
    if (!isPlain(name) || name.trim() !== name) {
      return [{ path: here, message: 'must be a name or id without spaces around it and invisible characters' }];
    }
    if (!name.includes('*') || (name === EVERYBODY && mayBeEverybody)) return [];
    const instead = mayBeEverybody ? '; * alone is every key' : '; leave the list out for every key with runs:approve';
    return [{ path: here, message: `${quote(name)} is no name: names are compared exactly${instead}` }];
  });
}

function scopeFaults({ scope }: EngagementDocument): readonly InputFault[] {
  return parseScope(scope.allow, scope.deny ?? []).map((sentence) => {
    const [, list, index, message] = /^scope\.(allow|deny)\[(\d+)\] (.*)$/s.exec(sentence) ?? [];
    return message === undefined ? { path: '/scope', message: sentence } : { path: `/scope/${list}/${index}`, message };
  });
}

function portFaults({ ports }: EngagementDocument): readonly InputFault[] {
  return (['allow', 'deny'] as const).flatMap((list) =>
    (ports?.[list] ?? []).flatMap((text, at) => {
      const read = parsePorts(text);
      return read.ok ? [] : [{ path: `/ports/${list}/${at}`, message: read.fault }];
    }),
  );
}

function toolFaults({ tools }: EngagementDocument): readonly InputFault[] {
  return (['allow', 'deny'] as const).flatMap((list) =>
    (tools[list] ?? []).flatMap((text, at) =>
      TOOL_PATTERN.test(text)
        ? []
        : [{ path: `/tools/${list}/${at}`, message: `${quote(text)} is no tool name or * pattern of one` }],
    ),
  );
}

function windowFaults({ window = {} }: EngagementDocument): readonly InputFault[] {
  const weekly = (window.weekly ?? []).flatMap((text, at) => {
    const read = parseWeekly(text);
    return read.ok ? [] : [{ path: `/window/weekly/${at}`, message: read.fault }];
  });
  const blackouts = (window.blackout ?? []).flatMap((blackout, at) => spanFaults(`/window/blackout/${at}`, blackout));
  // An empty list would be read as "any hour" by some and as "no hour" by others.
  const empty =
    window.weekly?.length === 0 ? [{ path: '/window/weekly', message: 'must name hours or be left out' }] : [];
  return [...spanFaults('/window', window), ...empty, ...weekly, ...blackouts];
}

function spanFaults(path: string, span: { readonly from?: string; readonly until?: string }): readonly InputFault[] {
  const moments = (['from', 'until'] as const).map((end) => {
    const text = span[end];
    return { end, read: text === undefined ? undefined : parseMoment(text) };
  });
  const faults = moments.flatMap(({ end, read }) =>
    read === undefined || read.ok ? [] : [{ path: `${path}/${end}`, message: read.fault }],
  );
  const [from, until] = moments.map(({ read }) => (read?.ok === true ? read.value : undefined));
  const isBackwards = from !== undefined && until !== undefined && from >= until;
  return isBackwards ? [...faults, { path: `${path}/until`, message: 'must be after from' }] : faults;
}
