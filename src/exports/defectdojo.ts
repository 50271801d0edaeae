import { isIP } from 'node:net';
import type { Confidence, Finding } from '../../schemas/finding.ts';
import type { ExportSource } from '../core/findings/types.ts';
import { openObject } from './json.ts';
import { code, codeBlock } from './markdown-text.ts';
import { isWhole, noticesOf } from './notices.ts';
import { attributesOf, placeOf, urlOf, weaknessesOf } from './place.ts';
import { jsonText, visible } from './visible.ts';

// DefectDojo reads 2 and less as certain, up to 5 as firm, above as tentative.
const CONFIDENCE: Readonly<Record<Confidence, number>> = { confirmed: 1, firm: 4, tentative: 7 };
/** Its columns hold so many characters; one more refuses the whole file. */
const MAX_TITLE = 511;
const MAX_URL_PART = 500;

/**
 * DefectDojo's Generic Findings Import in JSON, with fields that every 2.x version knows: it refuses the whole file for
 * one that it does not. Its texts are Markdown.
 */
export async function* writeDefectDojo(source: ExportSource): AsyncGenerator<string> {
  const { run, version } = source;
  const whole = isWhole(source);
  yield openObject({
    name: `Sallyport ${run.tool} run ${run.runId}${whole ? '' : ' (INCOMPLETE)'}`,
    type: `Sallyport ${run.tool}`,
    version,
    description: descriptionOf(source),
    dynamic_tool: true,
    static_tool: false,
  });
  yield ',"findings":[';
  let isFirst = true;
  for await (const finding of source.findings()) {
    yield `${isFirst ? '\n' : ',\n'}${jsonText(itemOf(finding, whole))}`;
    isFirst = false;
  }
  yield '\n]}\n';
}

function descriptionOf(source: ExportSource): string {
  const { run, exportedAt } = source;
  const warning = isWhole(source)
    ? []
    : ['**INCOMPLETE: do not close findings because they are not in this file.**', ''];
  return [
    ...warning,
    `Run ${code(run.runId)} of ${code(run.tool)}, state ${code(run.state)}, exported at ${exportedAt}.`,
    '',
    ...noticesOf(source).map(({ level, text }) => `* ${level}: ${code(text)}`),
  ].join('\n');
}

function itemOf(finding: Finding, whole: boolean): object {
  const { title, severity, kind, confidence, references, fingerprint, firstSeen } = finding;
  const [cwe] = weaknessesOf(finding);
  const endpoint = endpointOf(finding);
  const vulnerabilities = references.filter((text) => /^CVE-\d{4}-\d{4,10}$/.test(text));
  return {
    title: cut(visible(`${title} at ${placeOf(finding)}`), MAX_TITLE),
    severity: `${severity.charAt(0).toUpperCase()}${severity.slice(1)}`,
    // DefectDojo hashes it to recognise a finding: nothing of a single run may stand in it.
    description: findingText(finding),
    date: firstSeen.slice(0, 10),
    ...(cwe === undefined ? {} : { cwe }),
    ...(vulnerabilities.length === 0 ? {} : { vulnerability_ids: vulnerabilities }),
    ...(references.length === 0 ? {} : { references: references.map((text) => `* ${code(text)}`).join('\n') }),
    active: true,
    verified: confidence === 'confirmed',
    static_finding: false,
    dynamic_finding: true,
    scanner_confidence: CONFIDENCE[confidence],
    unique_id_from_tool: fingerprint,
    vuln_id_from_tool: kind,
    tags: ['sallyport', finding.tool, kind, ...(whole ? [] : ['incomplete-run'])],
    ...(endpoint === undefined ? {} : { endpoints: [endpoint] }),
  };
}

function findingText(finding: Finding): string {
  const attributes = attributesOf(finding).map(([name, value]) => `* ${code(name)}: ${code(value)}`);
  return [
    `${code(finding.title)} at ${code(placeOf(finding))}, kind ${code(finding.kind)}, ${finding.confidence}.`,
    ...(attributes.length === 0 ? [] : ['', ...attributes]),
    ...(finding.evidence === '' ? [] : ['', 'Evidence (text of the target):', '', codeBlock(finding.evidence)]),
  ].join('\n');
}

/** Only what DefectDojo's own checks of an endpoint let pass; what does not stands in the title all the same. */
function endpointOf({ target, address, port, protocol }: Finding): object | undefined {
  const url = urlOf(target);
  const host = (url?.hostname ?? target).replace(/^\[(.*)\]$/, '$1');
  const known = [host, address ?? ''].find((text) => isIP(text) !== 0 || /^[a-z0-9_][a-z0-9_.-]{1,252}$/i.test(text));
  if (known === undefined) return undefined;
  const scheme = url?.protocol.slice(0, -1) ?? protocol;
  const path = url === undefined ? '' : url.pathname.slice(1);
  const number = port ?? (url === undefined || url.port === '' ? undefined : Number(url.port));
  return {
    host: known,
    ...(scheme === undefined || !/^[a-z][a-z0-9.+-]{1,19}$/i.test(scheme) ? {} : { protocol: scheme }),
    ...(number === undefined ? {} : { port: number }),
    ...(path === '' || path.length > MAX_URL_PART ? {} : { path }),
  };
}

function cut(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
