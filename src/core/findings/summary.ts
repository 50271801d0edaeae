import { CONFIDENCES, type Finding, type FindingKind, SEVERITIES } from '../../../schemas/finding.ts';
import { cleanText } from '../redaction/untrusted.ts';
import { cutText } from './field-text.ts';

/** Longest line about one finding, UTF-16 units. */
export const MAX_LINE = 300;
const MAX_PLACE = 64;
/** As much of a text as is cleaned for a line. */
const MAX_READ = 4096;

/** Within one severity, what a reader acts on first. */
const KIND_ORDER: Readonly<Record<FindingKind, number>> = {
  injection: 0,
  credential: 1,
  tls: 2,
  script: 3,
  service: 4,
  path: 5,
  port: 6,
  dns_record: 7,
  host: 8,
  note: 9,
};

/**
 * The `count` most important findings: worst severity first, then by kind, then the surest; at the end by place, so that
 * the order is the same for every order of the input. Reads the input once and keeps `count` of it.
 */
export function mostImportant(findings: Iterable<Finding>, count: number): Finding[] {
  const best: Finding[] = [];
  if (count < 1) return best;
  for (const finding of findings) {
    const last = best.at(-1);
    if (best.length >= count && last !== undefined && compareImportance(finding, last) >= 0) continue;
    best.splice(placeAmong(best, finding), 0, finding);
    if (best.length > count) best.pop();
  }
  return best;
}

/** Orders two findings, the more important one first. */
export function compareImportance(one: Finding, other: Finding): number {
  return (
    SEVERITIES.indexOf(other.severity) - SEVERITIES.indexOf(one.severity) ||
    KIND_ORDER[one.kind] - KIND_ORDER[other.kind] ||
    CONFIDENCES.indexOf(other.confidence) - CONFIDENCES.indexOf(one.confidence) ||
    compareTexts(one.target, other.target) ||
    (one.port ?? -1) - (other.port ?? -1) ||
    compareTexts(one.fingerprint, other.fingerprint)
  );
}

/**
 * One finding as one line of at most MAX_LINE for a model's context: `high credential 10.77.0.20 tcp/22 "…"`. What the
 * target wrote stands in JSON quotes, without anything invisible: it cannot begin a line or pass for our words.
 */
export function findingLine(finding: Finding): string {
  const { severity, kind, target, address, confidence, title } = finding;
  const place = address === undefined || address === target ? quoted(target) : `${quoted(target)} (${quoted(address)})`;
  const port = portOf(finding);
  const head = [
    severity,
    kind,
    place,
    ...(port === '' ? [] : [port]),
    ...(confidence === 'tentative' ? [confidence] : []),
  ];
  const start = `${head.join(' ')} `;
  return start + quotedWithin(title, MAX_LINE - start.length);
}

/** The most important findings as lines that together, with their newlines, have at most `maxLength` UTF-16 units. */
export function importantLines(findings: Iterable<Finding>, bounds: { count: number; maxLength: number }): string[] {
  const lines: string[] = [];
  let length = 0;
  for (const finding of mostImportant(findings, bounds.count)) {
    const line = findingLine(finding);
    length += line.length + 1;
    if (length > bounds.maxLength) break;
    lines.push(line);
  }
  return lines;
}

function portOf({ port, protocol }: Finding): string {
  if (port === undefined) return '';
  return protocol === undefined ? `port ${port}` : `${cleanText(protocol, 8)}/${port}`;
}

/** A place of plain characters stands as it is; anything else could be a sentence. */
function quoted(place: string): string {
  return /^[\w.:/[\]%~?&=,+@-]*$/.test(place) && place.length <= MAX_PLACE ? place : quotedWithin(place, MAX_PLACE);
}

/** In JSON quotes, at most `maxLength`: escapes make a text longer, so it is shortened until it fits. */
function quotedWithin(text: string, maxLength: number): string {
  const clean = cleanText(text, MAX_READ);
  for (let room = maxLength - 2; room > 0; room -= 8) {
    const line = JSON.stringify(cutText(clean, room));
    if (line.length <= maxLength) return line;
  }
  return '""';
}

function placeAmong(best: readonly Finding[], finding: Finding): number {
  const at = best.findIndex((each) => compareImportance(finding, each) < 0);
  return at < 0 ? best.length : at;
}

function compareTexts(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
