import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

interface Threat {
  readonly attacker: string;
  readonly attack: string;
  readonly file: string;
  readonly name: string;
}

/** Rows of the one table; what begins as a row and is none has no attacker and no test, and fails for that. */
const THREATS: readonly Threat[] = read('docs/threats.md')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (attacker|---) /.test(line))
  .map((line) => {
    const cells = line.split('|').map((cell) => cell.trim());
    const [, attacker = '', attack = '', stop = '', proof = ''] = cells.length === 6 ? cells : [];
    const [, file = '', name = ''] = /^`(test\/[^`]+\.test\.ts)` › (.+)$/.exec(proof) ?? [];
    return { attacker, attack: stop === '' ? '' : attack, file, name };
  });

const ATTACKERS = [
  'a prompt-injected agent',
  'a hostile target',
  'a web page in the operator’s browser',
  'another tenant',
  'a stolen key',
  'a dishonest operator, afterwards',
];

/** Names as they stand in the source, quotes undone. */
function namesIn(source: string): Set<string> {
  const calls = source.matchAll(/\b(?:test|it)\(\s*(?:'((?:[^'\\]|\\.)*)'|`([^`]*)`|"([^"]*)")/g);
  return new Set(
    [...calls].map(([, single, template, double]) => (single ?? template ?? double ?? '').replaceAll('\\', '')),
  );
}

test('docs/threats.md has at least sixty attacks, each once, of every attacker', () => {
  assert.ok(THREATS.length >= 60, String(THREATS.length));
  assert.equal(new Set(THREATS.map(({ attack }) => attack)).size, THREATS.length);
  assert.deepEqual([...new Set(THREATS.map(({ attacker }) => attacker))].sort(), ATTACKERS.toSorted());
  for (const attacker of ATTACKERS)
    assert.ok(THREATS.filter((threat) => threat.attacker === attacker).length >= 5, attacker);
});

test('every test that docs/threats.md names is in the file that it names', () => {
  const known = new Map<string, Set<string>>();
  for (const { attack, file, name } of THREATS) {
    assert.ok(file !== '' && existsSync(join(ROOT, file)), `${attack}: ${file} is not there`);
    const names = known.get(file) ?? namesIn(read(file));
    known.set(file, names);
    assert.ok(names.has(name), `${file} has no test ${JSON.stringify(name)}`);
  }
});

test('a name that no test has would be seen', () => {
  const names = namesIn("test('one \\'quoted\\' name', () => {});\nit(`of ${each}`, f);\n// test of nothing");
  assert.deepEqual([...names], ["one 'quoted' name", 'of ${each}']);
});

test('SECURITY.md and the README lead to the threats', () => {
  for (const file of ['SECURITY.md', 'README.md']) assert.ok(read(file).includes('docs/threats.md'), file);
});
