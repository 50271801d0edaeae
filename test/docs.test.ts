import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AnyRunResultSchema } from '../schemas/run.ts';
import { ACCESS, type Access } from '../src/core/auth/access.ts';
import { SCOPES } from '../src/core/auth/types.ts';
import { ERRORS } from '../src/core/errors.ts';

const ROOT = join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const API = read('docs/api.md');
const SECURITY = read('SECURITY.md');

/** Cells of the rows of the tables in the chapter of a heading, without head and rule. */
function rowsOf(text: string, heading: string): string[][] {
  const chapter = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const lines = chapter.split('\n').filter((line) => line.startsWith('|'));
  const cells = lines.map((line) => line.split('|').map((cell) => cell.trim()));
  return cells.slice(2).map((row) => row.slice(1, -1));
}

const quoted = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);
const routeOf = (written: string): string => written.replace(/\{(\w+)\}/g, ':$1');

function scopeCell(access: Access): string {
  if (access.kind === 'public') return 'anybody';
  if (access.kind === 'optional') return `anybody, details for \`${access.scope}\``;
  return access.kind === 'browser' ? `\`${access.scope}\`, also as Basic` : `\`${access.scope}\``;
}

test('docs/api.md lists every route with its access, and no other', () => {
  const listed = rowsOf(API, 'Routes').flatMap(([routes, scope]) =>
    quoted(routes).map((route) => `${routeOf(route)}: ${scope}`),
  );
  const real = Object.entries(ACCESS).map(([route, access]) => `${route}: ${scopeCell(access)}`);
  assert.deepEqual(listed.sort(), real.sort());
});

test('the documents of the interface name no route that does not exist', () => {
  for (const file of ['docs/api.md', 'docs/mcp.md', 'docs/tools.md', 'SECURITY.md']) {
    const named = [...read(file).matchAll(/`(GET|POST|PUT|PATCH|DELETE|OPTIONS) (\/[^`\s]*)`/g)];
    for (const [, method = '', path = ''] of named) {
      assert.ok(Object.hasOwn(ACCESS, `${method} ${routeOf(path)}`), `${file} names ${method} ${path}`);
    }
  }
});

test('docs/api.md lists every error code with its status, and no other', () => {
  const listed = rowsOf(API, 'Errors').map(([code, status]) => `${quoted(code)[0]} ${status}`);
  const real = Object.entries(ERRORS).map(([code, { status }]) => `${code} ${status}`);
  assert.deepEqual(listed.sort(), real.sort());
});

test('docs/api.md lists every field of a run, and no other', () => {
  const listed = rowsOf(API, 'A run').flatMap(([fields]) => quoted(fields));
  assert.deepEqual(listed.sort(), Object.keys(AnyRunResultSchema.properties).sort());
});

test('SECURITY.md lists every scope, and no other', () => {
  const listed = rowsOf(SECURITY, 'Keys and scopes').flatMap(([scope]) => quoted(scope));
  assert.deepEqual(listed.sort(), [...SCOPES].sort());
});

test('every test that SECURITY.md names exists', () => {
  const named = quoted(SECURITY).filter((text) => /^(test|bench)\//.test(text));
  assert.notEqual(named.length, 0);
  for (const path of named) {
    // A directory that holds no file is none: git does not keep it.
    const pattern = path.endsWith('/') ? `${path}**/*.ts` : path;
    assert.notEqual(globSync(pattern, { cwd: ROOT }).length, 0, `SECURITY.md names ${path}`);
  }
});
