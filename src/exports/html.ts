import type { Finding } from '../../schemas/finding.ts';
import type { ExportSource } from '../core/findings/types.ts';
import { coverageSection, appendixSection } from './html-coverage.ts';
import { hostSection } from './html-hosts.ts';
import { html, Markup } from './html-markup.ts';
import { CONTENT_POLICY, STYLE } from './html-style.ts';
import { noticesOf } from './notices.ts';
import { placeOf } from './place.ts';
import { countsOf, endOf, factsOf, gatherHosts, type HostGathering, REPORT_LIMITS, titleOf } from './report.ts';
import { shortened } from './visible.ts';

/** A report as one self-contained page: it loads nothing, runs nothing, and can be printed and handed on. */
export async function* writeHtml(source: ExportSource): AsyncGenerator<string> {
  yield pageHead(source).text;
  yield summarySection(source).text;
  yield runSection(source).text;
  yield TABLE_HEAD.text;
  const hosts = gatherHosts(source);
  for await (const finding of source.findings()) {
    if (!hosts.add(finding)) break;
    yield tableRow(finding).text;
  }
  yield tableFoot(hosts).text;
  yield html`<h2 id="hosts">Hosts</h2>\n${hosts.shown() === 0 ? html`<p>There are no findings to tell per host.</p>\n` : ''}`
    .text;
  for (const chapter of hosts.chapters()) yield hostSection(chapter).text;
  yield leftOut(hosts.leftOut().details, 'are not told per host').text;
  yield coverageSection(source).text;
  yield appendixSection(source).text;
  yield html`<footer><p>${endOf(source, hosts.shown())} Made by Sallyport ${source.version}.</p></footer>
</body>
</html>
`.text;
}

function pageHead(source: ExportSource): Markup {
  const { run } = source;
  const targets = run.targets.map(({ given }) => given).join(', ');
  const title = titleOf(source);
  const notices = noticesOf(source).filter(({ level }) => level !== 'note');
  // The style is ours alone, and its hash is in the policy: it must stand here unchanged.
  return html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${CONTENT_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>${title}: ${shortened(targets, 200)}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<header>
<p class="brand">Sallyport security report</p>
<h1>${title}</h1>
<p class="soft">${shortened(targets, 2000)}</p>
</header>
${notices.map(({ level, text }) => html`<p class="notice ${level}"><strong>${level === 'error' ? 'Incomplete' : 'Note'}:</strong> ${text}</p>\n`)}
<nav aria-label="Contents"><ul>
<li><a href="#summary">Summary</a></li><li><a href="#run">Run</a></li><li><a href="#findings">Findings</a></li>
<li><a href="#hosts">Hosts</a></li><li><a href="#coverage">Coverage</a></li><li><a href="#appendix">Appendix</a></li>
</ul></nav>
<main>
`;
}

function summarySection(source: ExportSource): Markup {
  const { total } = source.run.findings;
  const counts = countsOf(source);
  let x = 0;
  const bars = counts.map(([severity, count]) => {
    const width = total === 0 ? 0 : (count / total) * 100;
    x += width;
    return html`<rect class="${severity}" x="${(x - width).toFixed(2)}" y="0" width="${width.toFixed(2)}" height="10"/>`;
  });
  return html`<h2 id="summary">Summary</h2>
<div class="summary">
<table class="narrow"><caption>Findings by severity</caption>
<thead><tr><th scope="col">Severity</th><th scope="col" class="number">Findings</th></tr></thead>
<tbody>${counts.map(([severity, count]) => html`<tr><th scope="row"><span class="severity ${severity}">${severity}</span></th><td class="number">${count}</td></tr>\n`)}
<tr><th scope="row">All</th><td class="number">${total}</td></tr></tbody></table>
<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">${bars}</svg>
</div>
`;
}

function runSection(source: ExportSource): Markup {
  return html`<h2 id="run">Run</h2>
<table class="facts"><tbody>
${factsOf(source).map(([label, value]) => html`<tr><th scope="row">${label}</th><td>${shortened(value, 2000)}</td></tr>\n`)}</tbody></table>
`;
}

const TABLE_HEAD = html`<h2 id="findings">Findings</h2>
<div class="scroll"><table><caption>Worst first</caption>
<thead><tr><th scope="col">Severity</th><th scope="col">Where</th><th scope="col">What</th><th scope="col">Kind</th><th scope="col">Confidence</th></tr></thead>
<tbody>
`;

function tableRow(finding: Finding): Markup {
  const { severity, title, kind, confidence } = finding;
  return html`<tr><td class="tight"><span class="severity ${severity}">${severity}</span></td><td class="wide">${placeOf(finding)}</td><td class="wide">${shortened(title, REPORT_LIMITS.attribute)}</td><td class="tight">${kind.replaceAll('_', ' ')}</td><td>${confidence}</td></tr>
`;
}

function tableFoot(hosts: HostGathering): Markup {
  const none =
    hosts.shown() > 0
      ? ''
      : html`<tr><td colspan="5">No findings. Coverage, below, says what was looked at.</td></tr>\n`;
  return html`${none}</tbody></table></div>
${leftOut(hosts.leftOut().table, 'are left out of this table')}`;
}

function leftOut(count: number, what: string): Markup {
  if (count === 0) return html``;
  return html`<p class="notice"><strong>${count} more findings</strong>, of the least severity here, ${what}. The JSON and CSV exports have all.</p>
`;
}
