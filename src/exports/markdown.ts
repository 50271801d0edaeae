import type { Finding } from '../../schemas/finding.ts';
import type { ExportSource } from '../core/findings/types.ts';
import { UNTRUSTED } from './json.ts';
import { code, codeBlock } from './markdown-text.ts';
import { noticesOf } from './notices.ts';
import { attributesOf, placeOf } from './place.ts';
import {
  areaLabel,
  countsOf,
  endOf,
  factsOf,
  gatherHosts,
  type HostChapter,
  type HostGathering,
  REPORT_LIMITS,
  titleOf,
} from './report.ts';
import { shortened } from './visible.ts';

/**
 * A report in GitHub Flavored Markdown. Every text of a tool or target stands in a code span or a code block, where it
 * is no link, no HTML and no mention.
 */
export async function* writeMarkdown(source: ExportSource): AsyncGenerator<string> {
  yield headOf(source);
  yield '## Findings\n\n| severity | kind | where | what | confidence |\n| --- | --- | --- | --- | --- |\n';
  const hosts = gatherHosts(source);
  for await (const finding of source.findings()) {
    if (!hosts.add(finding)) break;
    yield tableRow(finding);
  }
  yield afterTable(hosts);
  yield '## Hosts\n\n';
  for (const chapter of hosts.chapters()) yield hostText(chapter);
  yield leftOut(hosts.leftOut().details, 'not told per host');
  yield coverageText(source);
  yield appendix(source);
  yield `---\n\n${endOf(source, hosts.shown())}\n`;
}

function headOf(source: ExportSource): string {
  const { run } = source;
  const notices = noticesOf(source).filter(({ level }) => level !== 'note');
  const facts = factsOf(source).map(([label, value]) => `| ${label} | ${code(value)} |\n`);
  const counts = countsOf(source).map(([severity, count]) => `| ${severity} | ${count} |\n`);
  return [
    `# ${titleOf(source)}\n\n`,
    notices.length === 0 ? '' : `${notices.map(({ level, text }) => `> **${level}:** ${code(text)}\n>\n`).join('')}\n`,
    `## Run\n\n| | |\n| --- | --- |\n${facts.join('')}\n`,
    `## Summary\n\n| severity | findings |\n| --- | ---: |\n${counts.join('')}| all | ${run.findings.total} |\n\n`,
  ].join('');
}

function tableRow(finding: Finding): string {
  const title = shortened(finding.title, REPORT_LIMITS.attribute);
  return `| ${finding.severity} | ${finding.kind} | ${code(placeOf(finding))} | ${code(title)} | ${finding.confidence} |\n`;
}

function afterTable(hosts: HostGathering): string {
  if (hosts.shown() === 0) return '\nNo findings. See “Not covered” for what was not looked at.\n\n';
  return `\n${leftOut(hosts.leftOut().table, 'left out of this table')}`;
}

function leftOut(count: number, what: string): string {
  return count === 0
    ? ''
    : `**${count} more findings, of the least severity here, are ${what}.** The JSON and CSV exports have all.\n\n`;
}

function hostText({ host, names, ports, details }: HostChapter): string {
  const also = names.size === 0 ? '' : `Also as ${[...names].map(code).join(', ')}.\n\n`;
  const rows = ports.map(
    ({ port, protocol, findings }) =>
      `| ${port} | ${code(protocol)} | ${findings.map(({ title }) => code(shortened(title, REPORT_LIMITS.attribute))).join(', ')} |\n`,
  );
  const table = rows.length === 0 ? '' : `| port | protocol | what |\n| ---: | --- | --- |\n${rows.join('')}\n`;
  return `### ${code(host)}\n\n${also}${table}${details.map(detailText).join('')}`;
}

function detailText(finding: Finding): string {
  const { severity, title, kind, confidence, references, evidence } = finding;
  const items = [
    `* Where: ${code(placeOf(finding))}\n* Kind: ${kind}, ${confidence}\n`,
    ...attributesOf(finding).map(([name, value]) => `* ${code(name)}: ${code(value)}\n`),
    references.length === 0 ? '' : `* References: ${references.map(code).join(', ')}\n`,
  ];
  const seen = evidence === '' ? '' : `${codeBlock(evidence)}\n`;
  return `#### ${severity}: ${code(shortened(title, REPORT_LIMITS.attribute))}\n\n${items.join('')}\n${seen}`;
}

function coverageText(source: ExportSource): string {
  const notices = noticesOf(source);
  const missing =
    notices.length === 0
      ? 'Everything that was asked for was looked at to its end.\n'
      : notices.map(({ level, text }) => `* ${level}: ${code(text)}\n`).join('');
  const areas = source.coverage?.areas ?? [];
  const shown = areas.slice(0, REPORT_LIMITS.areas).map((area) => `* ${code(areaLabel(area))}\n`);
  if (areas.length > shown.length) shown.push(`* and ${areas.length - shown.length} more; the JSON export has them\n`);
  if (areas.length === 0) shown.push('Nothing.\n');
  return `## Not covered\n\n${missing}\n## Looked at to its end\n\n${shown.join('')}\n`;
}

function appendix({ run, version }: ExportSource): string {
  const layers = run.layers.length === 0 ? 'none' : run.layers.map(code).join(', ');
  return [
    '## Appendix: method\n\n',
    `Sallyport ${version} ran ${code(run.tool)} with these arguments, secrets masked, one per line:\n\n`,
    codeBlock(run.argv.join('\n')),
    `\n* Exit code: ${run.exitCode ?? 'none'}\n* Layers of confinement: ${layers}\n`,
    `* SHA-256 of the kept output: ${code(run.stdout.sha256 ?? '')}\n* ${UNTRUSTED}\n\n`,
  ].join('');
}
