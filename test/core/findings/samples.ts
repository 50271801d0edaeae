import type { Finding } from '../../../schemas/finding.ts';
import type { Run } from '../../../schemas/run-record.ts';
import { type FindingText } from '../../../src/core/findings/field-text.ts';
import { toObservation } from '../../../src/core/findings/observation.ts';
import type { Coverage, FindingDraft } from '../../../src/core/findings/types.ts';
import { createRedactor } from '../../../src/core/redaction/redactor.ts';
import type { FindingStore, SeenFinding } from '../../../src/core/store/types.ts';
import { cleanText } from '../../../src/core/tool/clean-text.ts';

/** Cleaning and masking as a run does it, with the secrets of one call. */
export function findingText(secrets: readonly string[] = []): FindingText {
  const masker = createRedactor().masker({ given: () => secrets });
  return { clean: cleanText, mask: <T>(value: T) => masker.value(value) as T };
}

/** An open port, or what differs from it. */
export function draftOf(patch: Partial<FindingDraft> = {}): FindingDraft {
  return {
    kind: 'port',
    target: '10.77.0.10',
    protocol: 'tcp',
    port: 80,
    title: 'tcp/80 open',
    severity: 'info',
    confidence: 'firm',
    ...patch,
  };
}

/** A finding as a store gives it back for one run. */
export function findingOf(patch: Partial<FindingDraft> = {}, runId = 'run_a'): Finding {
  return seenOf(draftOf(patch), runId).finding;
}

/** A draft as a store gives it back for comparison. */
export function seenOf(draft: FindingDraft, runId = 'run_a'): SeenFinding {
  const { fingerprint, digest, draft: kept } = toObservation(draft, findingText());
  const { key, ...shown } = kept;
  const times = { firstSeen: '2026-01-01T00:00:00.000Z', lastSeen: '2026-01-01T00:00:00.000Z' };
  const finding = {
    id: `fnd_${fingerprint}`,
    fingerprint,
    tool: 'nmap',
    ...shown,
    references: [...kept.references],
    attributes: { ...kept.attributes },
    ...times,
    runId,
  } as Finding;
  return { finding, digest, key };
}

/** A run's record, or what differs from a whole nmap run. */
export function runOf(patch: Partial<Run> = {}): Run {
  const stream = { bytes: 0, truncated: false, keptBytes: 0, sha256: null };
  const at = '2026-01-01T00:00:00.000Z';
  return {
    runId: 'run_a',
    tool: 'nmap',
    toolVersion: '7.95',
    owner: 'somebody',
    engagement: null,
    planDigest: null,
    approval: null,
    requestId: 'req',
    state: 'succeeded',
    risk: 'active',
    createdAt: at,
    startedAt: at,
    endedAt: at,
    queuedMs: 0,
    durationMs: 1,
    timeoutMs: 1000,
    complete: true,
    error: null,
    progress: null,
    targets: [],
    argv: [],
    layers: [],
    degraded: [],
    exitCode: 0,
    stdout: stream,
    stderr: stream,
    findings: { total: 0, bySeverity: { info: 0, low: 0, medium: 0, high: 0, critical: 0 } },
    ...patch,
  };
}

/** A coverage of ports of one network. */
export function portsOf(network: string, from = 1, to = 65_535): Coverage {
  return { areas: [{ kinds: ['port', 'service'], network, protocol: 'tcp', ports: [{ from, to }] }], missing: [] };
}

/** Findings of runs by id, in memory, and how much of them was asked for at once. */
export function memoryFindings(
  runs: Readonly<Record<string, readonly FindingDraft[]>>,
): FindingStore & { readonly reads: { calls: number; largest: number } } {
  const sorted = new Map(
    Object.entries(runs).map(([runId, drafts]) => {
      const distinct = new Map(
        drafts.map((draft) => seenOf(draft, runId)).map((seen) => [seen.finding.fingerprint, seen]),
      );
      return [runId, [...distinct.values()].sort((a, b) => (a.finding.fingerprint < b.finding.fingerprint ? -1 : 1))];
    }),
  );
  const reads = { calls: 0, largest: 0 };
  const unasked = (): never => {
    throw new Error('not part of this store');
  };
  return {
    reads,
    list: unasked,
    ofRun: unasked,
    byFingerprint: async (runId, { limit, after }) => {
      const all = sorted.get(runId) ?? [];
      const page = all.filter(({ finding }) => after === undefined || finding.fingerprint > after).slice(0, limit);
      reads.calls += 1;
      reads.largest = Math.max(reads.largest, page.length);
      return page;
    },
  };
}
