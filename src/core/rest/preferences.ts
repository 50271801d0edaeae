import { SallyportError } from '../errors.ts';

/** What a caller prefers of the two preferences that are known here (RFC 7240 sections 4.1 and 4.3). */
export interface Preferences {
  /** `respond-async`: the caller does not need the end, and the run survives its leaving. */
  readonly isAsync: boolean;
  /** `wait`, milliseconds. */
  readonly waitMs: number | undefined;
}

interface Preference {
  readonly name: string;
  readonly value: string;
}

const MAX_WAIT_SECONDS = 3600;
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const PREFERENCE = new RegExp(`^(${TOKEN})(?:[ \\t]*=[ \\t]*(${TOKEN}|"(?:[^"\\\\]|\\\\.)*"))?$`);

/**
 * Reads a Prefer header (RFC 7240): of a preference given twice the first counts, unknown ones and parameters are
 * ignored. Throws ERR_INPUT_INVALID for a header that cannot be read and for a `wait` that is not 0 to 3600 seconds.
 */
export function preferencesOf(header: string | readonly string[] | undefined): Preferences {
  const text = typeof header === 'string' ? header : (header ?? []).join(',');
  const given = new Map<string, string>();
  for (const item of split(text, ',')) {
    const preference = readPreference(item);
    if (preference !== undefined && !given.has(preference.name)) given.set(preference.name, preference.value);
  }
  const async = given.get('respond-async');
  if (async !== undefined && async !== '') throw unreadable('respond-async takes no value');
  return { isAsync: async !== undefined, waitMs: waitOf(given.get('wait')) };
}

/** The Preference-Applied header of an answer; undefined when no preference made a difference. */
export function appliedPreferences(preferences: Preferences, kind: 'ended' | 'going_on'): string | undefined {
  const applied = [
    ...(preferences.isAsync && kind === 'going_on' ? ['respond-async'] : []),
    ...(preferences.waitMs === undefined ? [] : [`wait=${preferences.waitMs / 1000}`]),
  ];
  return applied.length === 0 ? undefined : applied.join(', ');
}

function waitOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const seconds = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (seconds <= MAX_WAIT_SECONDS) return seconds * 1000;
  throw unreadable(`wait is a whole number of seconds from 0 to ${MAX_WAIT_SECONDS}`);
}

/** One preference without its parameters; an empty list member is none. */
function readPreference(item: string): Preference | undefined {
  const [first = ''] = split(item, ';');
  if (first === '') {
    if (item.trim() === '') return undefined;
    throw unreadable('a parameter without its preference');
  }
  const match = PREFERENCE.exec(first);
  if (match?.[1] === undefined) throw unreadable('write name or name=value');
  const value = match[2] ?? '';
  const bare = value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value;
  return { name: match[1].toLowerCase(), value: bare };
}

/** Splits outside quotation marks. By hand: a pattern for it would backtrack over what an attacker repeats. */
function split(text: string, separator: string): string[] {
  const parts: string[] = [];
  let isQuoted = false;
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (isQuoted && text[at] === '\\') at += 1;
    else if (text[at] === '"') isQuoted = !isQuoted;
    else if (!isQuoted && text[at] === separator) {
      parts.push(text.slice(start, at).trim());
      start = at + 1;
    }
  }
  return [...parts, text.slice(start).trim()];
}

function unreadable(why: string): SallyportError {
  return new SallyportError('ERR_INPUT_INVALID', `The Prefer header cannot be read: ${why}.`, {
    details: { header: 'Prefer' },
  });
}
