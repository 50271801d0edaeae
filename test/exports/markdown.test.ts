import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Finding } from '../../schemas/finding.ts';
import type { ExportSource } from '../../src/core/findings/types.ts';
import { code, codeBlock } from '../../src/exports/markdown-text.ts';
import { REPORT_LIMITS } from '../../src/exports/report.ts';
import { HOSTILE_TEXTS, sampleFinding, sampleRun, sourceOf, textOf } from './sample.ts';

/** What a CommonMark reader would take for markup: the text without fenced blocks and code spans. */
function outsideCode(markdown: string): string {
  const kept: string[] = [];
  let fence: string | undefined;
  for (const line of markdown.split('\n')) {
    if (fence !== undefined) {
      // 4.5: closed by a fence at least as long, with nothing behind it.
      const closing = /^ {0,3}(`{3,})[ \t]*$/.exec(line)?.[1];
      if (closing !== undefined && closing.length >= fence.length) fence = undefined;
      continue;
    }
    fence = /^ {0,3}(`{3,})[^`]*$/.exec(line)?.[1];
    if (fence === undefined) kept.push(line.replace(/(`+)(?:(?!\1).)*\1(?!`)/g, 'CODE'));
  }
  assert.equal(fence, undefined, 'a block that is never closed');
  return kept.join('\n');
}

/** A report in which one text stands everywhere a target or tool can put one. */
function reportOf(text: string): ExportSource {
  const finding: Finding = sampleFinding({
    kind: 'script',
    severity: 'high',
    target: text,
    title: text,
    evidence: text,
    references: [text],
    attributes: { [text]: text },
    protocol: text,
  });
  const run = sampleRun({
    state: 'failed',
    error: { code: 'ERR_TOOL_FAILED', message: text },
    argv: [text],
    degraded: [text],
    toolVersion: text,
    targets: [{ role: 'host', given: text, canonical: text, addresses: [text] }],
    findings: { total: 1, bySeverity: { critical: 0, high: 1, medium: 0, low: 0, info: 0 } },
  });
  const port = sampleFinding({ title: text, target: text });
  const areas = [{ kinds: ['path' as const], subject: text, method: text }];
  return sourceOf(run, [finding, port], { areas, missing: [text] });
}

test('the reader of this test sees markup outside of code only', () => {
  assert.equal(outsideCode('a `b` [c](d)\n```text\n<x>\n```\n'), 'a CODE [c](d)\n');
  assert.equal(outsideCode('`` a`b `` <x>'), 'CODE <x>');
});

test('a hostile text anywhere changes nothing outside of code', async () => {
  const harmless = outsideCode(await textOf('markdown', reportOf('harmless')));
  assert.match(harmless, /\| high \| script \| CODE \| CODE \| firm \|/);
  for (const text of HOSTILE_TEXTS.filter((each) => each !== '')) {
    assert.equal(outsideCode(await textOf('markdown', reportOf(text))), harmless, JSON.stringify(text));
  }
});

test('a code span has no backtick, no pipe and no line break in it', () => {
  for (const text of HOSTILE_TEXTS) assert.match(code(text), /^(?:`[^`|\r\n]*`|–)$/);
  assert.equal(code('a|b`c'), '`a\\u{7c}b\\u{60}c`');
});

test('a block cannot be closed from inside', () => {
  for (const text of [...HOSTILE_TEXTS, '`'.repeat(50), '```\n````\n`````\nx']) {
    assert.equal(outsideCode(`${codeBlock(text)}end`), 'end', text);
  }
});

test('direction marks and tag characters are shown', async () => {
  const text = await textOf('markdown', reportOf('abc\u202edef \u{e0041}'));
  assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Cs}\p{DI}]/u);
  assert.ok(text.includes('abc\\u{202e}def \\u{e0041}'));
});

test('what is over the limits is counted in the report and not read from the store', async () => {
  const total = REPORT_LIMITS.tableRows + 7;
  const findings = Array.from({ length: total }, (_, at) => sampleFinding({ title: `finding ${at}` }));
  const counts = { total, bySeverity: { critical: 0, high: 0, medium: 0, low: 0, info: total } };
  for (const format of ['markdown', 'html'] as const) {
    const source = sourceOf(sampleRun({ findings: counts }), findings);
    const text = await textOf(format, source);
    assert.match(text, /\b7 more findings.*left out of this table/, format);
    assert.match(text, new RegExp(`\\b${total - REPORT_LIMITS.detailed} more findings.*not told per host`), format);
    assert.match(
      text,
      new RegExp(`${REPORT_LIMITS.tableRows} findings; the record of the run counts ${total}\\.`),
      format,
    );
    assert.ok(text.includes(`finding ${REPORT_LIMITS.tableRows - 1}`) && !text.includes(`finding ${total - 1}`));
    assert.deepEqual(source.read, { count: REPORT_LIMITS.tableRows + 1, closed: true });
  }
});

test('a report that is full tells of more even when the record of a running run does not count them yet', async () => {
  const findings = Array.from({ length: REPORT_LIMITS.tableRows + 2 }, () => sampleFinding());
  for (const format of ['markdown', 'html'] as const) {
    assert.match(
      await textOf(format, sourceOf(sampleRun({ state: 'running' }), findings)),
      /1 more findings.*left out/,
    );
  }
});

test('a long evidence is cut in the reports, and they say how much is missing', async () => {
  const finding = sampleFinding({ evidence: 'y'.repeat(REPORT_LIMITS.evidence + 11) });
  for (const format of ['markdown', 'html'] as const) {
    assert.match(await textOf(format, sourceOf(sampleRun(), [finding])), /\[11 more characters are left out here/);
  }
});
