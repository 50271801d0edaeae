import type { Finding } from '../../schemas/finding.ts';
import { html, type Markup } from './html-markup.ts';
import { attributesOf, placeOf } from './place.ts';
import { type HostChapter, type PortRow, REPORT_LIMITS } from './report.ts';
import { shortened } from './visible.ts';

/** One host: its ports and services as a table, then everything else that was found on it. */
export function hostSection({ host, names, ports, details }: HostChapter): Markup {
  const also = names.size === 0 ? '' : html`<p class="soft">Also as ${[...names].join(', ')}</p>\n`;
  return html`<section class="host">
<h3>${host}</h3>
${also}${ports.length === 0 ? '' : portTable(ports)}${details.map(detail)}</section>
`;
}

function portTable(ports: readonly PortRow[]): Markup {
  return html`<div class="scroll"><table><caption>Ports and services</caption>
<thead><tr><th scope="col">Port</th><th scope="col">What was seen</th><th scope="col">Details</th></tr></thead>
<tbody>
${ports.map(portRow)}</tbody></table></div>
`;
}

function portRow({ port, protocol, findings }: PortRow): Markup {
  const titles = findings.map(({ title }) => html`<div>${shortened(title, REPORT_LIMITS.attribute)}</div>`);
  const facts = new Map(findings.flatMap(attributesOf));
  const told = [...facts].filter(([, value]) => value !== '').map(([name, value]) => `${name}: ${value}`);
  return html`<tr><th scope="row" class="tight">${port}/${protocol}</th><td class="wide">${titles}</td><td class="wide">${told.join(', ')}</td></tr>
`;
}

function detail(finding: Finding): Markup {
  const { severity, title, kind, confidence, references, evidence, firstSeen, lastSeen, fingerprint } = finding;
  const facts: (readonly [string, string])[] = [
    ['Where', placeOf(finding)],
    ['Kind', `${kind.replaceAll('_', ' ')}, ${confidence}`],
    ...attributesOf(finding),
    ...(references.length === 0 ? [] : [['References', references.join(', ')] as const]),
    ['Seen', firstSeen === lastSeen ? firstSeen : `first ${firstSeen}, last ${lastSeen}`],
    ['Fingerprint', fingerprint],
  ];
  const seen = evidence === '' ? '' : html`<pre tabindex="0" aria-label="Evidence">${evidence}</pre>\n`;
  return html`<article>
<h4><span class="severity ${severity}">${severity}</span> ${shortened(title, REPORT_LIMITS.attribute)}</h4>
<dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
${seen}</article>
`;
}
