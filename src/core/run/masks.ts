import type { DiffEntry, Finding } from '../../../schemas/finding.ts';
import type { RunResult } from '../../../schemas/run.ts';
import type { Run } from '../../../schemas/run-record.ts';
import type { Coverage } from '../findings/types.ts';
import type { Masker } from '../redaction/redactor.ts';
import type { RunEvent } from './types.ts';

type Target = RunResult['targets'][number];

/** Only what can hold a word of the caller or the target: the rest are words and numbers of ours, which readers act on. */
export function maskResult(result: RunResult, mask: Masker): RunResult {
  return {
    ...result,
    targets: result.targets.map((target) => maskTarget(target, mask)),
    argv: result.argv.map((argument) => mask.text(argument)),
    // A path is made of names of properties, and those may come from the target.
    cuts: result.cuts.map((cut) => ({ ...cut, path: mask.text(cut.path) })),
    result: mask.value(result.result),
  };
}

/** A record as its readers may see it. */
export function maskRecord(run: Run, mask: Masker): Run {
  const { error, progress } = run;
  return {
    ...run,
    targets: run.targets.map((target) => maskTarget(target, mask)),
    argv: run.argv.map((argument) => mask.text(argument)),
    error: error === null ? null : { code: error.code, message: mask.text(error.message) },
    progress: progress?.message === undefined ? progress : { ...progress, message: mask.text(progress.message) },
  };
}

/** A finding as its readers may see it. */
export function maskFinding(finding: Finding, mask: Masker): Finding {
  return {
    ...finding,
    target: mask.text(finding.target),
    ...(finding.address === undefined ? {} : { address: maskAddress(finding.address, mask) }),
    title: mask.text(finding.title),
    evidence: mask.text(finding.evidence),
    references: finding.references.map((reference) => mask.text(reference)),
    attributes: mask.value(finding.attributes) as Finding['attributes'],
  };
}

/** What a run looked at, as exports show it: a subject is a URL of the caller, with what stands in it. */
export function maskCoverage(coverage: Coverage, mask: Masker): Coverage {
  return {
    areas: coverage.areas.map(({ subject, method, ...area }) => ({
      ...area,
      ...(subject === undefined ? {} : { subject: mask.text(subject) }),
      ...(method === undefined ? {} : { method: mask.text(method) }),
    })),
    missing: coverage.missing.map((text) => mask.text(text)),
  };
}

/** One line of a comparison; each side is masked for the owner of its run, and what is said of both for both. */
export function maskDiffEntry(entry: DiffEntry, masks: { readonly before: Masker; readonly after: Masker }): DiffEntry {
  const { before, after, changes, why } = entry;
  const both = (text: string) => masks.after.text(masks.before.text(text));
  return {
    state: entry.state,
    ...(before === undefined ? {} : { before: maskFinding(before, masks.before) }),
    ...(after === undefined ? {} : { after: maskFinding(after, masks.after) }),
    ...(changes === undefined ? {} : { changes: changes.map(both) }),
    ...(why === undefined ? {} : { why: both(why) }),
  };
}

/** Words and numbers of ours in the data of events; every other text is masked, one that is added later too. */
const OURS: ReadonlySet<string> = new Set([
  'at',
  'state',
  'code',
  'stream',
  'kind',
  'severity',
  'protocol',
  'fingerprint',
]);

/** An event as its readers may see it. A target that takes `stdout` as a password takes no word of ours out of it. */
export function maskEvent(event: RunEvent, mask: Masker): RunEvent {
  const data = maskData(event.data, mask);
  const { text } = data;
  return {
    ...event,
    data: event.type === 'output' && typeof text === 'string' ? { ...data, text: maskOutput(text, mask) } : data,
  };
}

function maskData(data: Readonly<Record<string, unknown>>, mask: Masker): Record<string, unknown> {
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, maskDatum(name, value, mask)]));
}

function maskDatum(name: string, value: unknown, mask: Masker): unknown {
  if (typeof value === 'string') {
    if (OURS.has(name)) return value;
    return name === 'address' ? maskAddress(value, mask) : mask.text(value);
  }
  if (Array.isArray(value) || typeof value !== 'object' || value === null) return mask.value(value);
  return maskData(value as Record<string, unknown>, mask);
}

/**
 * The raw output of a tool with every secret masked, and single words that are one: a password of four letters is too
 * short to be looked for inside other words, but a tool prints it as a word of its own.
 */
export function maskOutput(text: string, mask: Masker): string {
  const words = new Map<string, string>();
  return mask.text(text).replace(/[^\s"',;:=]{1,8}/g, (word) => {
    const shown = words.get(word) ?? mask.text(word);
    words.set(word, shown);
    return shown;
  });
}

/** An address is one whatever was guessed as a password; a text in its place is a text. */
function maskAddress(address: string, mask: Masker): string {
  return /^[0-9a-f.:]{2,45}$/i.test(address) ? address : mask.text(address);
}

function maskTarget(target: Target, mask: Masker): Target {
  return { ...target, given: mask.text(target.given), canonical: mask.text(target.canonical) };
}
