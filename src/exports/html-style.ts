import { createHash } from 'node:crypto';

/** The whole style of the report: readable on light and dark screens and on paper; no font, image or address in it. */
export const STYLE = `
:root { color-scheme: light dark;
  --page: #ffffff; --ink: #1b2330; --soft: #566073; --line: #d9dee7; --panel: #f5f7fa; --accent: #1f4e8c;
  --critical: #8b1a3a; --high: #b3371b; --medium: #8a5a00; --low: #1f5fa8; --info: #566073; --warn: #fff6e0; --bad: #fdecea; }
@media (prefers-color-scheme: dark) { :root {
  --page: #12161d; --ink: #e4e9f1; --soft: #9aa6b8; --line: #303947; --panel: #1a2029; --accent: #8ab8f5;
  --critical: #ff8fab; --high: #ff9d80; --medium: #f0c060; --low: #86b9f7; --info: #a6b1c2; --warn: #2e2714; --bad: #351c1d; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 68rem; background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
header { border-bottom: 3px solid var(--accent); padding-bottom: 1rem; margin-bottom: 1.5rem; }
.brand { color: var(--soft); font-size: .85rem; letter-spacing: .08em; text-transform: uppercase; margin: 0; }
h1 { font-size: 2rem; line-height: 1.2; margin: .2rem 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; margin: 2.75rem 0 .75rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.1rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h4 { font-size: 1rem; margin: 1.25rem 0 .4rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; overflow-wrap: anywhere; }
a { color: var(--accent); }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 0; padding: 0; }
.soft { color: var(--soft); }
.notice { border-left: 5px solid var(--medium); background: var(--warn); padding: .7rem 1rem; margin: .6rem 0; }
.notice.error { border-color: var(--high); background: var(--bad); }
.notice.fine { border-color: var(--low); background: var(--panel); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .45rem .6rem; border-bottom: 1px solid var(--line); }
td { overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid var(--line); color: var(--soft); font-weight: 600; white-space: nowrap; }
.facts th { width: 13rem; color: var(--soft); font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.narrow { width: auto; min-width: 18rem; }
.tight { white-space: nowrap; overflow-wrap: normal; } .wide { min-width: 10rem; }
.summary { display: flex; flex-wrap: wrap; gap: 1.5rem 3rem; align-items: center; }
.summary svg { flex: 1 1 18rem; height: 1.75rem; border-radius: 4px; }
.severity { display: inline-block; white-space: nowrap; overflow-wrap: normal; min-width: 4.6rem; text-align: center; font-size: .78rem; font-weight: 700;
  letter-spacing: .03em; text-transform: uppercase; border: 1.5px solid currentColor; border-radius: 4px; padding: 0 .4rem; }
.critical { color: var(--critical); fill: var(--critical); } .high { color: var(--high); fill: var(--high); }
.medium { color: var(--medium); fill: var(--medium); } .low { color: var(--low); fill: var(--low); }
.info { color: var(--info); fill: var(--info); }
section.host { border: 1px solid var(--line); border-radius: 6px; padding: 1rem 1.25rem; margin: 1rem 0; }
article { border-top: 1px solid var(--line); margin-top: 1rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .15rem 1rem; margin: .4rem 0; font-size: .92rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 4px; padding: .7rem .9rem; margin: .5rem 0;
  font: .82rem/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere;
  max-height: 26rem; overflow: auto; unicode-bidi: isolate; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: .75rem; color: var(--soft); font-size: .85rem; }
@media print {
  :root { color-scheme: light; --page: #fff; --ink: #000; --soft: #444; --line: #bbb; --panel: #f6f6f6; --accent: #1f4e8c;
    --critical: #8b1a3a; --high: #b3371b; --medium: #8a5a00; --low: #1f5fa8; --info: #566073; --warn: #fff6e0; --bad: #fdecea; }
  @page { margin: 18mm 15mm; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; }
  h2, h3, h4, thead { break-after: avoid; } tr, .notice, dl { break-inside: avoid; } thead { display: table-header-group; }
  pre { max-height: none; overflow: visible; } .scroll { overflow: visible; }
  .notice, .severity, svg { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;

/**
 * The policy in the page itself, because a report is opened from a disk where no server sends one: no script, no image,
 * no request, no form, and only this one style. A banner that got past the escaping could still do nothing.
 */
export const CONTENT_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'`;
