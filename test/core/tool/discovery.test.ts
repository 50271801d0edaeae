import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { SallyportError } from '../../../src/core/errors.ts';
import { loadTools } from '../../../src/core/tool/discovery.ts';

const root = await mkdtemp(join(tmpdir(), 'sallyport-discovery-'));
after(() => rm(root, { recursive: true, force: true }));

const tool = (changes: string): string =>
  `import { sampleTool } from ${JSON.stringify(join(import.meta.dirname, 'sample-tool.ts'))};\nexport default { ...sampleTool(), ${changes} };\n`;
const named = (name: string): string => tool(`name: '${name}'`);

let count = 0;
async function directoryWith(files: Readonly<Record<string, string>>): Promise<string> {
  const directory = join(root, `d${(count += 1)}`);
  await mkdir(directory);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
  return directory;
}

async function faultsOf(files: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const directory = await directoryWith(files);
  const error = await loadTools(directory).then(
    () => assert.fail('it loaded'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof SallyportError, String(error));
  assert.equal(error.code, 'ERR_CONFIG_INVALID');
  return error.details?.['faults'] as string[];
}

describe('loadTools', () => {
  it('loads files and folders with an index, by name, and nothing beside an index', async () => {
    const directory = await directoryWith({
      'zeta.ts': named('zeta'),
      'alpha/index.ts': named('alpha'),
      'alpha/parse.ts': 'export const x = 1;\n',
      'two_words.ts': named('two_words'),
    });
    assert.deepEqual(
      (await loadTools(directory)).map(({ name }) => name),
      ['alpha', 'two_words', 'zeta'],
    );
  });

  it('lists every fault at once and loads nothing', async () => {
    const faults = await faultsOf({
      'good.ts': named('good'),
      'Upper.ts': named('Upper'),
      'other.ts': named('nother'),
      'nothing.ts': 'export const x = 1;\n',
      'broken.ts': 'throw new Error("on load");\n',
      'twice.ts': named('twice'),
      'twice/index.ts': named('twice'),
      'empty/readme.md': 'no index\n',
      'notes.md': 'x\n',
    });
    const text = faults.join('\n');
    for (const word of ['Upper.ts', 'other', 'nothing', 'broken', 'twice', 'empty', 'notes.md']) {
      assert.match(text, new RegExp(`^${word.replace('.', '\\.')} `, 'm'), word);
    }
    assert.equal(faults.length, 7);
  });

  it('refuses a link, because it could bring a tool from elsewhere', async () => {
    const directory = await directoryWith({ 'good.ts': named('good') });
    await symlink(join(directory, 'good.ts'), join(directory, 'linked.ts'));
    await assert.rejects(loadTools(directory), { code: 'ERR_CONFIG_INVALID' });
  });

  it('refuses an empty directory and one that is not there', async () => {
    assert.equal((await faultsOf({})).length, 1);
    await assert.rejects(loadTools(join(root, 'absent')), { code: 'ENOENT' });
  });
});

describe('a definition is refused', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['without a parser', 'parse: undefined'],
    ['without a grammar', 'grammar: undefined'],
    ['with a binary that is a path', "binary: '/tmp/evil'"],
    ['with a binary that is an option', "binary: '-x'"],
    ['with a package that is an option', "debianPackage: '--allow'"],
    ['with a required file that is relative', "requires: ['x']"],
    ['with a description that is too long', "description: 'x'.repeat(901)"],
    ['with a timeout above its own top', 'timeoutMs: 70_000'],
    ['with a top above an hour', 'maxTimeoutMs: 3_600_001'],
    ['with a concurrency above its own top', 'concurrency: 3'],
    ['with an unknown risk', "risk: 'none'"],
    ['without needsRaw for a raw tool', "raw: 'optional'"],
    ['with an open object', "input: { type: 'object', properties: {} }"],
    ['with an open object deep inside', "output: { type: 'array', items: { type: 'object', properties: {} } }"],
    ['with a tuple', "output: { type: 'array', items: [{ type: 'string' }] }"],
    [
      'with a property called run',
      "input: { type: 'object', additionalProperties: false, properties: { run: { type: 'string' } } }",
    ],
    ['with a secret that is no property', "secrets: ['password']"],
    [
      'with a schema that Ajv does not take',
      "input: { type: 'object', additionalProperties: false, properties: { a: { type: 'text' } } }",
    ],
    [
      'with a keyword that Ajv does not know',
      "input: { type: 'object', additionalProperties: false, properties: { a: { type: 'string', maxlength: 3 } } }",
    ],
    ['with a shape that has a memory', "grammar: { options: { '-x': /^a$/g } }"],
    ['without an example', 'examples: []'],
    [
      'with two presets of one name',
      "presets: [{ name: 'a', title: 'a', input: {} }, { name: 'a', title: 'b', input: {} }]",
    ],
  ];
  for (const [name, change] of rows) {
    it(name, async () => {
      const faults = await faultsOf({ 'sample.ts': tool(change) });
      assert.equal(faults.length, 1, faults.join('\n'));
      assert.match(faults[0] ?? '', /^sample: /);
    });
  }
});
