import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ENGAGEMENT_SOURCES, ENGAGEMENT_STATES } from '../../../schemas/engagement.ts';
import { readEngagementFiles } from '../../../src/config/engagements.ts';
import { readYaml } from '../../../src/config/engagements-yaml.ts';
import { ERRORS } from '../../../src/core/errors.ts';
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

test('the text names every source, every state and only codes that there are', () => {
  assert.deepEqual(firstCells(DOCS), [...ENGAGEMENT_SOURCES, ...ENGAGEMENT_STATES]);
  for (const [code] of DOCS.matchAll(/ERR_[A-Z_]+/g)) assert.ok(Object.hasOwn(ERRORS, code), code);
});
