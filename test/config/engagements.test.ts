import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type EngagementFiles, readEngagementFiles, watchEngagementFiles } from '../../src/config/engagements.ts';
import { inspectEngagementFiles } from '../../src/core/engagement/inspect.ts';

const SOUND = `id: acme
title: ACME internal
approver: j.doe
principals: [agent-red]
scope:
  allow: [10.20.0.0/16, "*.acme.test"]
  deny:
    - 10.20.9.0/24
ports:
  deny: [502, 20000-20010]
tools:
  allow: ["*"]
risk: active
window:
  until: 2027-01-01T00:00:00Z
`;

/** A directory that goes with the test. */
function newDirectory(t: TestContext, files: Readonly<Record<string, string>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'sallyport-engagements-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

const idsOf = (files: EngagementFiles): readonly unknown[] =>
  'documents' in files ? files.documents.map(({ document }) => (document as { id?: unknown }).id) : files.faults;
const faultsOf = (files: EngagementFiles): string => inspectEngagementFiles(files, []).faults.join('\n');

test('every yaml and yml file is read, and nothing else', (t) => {
  const directory = newDirectory(t, {
    'a.yaml': SOUND,
    'b.yml': SOUND.replace('acme', 'beta'),
    'README.md': 'x: [',
    '.hidden.yaml': 'x: [',
    'c.yaml.bak': 'x: [',
  });
  const read = readEngagementFiles(directory);
  assert.deepEqual(idsOf(read), ['acme', 'beta']);
  assert.equal(faultsOf(read), '');
});

test('ports are taken as their digits are written, and moments stay text', (t) => {
  const read = readEngagementFiles(newDirectory(t, { 'a.yaml': SOUND }));
  assert.ok('documents' in read);
  const document = read.documents[0]?.document as { ports: unknown; window: unknown } | undefined;
  assert.deepEqual(document?.ports, { deny: ['502', '20000-20010'] });
  assert.deepEqual(document?.window, { until: '2027-01-01T00:00:00Z' });
});

test('no directory configured is no engagement; a configured one that is missing is a fault', (t) => {
  assert.deepEqual(readEngagementFiles(''), { documents: [], notices: [] });
  assert.match(faultsOf(readEngagementFiles(join(newDirectory(t), 'gone'))), /gone: not there/);
});

/** What is wrong, the file's text, and what the fault must say. */
const WRONG: readonly (readonly [string, string, RegExp])[] = [
  ['a scope that is none', SOUND.replace('10.20.9.0/24', '10.20.9.1/24'), /a\.yaml:8: scope\.deny\.0 .*host bits/],
  ['an unknown key', SOUND.replace('risk:', 'rsk: x\nrisk:'), /a\.yaml:13: has an unknown property "rsk"/],
  ['an unknown key below', SOUND.replace('  allow: ["*"]', '  allow: ["*"]\n  dney: []'), /a\.yaml:13: tools .*"dney"/],
  ['a missing key', SOUND.replace('risk: active\n', ''), /a\.yaml:1: must have required property 'risk'/],
  ['a wrong risk', SOUND.replace('active', 'activ'), /a\.yaml:13: risk must be one of/],
  [
    'hours that are none',
    SOUND.replace('until: 2027-01-01T00:00:00Z', 'weekly: [always]'),
    /a\.yaml:15: window\.weekly\.0/,
  ],
  ['a key twice', `${SOUND}risk: exploit\n`, /a\.yaml:16: not valid YAML \(DUPLICATE_KEY\)/],
  ['two documents', `${SOUND}---\n${SOUND}`, /a\.yaml:\d+: more than one YAML document/],
  ['an anchor', SOUND.replace('[agent-red]', '&x [agent-red]'), /a\.yaml:4: an anchor/],
  ['an alias', SOUND.replace('["*"]', '*x'), /a\.yaml:12: an alias/],
  ['a tag', SOUND.replace('active', '!!str active'), /a\.yaml:13: a tag/],
  ['no mapping', '- a\n', /a\.yaml: not a group of keys/],
  ['nothing', '', /a\.yaml: /],
  ['only comments', '# x\n', /a\.yaml: /],
  ['half a file', SOUND.slice(0, 60), /a\.yaml:/],
  ['an unclosed list', 'id: [a', /a\.yaml:1: not valid YAML/],
  ['a null list', SOUND.replace('deny: [502, 20000-20010]', 'deny:'), /a\.yaml:10: ports\.deny must be array/],
];

for (const [what, text, fault] of WRONG) {
  test(`${what} is named with file, line and reason`, (t) => {
    assert.match(faultsOf(readEngagementFiles(newDirectory(t, { 'a.yaml': text }))), fault);
  });
}

test('a bomb of aliases and a tower of brackets are refused at once', (t) => {
  const levels = Array.from({ length: 12 }, (_, level) => `a${level}: &a${level} [${`*a${level - 1},`.repeat(9)}]`);
  const bomb = ['a-1: &a-1 x', ...levels].join('\n');
  const begun = performance.now();
  for (const text of [bomb, `id: ${'['.repeat(20_000)}`, `id: ${'{a: '.repeat(5000)}`]) {
    assert.notEqual(faultsOf(readEngagementFiles(newDirectory(t, { 'a.yaml': text }))), '');
  }
  assert.ok(performance.now() - begun < 5000);
});

test('a fault shows nothing of a file that is not YAML', (t) => {
  const read = readEngagementFiles(newDirectory(t, { 'a.yaml': 'id: [hunter2\nroot:x:$6$secret' }));
  assert.doesNotMatch(faultsOf(read), /hunter2|secret/);
});

test('what is not UTF-8 is refused', (t) => {
  const directory = newDirectory(t);
  writeFileSync(join(directory, 'a.yaml'), Buffer.concat([Buffer.from(SOUND), Buffer.from([0x23, 0xff, 0xfe])]));
  assert.match(faultsOf(readEngagementFiles(directory)), /a\.yaml: not readable/);
});

test('a link inside the directory is followed, as Kubernetes makes them', (t) => {
  const directory = newDirectory(t);
  mkdirSync(join(directory, '..2026_11'));
  writeFileSync(join(directory, '..2026_11', 'a.yaml'), SOUND);
  symlinkSync('..2026_11', join(directory, '..data'));
  symlinkSync('..data/a.yaml', join(directory, 'a.yaml'));
  assert.deepEqual(idsOf(readEngagementFiles(directory)), ['acme']);
});

test('a link that leads out of the directory is refused, be it to a sound file', (t) => {
  const outside = newDirectory(t, { 'a.yaml': SOUND });
  const directory = newDirectory(t);
  symlinkSync(join(outside, 'a.yaml'), join(directory, 'a.yaml'));
  assert.match(faultsOf(readEngagementFiles(directory)), /a\.yaml: a link that leads out/);
  const beside = newDirectory(t);
  // A name that begins like the directory's own.
  mkdirSync(`${beside}-other`);
  t.after(() => rmSync(`${beside}-other`, { recursive: true }));
  writeFileSync(join(`${beside}-other`, 'a.yaml'), SOUND);
  symlinkSync(join(`${beside}-other`, 'a.yaml'), join(beside, 'a.yaml'));
  assert.match(faultsOf(readEngagementFiles(beside)), /leads out/);
});

test('a FIFO, a directory, a broken link and a file that is too large are faults and stop nothing', (t) => {
  const directory = newDirectory(t, { 'large.yaml': `# ${'x'.repeat(262_144)}\n${SOUND}` });
  execFileSync('mkfifo', [join(directory, 'fifo.yaml')]);
  mkdirSync(join(directory, 'dir.yaml'));
  symlinkSync('nothing', join(directory, 'broken.yaml'));
  const faults = faultsOf(readEngagementFiles(directory));
  for (const name of ['large', 'fifo', 'dir', 'broken']) assert.match(faults, new RegExp(`${name}\\.yaml: `));
});

test('more than a thousand files are refused', (t) => {
  const directory = newDirectory(t);
  for (let index = 0; index <= 1000; index += 1) writeFileSync(join(directory, `${index}.yaml`), '');
  assert.match(faultsOf(readEngagementFiles(directory)), /more than 1000 files/);
});

test('a directory that others may write is told', (t) => {
  const directory = newDirectory(t, { 'a.yaml': SOUND });
  chmodSync(directory, 0o777);
  assert.match(inspectEngagementFiles(readEngagementFiles(directory), []).notices.join('\n'), /written by others/);
  chmodSync(directory, 0o700);
  assert.doesNotMatch(inspectEngagementFiles(readEngagementFiles(directory), []).notices.join('\n'), /others/);
});

/** Follows a directory; `next` resolves with the next files that are told. */
function follow(t: TestContext, directory: string, pollMs = 50) {
  const end = new AbortController();
  t.after(() => end.abort());
  const told: EngagementFiles[] = [];
  let wake = (): void => undefined;
  const onChange = (files: EngagementFiles): void => {
    told.push(files);
    wake();
  };
  watchEngagementFiles({ directory, onChange, signal: end.signal, settleMs: 20, pollMs });
  const next = async (): Promise<EngagementFiles> => {
    // The watch itself keeps no process alive.
    const alive = setInterval(() => undefined, 1000);
    for (;;) {
      const files = told.shift();
      if (files !== undefined) {
        clearInterval(alive);
        return files;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { next, told, end };
}

test('a watch tells what is there, and then every change whole', async (t) => {
  const directory = newDirectory(t, { 'a.yaml': SOUND });
  const { next } = follow(t, directory);
  assert.deepEqual(idsOf(await next()), ['acme']);
  writeFileSync(join(directory, 'b.yaml'), SOUND.replace('acme', 'beta'));
  assert.deepEqual(idsOf(await next()), ['acme', 'beta']);
  writeFileSync(join(directory, 'new'), SOUND.replace('acme', 'gamma'));
  renameSync(join(directory, 'new'), join(directory, 'a.yaml'));
  assert.deepEqual(idsOf(await next()), ['gamma', 'beta']);
  rmSync(join(directory, 'b.yaml'));
  assert.deepEqual(idsOf(await next()), ['gamma']);
});

test('events alone are enough: a change is told without a look now and then', async (t) => {
  const directory = newDirectory(t, { 'a.yaml': SOUND });
  const { next } = follow(t, directory, 0);
  await next();
  writeFileSync(join(directory, 'a.yaml'), SOUND.replace('acme', 'beta'));
  assert.deepEqual(idsOf(await next()), ['beta']);
});

test('a swap of the data behind the links is told, as Kubernetes updates a mount', async (t) => {
  const directory = newDirectory(t);
  for (const [version, id] of [
    ['..1', 'acme'],
    ['..2', 'beta'],
  ] as const) {
    mkdirSync(join(directory, version));
    writeFileSync(join(directory, version, 'a.yaml'), SOUND.replace('acme', id));
  }
  symlinkSync('..1', join(directory, '..data'));
  symlinkSync('..data/a.yaml', join(directory, 'a.yaml'));
  const { next } = follow(t, directory, 0);
  assert.deepEqual(idsOf(await next()), ['acme']);
  symlinkSync('..2', join(directory, '..data_tmp'));
  renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
  assert.deepEqual(idsOf(await next()), ['beta']);
});

test('a watch survives that the directory is taken away and replaced', async (t) => {
  const place = newDirectory(t);
  const directory = join(place, 'engagements');
  mkdirSync(directory);
  writeFileSync(join(directory, 'a.yaml'), SOUND);
  const { next } = follow(t, directory);
  await next();
  renameSync(directory, join(place, 'old'));
  assert.match(faultsOf(await next()), /not there/);
  mkdirSync(join(place, 'fresh'));
  writeFileSync(join(place, 'fresh', 'a.yaml'), SOUND.replace('acme', 'beta'));
  renameSync(join(place, 'fresh'), directory);
  assert.deepEqual(idsOf(await next()), ['beta']);
  writeFileSync(join(directory, 'a.yaml'), SOUND.replace('acme', 'gamma'));
  assert.deepEqual(idsOf(await next()), ['gamma']);
});

test('what is written back before it settled is no change', async (t) => {
  const directory = newDirectory(t, { 'a.yaml': SOUND });
  const { next } = follow(t, directory);
  await next();
  writeFileSync(join(directory, 'a.yaml'), 'x: [');
  writeFileSync(join(directory, 'a.yaml'), SOUND);
  writeFileSync(join(directory, 'b.yaml'), SOUND.replace('acme', 'beta'));
  assert.deepEqual(idsOf(await next()), ['acme', 'beta'], 'the half-written state is never told');
});
