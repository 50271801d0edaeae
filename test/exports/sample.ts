import * as fc from 'fast-check';
import { CONFIDENCES, FINDING_KINDS, type Finding, SEVERITIES } from '../../schemas/finding.ts';
import type { Run } from '../../schemas/run-record.ts';
import type { Coverage, ExportSource } from '../../src/core/findings/types.ts';
import { type ExportFormat, exportText } from '../../src/exports/formats.ts';

const EMPTY_STREAM = { bytes: 0, truncated: false, keptBytes: 0, sha256: null };

/** A run that succeeded and saw everything. */
export function sampleRun(change: Partial<Run> = {}): Run {
  return {
    runId: '0192f0c1-7c1e-7a55-9d5e-2f6d6a0b4a11',
    tool: 'nmap',
    toolVersion: '7.93',
    owner: 'key_lab',
    engagement: 'lab-2026',
    planDigest: null,
    approval: null,
    requestId: 'b0c8f3a2-3f5e-4a55-8d5e-111111111111',
    state: 'succeeded',
    risk: 'active',
    createdAt: '2026-03-01T10:00:00.000Z',
    startedAt: '2026-03-01T10:00:01.000Z',
    endedAt: '2026-03-01T10:04:31.500Z',
    queuedMs: 1000,
    durationMs: 270_500,
    timeoutMs: 600_000,
    complete: true,
    error: null,
    progress: null,
    targets: [
      { role: 'targets', given: 'web.lab.test', canonical: 'web.lab.test', addresses: ['10.77.0.10'] },
      { role: 'targets', given: '10.77.0.20', canonical: '10.77.0.20', addresses: ['10.77.0.20'] },
    ],
    argv: ['-n', '-Pn', '-sV', '-p', '1-1000', '-oX', '-', '10.77.0.10', '10.77.0.20'],
    layers: ['privileges', 'namespaces', 'seccomp'],
    degraded: [],
    exitCode: 0,
    stdout: { bytes: 18_230, truncated: false, keptBytes: 18_230, sha256: 'a'.repeat(64) },
    stderr: EMPTY_STREAM,
    findings: { total: 3, bySeverity: { critical: 1, high: 0, medium: 1, low: 0, info: 1 } },
    ...change,
  };
}

/** A plain finding; every text can be another. */
export function sampleFinding(change: Partial<Finding> = {}): Finding {
  return {
    id: 'fnd_1',
    fingerprint: '0123456789abcdef0123456789abcdef',
    tool: 'nmap',
    kind: 'service',
    target: 'web.lab.test',
    address: '10.77.0.10',
    port: 80,
    protocol: 'tcp',
    title: 'http: nginx 1.22.1',
    severity: 'info',
    confidence: 'firm',
    evidence: '',
    references: [],
    attributes: { state: 'open', service: 'http', product: 'nginx', version: '1.22.1' },
    firstSeen: '2026-03-01T10:02:00.000Z',
    lastSeen: '2026-03-01T10:02:00.000Z',
    runId: '0192f0c1-7c1e-7a55-9d5e-2f6d6a0b4a11',
    ...change,
  };
}

/** Everything that was asked for, looked at. */
export const WHOLE: Coverage = {
  areas: [
    { kinds: ['host', 'port', 'service'], network: '10.77.0.10', protocol: 'tcp', ports: [{ from: 1, to: 1000 }] },
  ],
  missing: [],
};

/** A source of these parts; `read` counts the findings that were taken and says whether the reader let go. */
export function sourceOf(
  run: Run,
  findings: Iterable<Finding>,
  coverage: Coverage | undefined = WHOLE,
): ExportSource & { readonly read: { count: number; closed: boolean } } {
  const read = { count: 0, closed: false };
  async function* pages(): AsyncGenerator<Finding> {
    try {
      for (const finding of findings) {
        read.count += 1;
        yield finding;
      }
    } finally {
      read.closed = true;
    }
  }
  return { run, coverage, findings: pages, version: '0.1.0', exportedAt: '2026-03-02T08:00:00.000Z', read };
}

/** The whole text of an export. */
export async function textOf(format: ExportFormat, source: ExportSource): Promise<string> {
  let text = '';
  for await (const part of exportText(format, source)) text += part;
  return text;
}

/** Texts as a hostile target writes them into banners, titles and names. */
export const HOSTILE_TEXTS = [
  '<script>document.title="pwned"</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '</pre></td></table><h1>All clear</h1>',
  '</style><script>alert(1)</script>',
  '<!-- ',
  ']]>',
  '[click me](javascript:alert(1))',
  '![x](http://evil.test/x.png)',
  'a`b``c```d',
  '```\n# Heading\n[x](http://evil.test)\n```',
  'one | two \\| three',
  '<http://evil.test> www.evil.test @admin #1',
  "=cmd|'/C calc'!A0",
  '@SUM(1+1)',
  '+1',
  '-1+1',
  '"=1+1"',
  ' =1+1',
  'a;=1+1',
  'a,"=1+1',
  '\t=1+1',
  '\r=1+1',
  '\uff1d1+1',
  'abc\u202edef\u2066',
  'tag\u{e0041}\u{e0042}',
  'nul\u0000 esc\u001b[31m bell\u0007',
  'lone \ud800 surrogate',
  'line\u2028separator\u2029',
  '..',
  '../../etc/passwd',
  '{0} {{x}}',
  '%s%n ${7*7} {{7*7}}',
  '\\u{202e}',
  '',
] as const;

const text = fc.oneof(
  fc.constantFrom(...HOSTILE_TEXTS),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.array(fc.constantFrom(...HOSTILE_TEXTS), { maxLength: 4 }).map((parts) => parts.join('')),
);

/** Findings whose every free text is hostile. */
export const anyFinding: fc.Arbitrary<Finding> = fc
  .record({
    kind: fc.constantFrom(...FINDING_KINDS),
    severity: fc.constantFrom(...SEVERITIES),
    confidence: fc.constantFrom(...CONFIDENCES),
    target: fc.oneof(text, fc.constantFrom('10.77.0.10', '2001:db8::1', 'http://web.lab.test:8080/a?b=c')),
    title: text,
    evidence: text,
    protocol: fc.constantFrom('tcp', 'udp', '<b>'),
    references: fc.array(fc.oneof(text, fc.constantFrom('CVE-2021-44228', 'CWE-89', 'RFC 9110')), { maxLength: 3 }),
    attributes: fc.dictionary(text, fc.oneof(text, fc.integer(), fc.constant(null), fc.array(text, { maxLength: 2 }))),
    fingerprint: fc.stringMatching(/^[0-9a-f]{32}$/),
  })
  .chain((parts) =>
    fc.tuple(fc.option(fc.integer({ min: 0, max: 65_535 })), fc.option(text)).map(([port, address]) => {
      const { address: _address, port: _port, ...rest } = sampleFinding(parts);
      return { ...rest, ...(port === null ? {} : { port }), ...(address === null ? {} : { address }) };
    }),
  );
