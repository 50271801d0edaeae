import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ENGAGEMENTS } from '../../../schemas/config-policy.ts';
import { ENGAGEMENT_SOURCES, ENGAGEMENT_STATES } from '../../../schemas/engagement.ts';
import { readEngagementFiles } from '../../../src/config/engagements.ts';
import { readYaml } from '../../../src/config/engagements-yaml.ts';
import { ERRORS } from '../../../src/core/errors.ts';
import { MAX_COMPARED, MAX_READ } from '../../../src/core/engagement/scope-notices.ts';
import { inspectEngagementFiles } from '../../../src/core/engagement/inspect.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const DOCS = readFileSync(join(ROOT, 'docs', 'engagements.md'), 'utf8');
const TOOLS = ['nmap', 'dig', 'gobuster', 'masscan'];
const firstCells = (text: string): string[] => [...text.matchAll(/^\| `(\w+)` \|/gm)].map(([, cell = '']) => cell);

test('the example files are sound and say nothing that contradicts', () => {
  const directory = join(ROOT, 'deploy', 'engagements');
  const { faults, notices } = inspectEngagementFiles(readEngagementFiles(directory), TOOLS);
  assert.deepEqual(faults, []);
  assert.deepEqual(
    notices.filter((notice) => !/may be written/.test(notice)),
    [],
  );
});

test('the example in the text is sound and says nothing that contradicts', () => {
  const [, text = ''] = /```yaml\n(.*?)```/s.exec(DOCS) ?? [];
  const read = readYaml(Buffer.from(text));
  assert.ok('document' in read, JSON.stringify(read));
  const files = { documents: [{ file: 'docs', ...read }], notices: [] };
  assert.deepEqual(inspectEngagementFiles(files, TOOLS), { faults: [], notices: [] });
});

test('the text tells how much of many scopes is compared, and the option that switches default off', () => {
  assert.ok(DOCS.includes(`Above ${MAX_READ} entries or ${MAX_COMPARED} comparisons`));
  const options = [...DOCS.matchAll(/`engagements\.(\w+)/g)].map(([, name = '']) => name);
  assert.ok(options.includes('offerDefault'));
  for (const name of options) assert.ok(Object.hasOwn(ENGAGEMENTS.properties, name), name);
});

test('what a refusal by the clocks names is a chapter of the runbook', () => {
  const clocks = readFileSync(join(ROOT, 'src', 'core', 'engagement', 'two-clocks.ts'), 'utf8');
  const [, file = '', chapter = ''] = /(docs\/\w+\.md), "([^"]+)"/.exec(clocks) ?? [];
  assert.match(readFileSync(join(ROOT, file), 'utf8'), new RegExp(`^## ${chapter}$`, 'm'));
});

test('the text names every source, every state and only codes that there are', () => {
  assert.deepEqual(firstCells(DOCS), [...ENGAGEMENT_SOURCES, ...ENGAGEMENT_STATES]);
  for (const [code] of DOCS.matchAll(/ERR_[A-Z_]+/g)) assert.ok(Object.hasOwn(ERRORS, code), code);
});
