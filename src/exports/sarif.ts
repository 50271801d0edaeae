import { FINDING_KINDS, type Finding, type FindingKind, type Severity } from '../../schemas/finding.ts';
import type { ExportSource } from '../core/findings/types.ts';
import { openObject, UNTRUSTED } from './json.ts';
import { isWhole, NOTICES, noticesOf } from './notices.ts';
import { placeOf, weaknessesOf } from './place.ts';
import { titleOf } from './report.ts';
import { jsonText, visible, visibleLines } from './visible.ts';

const KINDS: Readonly<Record<FindingKind, readonly [name: string, text: string]>> = {
  host: ['HostFound', 'A host answered.'],
  port: ['PortFound', 'A port was seen in a state worth telling.'],
  service: ['ServiceFound', 'A service was recognised at a port.'],
  script: ['ScriptResult', 'A script of the scanner reported something.'],
  dns_record: ['DnsRecord', 'A DNS record exists.'],
  path: ['PathFound', 'A path answered on a web server.'],
  credential: ['CredentialFound', 'A login was accepted.'],
  injection: ['InjectionFound', 'An input can be injected into.'],
  tls: ['TlsFinding', 'A property of a TLS service.'],
  note: ['Note', 'Something the tool remarked.'],
};

const LEVELS: Readonly<Record<Severity, readonly [level: 'note' | 'warning' | 'error', rank: number]>> = {
  info: ['note', 0],
  low: ['note', 25],
  medium: ['warning', 50],
  high: ['error', 75],
  critical: ['error', 100],
};

/**
 * SARIF 2.1.0 (OASIS) with one rule per kind of finding. A severity is the result's `level`, and its `rank` (3.27.25)
 * where two severities share a level.
 */
export async function* writeSarif(source: ExportSource): AsyncGenerator<string> {
  const { run } = source;
  yield openObject({
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
  });
  yield `,"runs":[${openObject({
    tool: toolOf(source),
    invocations: [invocationOf(source)],
    // GitHub takes everything before the last slash for the category: one tool's results do not close another's.
    automationDetails: { id: `sallyport/${run.tool}/${run.runId}`, description: { text: titleOf(source) } },
    properties: {
      runId: run.runId,
      state: run.state,
      complete: run.complete,
      exportedAt: source.exportedAt,
      untrusted: UNTRUSTED,
    },
  })}`;
  yield ',"results":[';
  let isFirst = true;
  for await (const finding of source.findings()) {
    yield `${isFirst ? '\n' : ',\n'}${jsonText(resultOf(finding))}`;
    isFirst = false;
  }
  yield '\n]}]}\n';
}

function toolOf({ run, version }: ExportSource): object {
  return {
    driver: {
      name: `Sallyport ${run.tool}`,
      version,
      rules: FINDING_KINDS.map((kind) => ({
        id: kind,
        name: KINDS[kind][0],
        shortDescription: { text: KINDS[kind][1] },
        fullDescription: { text: KINDS[kind][1] },
        help: { text: `${KINDS[kind][1]} Each result says where, and what was seen.` },
        defaultConfiguration: { level: 'note' },
        properties: { tags: ['security', 'network'] },
      })),
      notifications: Object.entries(NOTICES).map(([id, text]) => ({ id, shortDescription: { text } })),
    },
    extensions: [{ name: run.tool, ...(run.toolVersion === null ? {} : { version: run.toolVersion }) }],
  };
}

function invocationOf(source: ExportSource): object {
  const { run } = source;
  return {
    executionSuccessful: isWhole(source),
    arguments: run.argv,
    ...(run.startedAt === null ? {} : { startTimeUtc: run.startedAt }),
    ...(run.endedAt === null ? {} : { endTimeUtc: run.endedAt }),
    ...(run.exitCode === null ? {} : { exitCode: run.exitCode }),
    toolExecutionNotifications: noticesOf(source).map(({ code, level, text }) => ({
      descriptor: { id: code },
      level,
      message: { text: messageText(text) },
    })),
  };
}

function resultOf(finding: Finding): object {
  const { kind, severity, confidence, title, evidence, attributes, references, fingerprint } = finding;
  const [level, rank] = LEVELS[severity];
  const tags = new Set([severity, ...weaknessesOf(finding).map((number) => `external/cwe/cwe-${number}`)]);
  return {
    ruleId: kind,
    ruleIndex: FINDING_KINDS.indexOf(kind),
    level,
    rank,
    message: { text: messageText(`${title} at ${placeOf(finding)}`) },
    locations: [locationOf(finding)],
    // GitHub compares `primaryLocationLineHash` only; without it, it would look for a source file that there is not.
    partialFingerprints: { 'sallyport/v1': fingerprint, primaryLocationLineHash: `${fingerprint}:1` },
    properties: {
      tags: [...tags],
      severity,
      confidence,
      title,
      evidence,
      references,
      attributes,
      firstSeen: finding.firstSeen,
      lastSeen: finding.lastSeen,
    },
  };
}

function locationOf(finding: Finding): object {
  const { target, port, protocol, evidence } = finding;
  const parts = [target, ...(port === undefined ? [] : [protocol ?? 'tcp', String(port)])];
  return {
    // GitHub and DefectDojo show no result without a file and a line.
    physicalLocation: {
      artifactLocation: { uri: parts.map(uriSegment).join('/') },
      region: { startLine: 1, ...(evidence === '' ? {} : { snippet: { text: visibleLines(evidence) } }) },
    },
    logicalLocations: [
      { name: visible(parts.at(-1) ?? ''), fullyQualifiedName: visible(parts.join('/')), kind: 'resource' },
    ],
  };
}

/**
 * A target as one segment of a relative URI reference (RFC 3986). GitHub refuses the whole file when a location has a
 * scheme, and `..` in a target must not lead out of the reader's directory.
 */
function uriSegment(text: string): string {
  if (text === '' || /^\.+$/.test(text)) return '_';
  return encodeURIComponent(text.toWellFormed());
}

/**
 * Plain text of a message: braces doubled (3.11.5), and no embedded link (3.11.6), because `[text](url)` in a banner
 * would be a link of the attacker's in the reader's tracker.
 */
function messageText(text: string): string {
  return visible(text).replaceAll('{', '{{').replaceAll('}', '}}').replaceAll('](', '] (');
}
