import type { ExportSource } from '../core/findings/types.ts';
import { html, type Markup } from './html-markup.ts';
import { UNTRUSTED } from './json.ts';
import { noticesOf } from './notices.ts';
import { areaLabel, REPORT_LIMITS } from './report.ts';

/** What was not looked at, or in another way than asked, and what was looked at to its end. */
export function coverageSection(source: ExportSource): Markup {
  const notices = noticesOf(source);
  const areas = source.coverage?.areas ?? [];
  const more = areas.length - REPORT_LIMITS.areas;
  const shown = areas.slice(0, REPORT_LIMITS.areas).map((area) => html`<li>${areaLabel(area)}</li>\n`);
  return html`<h2 id="coverage">Coverage</h2>
<h3>Not covered</h3>
${
  notices.length === 0
    ? html`<p class="notice fine">Everything that was asked for was looked at to its end.</p>\n`
    : html`<ul>\n${notices.map(({ text }) => html`<li>${text}</li>\n`)}</ul>\n`
}<h3>Looked at to its end</h3>
${shown.length === 0 ? html`<p>Nothing.</p>\n` : html`<ul>\n${shown}${more > 0 ? html`<li>and ${more} more; the JSON export has them</li>\n` : ''}</ul>\n`}`;
}

/** How the run was made, so that somebody else can do it again and check the kept output. */
export function appendixSection({ run, version }: ExportSource): Markup {
  const facts: readonly (readonly [string, string])[] = [
    ['Exit code', run.exitCode === null ? 'none' : String(run.exitCode)],
    ['Time limit', `${run.timeoutMs / 1000} s`],
    ['Layers of confinement', run.layers.length === 0 ? 'none' : run.layers.join(', ')],
    ['Output', `${run.stdout.bytes} bytes, ${run.stdout.keptBytes} kept; errors ${run.stderr.bytes} bytes`],
    ['SHA-256 of the kept output', run.stdout.sha256 ?? 'none'],
    ['Request', run.requestId],
  ];
  return html`<h2 id="appendix">Appendix: method</h2>
<p>Sallyport ${version} ran ${run.tool} with these arguments, secrets masked, one per line:</p>
<pre tabindex="0" aria-label="Arguments of the program">${run.argv.join('\n')}</pre>
<table class="facts"><tbody>
${facts.map(([label, value]) => html`<tr><th scope="row">${label}</th><td>${value}</td></tr>\n`)}</tbody></table>
<p>${UNTRUSTED} Characters that would not show stand as \\u{…} with their number in Unicode.</p>
</main>
`;
}
