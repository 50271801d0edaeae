import type { DiffEntry, Finding } from '../../schemas/finding.ts';
import { findingLine, mostImportant } from '../core/findings/summary.ts';
import { startOf, visibleValue } from './visible.ts';

const MAX_ENTRIES = 20;
const MAX_DEPTH = 4;

/** One line for each of the most important of some findings. */
export function linesOf(findings: readonly Finding[], count: number): string[] {
  return mostImportant(findings, count).map(findingLine);
}

/** A finding for a model: what it cannot use is left out, and no text is longer than that many characters. */
export function findingView(finding: Finding, chars: number): Record<string, unknown> {
  const { id, kind, severity, confidence, target, address, port, protocol, title, evidence } = finding;
  const { references, attributes, firstSeen } = finding;
  const view = {
    id,
    kind,
    severity,
    confidence,
    target,
    ...(address === undefined || address === target ? {} : { address }),
    port,
    protocol,
    title,
    firstSeen,
    ...(evidence === '' ? {} : { evidence }),
    ...(references.length === 0 ? {} : { references }),
    ...(Object.keys(attributes).length === 0 ? {} : { attributes }),
  };
  return visibleValue(clipped(view, chars, 0)) as Record<string, unknown>;
}

/** One line of a comparison for a model: the finding as it is or was, and what was different before. */
export function diffEntryView(entry: DiffEntry, chars: number): Record<string, unknown> {
  const { state, before, after, changes, why } = entry;
  const finding = after ?? before;
  const shown = {
    state,
    ...(changes === undefined ? {} : { changes: changes.slice(0, MAX_ENTRIES) }),
    ...(before === undefined || changes === undefined ? {} : { before: valuesOf(before, changes) }),
    ...(why === undefined ? {} : { why }),
  };
  return {
    ...(visibleValue(clipped(shown, chars, 0)) as Record<string, unknown>),
    ...(finding === undefined ? {} : { finding: findingView(finding, chars) }),
  };
}

/** One line of a comparison as a text. */
export function diffEntryLine({ state, before, after, changes }: DiffEntry): string {
  const finding = after ?? before;
  const what = changes === undefined || changes.length === 0 ? '' : ` (${changes.slice(0, 3).join(', ').slice(0, 80)})`;
  return `${state}${what}: ${finding === undefined ? '' : findingLine(finding)}`;
}

function valuesOf(finding: Finding, changes: readonly string[]): Record<string, unknown> {
  const named = changes.slice(0, MAX_ENTRIES).map((name): [string, unknown] => {
    const attribute = /^attributes\.(.+)$/s.exec(name)?.[1];
    if (attribute === undefined) return [name, own(finding, name)];
    return [name, own(finding.attributes, attribute)];
  });
  return Object.fromEntries(named);
}

// The names of attributes come from tools: an inherited property (CWE-1321) is none of them.
function own(value: object, name: string): unknown {
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

function clipped(value: unknown, chars: number, depth: number): unknown {
  if (typeof value === 'string')
    return value.length <= chars ? value : `${startOf(value, chars)}…[cut ${value.length - chars} characters]`;
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '…';
  const entries = Object.entries(value).slice(0, MAX_ENTRIES);
  const more = Object.keys(value).length - entries.length;
  const kept = entries.map(([name, child]): [string, unknown] => [
    startOf(name, chars),
    clipped(child, chars, depth + 1),
  ]);
  if (Array.isArray(value)) return [...kept.map(([, child]) => child), ...(more > 0 ? [`…[cut ${more} entries]`] : [])];
  return Object.fromEntries(more > 0 ? [...kept, ['…', `cut ${more} entries`]] : kept);
}
