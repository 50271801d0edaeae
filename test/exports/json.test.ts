import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Finding } from '../../schemas/finding.ts';
import { fuzz } from '../fixtures/fuzz.ts';
import { anyFinding, HOSTILE_TEXTS, sampleFinding, sampleRun, sourceOf, textOf, WHOLE } from './sample.ts';

/** The fields that the importer lets pass; it refuses the whole file for any other. */
const DEFECTDOJO_FIELDS = new Set(
  (
    'title severity description date cwe references active verified static_finding dynamic_finding scanner_confidence ' +
    'unique_id_from_tool vuln_id_from_tool tags endpoints vulnerability_ids'
  ).split(' '),
);

interface Item {
  title: string;
  severity: string;
  description: string;
  date: string;
  tags: string[];
  references?: string;
  endpoints?: { host: string; port?: number; protocol?: string; path?: string }[];
}

/** Every text and every name in a JSON value. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...textsOf(inner)]);
}

async function dojoOf(findings: readonly Finding[], run = sampleRun()) {
  return JSON.parse(await textOf('defectdojo', sourceOf(run, findings))) as {
    name: string;
    type: string;
    description: string;
    findings: Item[];
  };
}

test('the JSON export is everything, unchanged, without a character that acts on its reader', async (t) => {
  await fuzz(
    t,
    fc.asyncProperty(fc.array(anyFinding, { maxLength: 10 }), async (findings) => {
      const text = await textOf('json', sourceOf(sampleRun(), findings));
      const read = JSON.parse(text) as Record<string, unknown>;
      assert.deepEqual(read['findings'], JSON.parse(JSON.stringify(findings)));
      assert.deepEqual(read['run'], sampleRun());
      assert.deepEqual(read['coverage'], WHOLE);
      assert.equal(read['exportedFindings'], findings.length);
      assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Cs}\p{DI}<]/u);
    }),
  );
});

test('a JSON export that was cut off anywhere is no JSON', async () => {
  const text = (await textOf('json', sourceOf(sampleRun(), [sampleFinding(), sampleFinding()]))).trimEnd();
  for (let end = 0; end < text.length; end += 7) assert.throws(() => void JSON.parse(text.slice(0, end)));
});

test('hostile findings fit what DefectDojo takes', async (t) => {
  await fuzz(
    t,
    fc.asyncProperty(fc.array(anyFinding, { maxLength: 10 }), async (findings) => {
      const report = await dojoOf(findings);
      assert.equal(report.findings.length, findings.length);
      for (const item of report.findings) {
        for (const field of Object.keys(item)) assert.ok(DEFECTDOJO_FIELDS.has(field), field);
        assert.ok(['Info', 'Low', 'Medium', 'High', 'Critical'].includes(item.severity));
        assert.ok(item.title.length > 0 && item.title.length <= 511);
        assert.notEqual(item.description, '');
        assert.match(item.date, /^\d{4}-\d\d-\d\d$/);
        // PostgreSQL takes neither a NUL nor half a pair.
        for (const text of textsOf(item)) assert.ok(text.isWellFormed() && !text.includes('\0'), JSON.stringify(text));
        for (const { host, protocol } of item.endpoints ?? []) {
          assert.match(host, /^([A-Za-z0-9_][A-Za-z0-9_.-]+|[0-9a-fA-F:.]+)$/);
          assert.match(protocol ?? 'tcp', /^[A-Za-z][A-Za-z0-9.\-+]+$/);
        }
      }
    }),
  );
});

test('a title that is cut for DefectDojo is not cut through a pair', async () => {
  for (let pad = 505; pad < 512; pad += 1) {
    const [item] = (await dojoOf([sampleFinding({ title: `${'x'.repeat(pad)}😀😀` })])).findings;
    assert.ok(item !== undefined && item.title.isWellFormed() && item.title.length <= 511);
  }
});

test('endpoints are hosts with ports, and a URL keeps its scheme and path', async () => {
  const { port: _port, address: _address, protocol: _protocol, ...rest } = sampleFinding();
  const { findings } = await dojoOf([
    sampleFinding(),
    { ...rest, target: 'https://web.lab.test:8443/admin/' },
    { ...rest, target: 'http://[2001:db8::1]/' },
    { ...rest, target: 'not a host' },
  ]);
  assert.deepEqual(
    findings.map(({ endpoints }) => endpoints?.[0]),
    [
      { host: 'web.lab.test', protocol: 'tcp', port: 80 },
      { host: 'web.lab.test', protocol: 'https', port: 8443, path: 'admin/' },
      { host: '2001:db8::1', protocol: 'http' },
      undefined,
    ],
  );
});

test('what DefectDojo hashes is the same in every run that sees the same', async () => {
  const [first] = (await dojoOf([sampleFinding()])).findings;
  const other = sampleRun({ runId: 'another', state: 'timed_out', complete: false });
  const report = await dojoOf([sampleFinding({ runId: 'another', lastSeen: '2026-04-01T00:00:00.000Z' })], other);
  assert.equal(report.findings[0]?.description, first?.description);
  assert.equal(report.findings[0]?.title, first?.title);
  assert.ok(report.name.endsWith('(INCOMPLETE)'));
  assert.match(report.description, /do not close findings/);
  assert.ok(report.findings[0]?.tags.includes('incomplete-run'));
});

test('no hostile text is more than code in the Markdown that DefectDojo shows', async () => {
  for (const text of HOSTILE_TEXTS) {
    const [item] = (await dojoOf([sampleFinding({ title: text, evidence: '', references: [text] })])).findings;
    const outside = `${item?.description}${item?.references}`.replace(/`[^`]*`/g, '');
    assert.doesNotMatch(outside, /[<>[\]`]|http/, text);
  }
});
