import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import * as fc from 'fast-check';
import { RUN_STATES } from '../../schemas/run-record.ts';
import { fuzz } from '../fixtures/fuzz.ts';
import { anyFinding, HOSTILE_TEXTS, sampleFinding, sampleRun, sourceOf, textOf } from './sample.ts';

const SCHEMA = JSON.parse(readFileSync(join(import.meta.dirname, '../fixtures/sarif-schema.json'), 'utf8')) as object;
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats.default(ajv);
const isSarif = ajv.compile(SCHEMA);

interface Log {
  runs: {
    tool: { driver: { name: string; rules: { id: string }[]; notifications: { id: string }[] } };
    invocations: {
      executionSuccessful: boolean;
      startTimeUtc?: string;
      toolExecutionNotifications: { descriptor: { id: string }; level: string; message: { text: string } }[];
    }[];
    automationDetails: { id: string };
    results: {
      ruleId: string;
      ruleIndex: number;
      level: string;
      rank: number;
      message: { text: string };
      partialFingerprints: Record<string, string>;
      locations: { physicalLocation: { artifactLocation: { uri: string }; region: { startLine: number } } }[];
      properties: { tags: string[]; evidence: string };
    }[];
  }[];
}

async function sarifOf(...parts: Parameters<typeof sourceOf>): Promise<Log['runs'][number]> {
  const log = JSON.parse(await textOf('sarif', sourceOf(...parts))) as Log;
  assert.ok(isSarif(log), JSON.stringify(isSarif.errors?.slice(0, 3)));
  const [run] = log.runs;
  assert.ok(run !== undefined);
  return run;
}

test('the schema refuses what is no SARIF', () => {
  assert.equal(isSarif({ version: '2.1.0', runs: [{ results: [] }] }), false);
  assert.equal(isSarif({ version: '2.1.0', runs: [{ tool: { driver: { name: 'x', nonsense: 1 } } }] }), false);
});

test('hundreds of hostile findings are valid SARIF 2.1.0 and lose nothing', async (t) => {
  await fuzz(
    t,
    fc.asyncProperty(fc.array(anyFinding, { maxLength: 20 }), async (findings) => {
      const { results, tool } = await sarifOf(sampleRun(), findings);
      assert.equal(results.length, findings.length);
      for (const [at, result] of results.entries()) {
        assert.equal(tool.driver.rules[result.ruleIndex]?.id, result.ruleId);
        assert.equal(result.properties.evidence, findings[at]?.evidence);
        assert.doesNotMatch(result.message.text, /\]\(/, 'an embedded link of the target');
      }
    }),
  );
});

test('a run in any state is valid SARIF and only a whole one was successful', async () => {
  for (const state of RUN_STATES) {
    const { invocations } = await sarifOf(sampleRun({ state }), [sampleFinding()]);
    assert.equal(invocations[0]?.executionSuccessful, state === 'succeeded', state);
  }
  const neverStarted = sampleRun({
    state: 'queued',
    startedAt: null,
    endedAt: null,
    exitCode: null,
    toolVersion: null,
  });
  assert.equal((await sarifOf(neverStarted, [])).invocations[0]?.startTimeUtc, undefined);
});

test('every notification of a run is described by the driver', async () => {
  const run = sampleRun({ state: 'timed_out', complete: false, degraded: ['-sS became -sT'] });
  const { invocations, tool } = await sarifOf(run, [], { areas: [], missing: ['10.77.0.20 [x](http://evil.test)'] });
  const notifications = invocations[0]?.toolExecutionNotifications ?? [];
  const known = new Set(tool.driver.notifications.map(({ id }) => id));
  assert.deepEqual(
    notifications.map(({ descriptor, level }) => [descriptor.id, level]),
    [
      ['ended_early', 'error'],
      ['not_covered', 'warning'],
      ['degraded', 'note'],
    ],
  );
  for (const { descriptor, message } of notifications) {
    assert.ok(known.has(descriptor.id));
    assert.doesNotMatch(message.text, /\]\(/);
  }
});

test('severities are levels, and ranks tell apart what shares one', async () => {
  const severities = ['info', 'low', 'medium', 'high', 'critical'] as const;
  const { results } = await sarifOf(
    sampleRun(),
    severities.map((severity) => sampleFinding({ severity })),
  );
  assert.deepEqual(
    results.map(({ level, rank }) => [level, rank]),
    [
      ['note', 0],
      ['note', 25],
      ['warning', 50],
      ['error', 75],
      ['error', 100],
    ],
  );
});

test('a location is a relative reference that cannot leave the directory it is read in', async () => {
  const targets = [
    'http://evil.test/x',
    'javascript:alert(1)',
    '//evil.test',
    '/etc/passwd',
    '..',
    '.',
    ...HOSTILE_TEXTS,
  ];
  const { results } = await sarifOf(
    sampleRun(),
    targets.map((target) => sampleFinding({ target })),
  );
  for (const { locations } of results) {
    const place = locations[0]?.physicalLocation;
    assert.ok(place !== undefined);
    assert.equal(place.region.startLine, 1);
    const resolved = new URL(place.artifactLocation.uri, 'file:///checkout/');
    assert.match(resolved.href, /^file:\/\/\/checkout\/[^/]+\/tcp\/80$/);
  }
});

test('the same finding has the same fingerprints in two runs, and a weakness is a tag that trackers know', async () => {
  const finding = sampleFinding({ references: ['CWE-89', 'CWE-89', 'CWE-x'] });
  const first = (await sarifOf(sampleRun(), [finding])).results[0];
  const second = (await sarifOf(sampleRun({ runId: 'another' }), [{ ...finding, evidence: 'changed' }])).results[0];
  assert.deepEqual(first?.partialFingerprints, second?.partialFingerprints);
  assert.equal(first?.partialFingerprints['sallyport/v1'], finding.fingerprint);
  assert.deepEqual(first?.properties.tags, ['info', 'external/cwe/cwe-89']);
});
