/* What a tool leaves in its working directory: read back without being led astray, and removed whole. */
import assert from 'node:assert/strict';
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { watchScratch } from '../../../src/core/execution/scratch-watch.ts';
import { COMBINATIONS, publicDirectory, sharedBench, until } from './harness.ts';

/** Entries that a directory may hold (scratch-watch.ts). */
const MOST_ENTRIES = 50_000;
/** Longer than the time between two looks. */
const WHOLE_LOOK_MS = 900;

for (const { name, disable } of COMBINATIONS) {
  describe(`the working directory (${name})`, () => {
    const bench = sharedBench({ disable });

    test('a hostile one is read back without following anything, and removed whole', async () => {
      const { run, fake, scratchParent } = bench();
      const victim = fake('victim');
      writeFileSync(victim, 'of the gateway', { mode: 0o644 });
      const ran = await run({
        binary: fake('litter'),
        argv: ['500', '60', victim],
        readBack: ['*.txt', 'root/etc/hostname', '../*', 'many/1*', 'plain.txt'],
        timeoutMs: 60_000,
      });
      const isLinking = !ran.layers.includes('L2');
      // Layer 2 allows plain files and directories alone; without it every link and FIFO is there to be avoided.
      assert.equal(ran.out, isLinking ? 'made symlink symlink symlink fifo\nlittered\n' : 'made\nlittered\n', ran.err);
      assert.equal(ran.files.get('plain.txt')?.toString(), 'plain');
      const read = [...ran.files.keys()].filter((path) => !path.startsWith('many/'));
      assert.deepEqual(read, ['plain.txt']);
      assert.ok(ran.files.size > 1 && ran.files.size <= 64);
      assert.deepEqual(readdirSync(scratchParent), []);
      assert.equal(readFileSync(victim, 'utf8'), 'of the gateway');
      assert.ok(existsSync('/etc/hostname'));
    });

    test('a file read back is cut at its cap, and one with a second name is not read', async () => {
      const script = 'head -c 100000 /dev/zero > big; ln big hard; head -c 10 /dev/zero > small; ln -s small link';
      const readBack = { binary: '/bin/sh', readBack: ['*'], limits: { fileBytes: 1000 } };
      const ran = await bench().run({ ...readBack, argv: ['-c', script] });
      const sizes = [...ran.files].map(([path, content]) => [path, content.length]);
      assert.deepEqual(sizes, [['small', 10]]);
      const again = await bench().run({ ...readBack, argv: ['-c', 'head -c 5000 /dev/zero > big'] });
      assert.equal(again.files.get('big')?.length, 1000);
    });

    test('a tool that fills the disk with many small files is ended', async (t) => {
      const { run, fake, scratchParent } = bench();
      const ran = await run({ binary: fake('fill-disk'), argv: ['many'], timeoutMs: 60_000 });
      t.diagnostic(`ended after ${ran.durationMs.toFixed(0)} ms: ${ran.err.trim()}`);
      assert.deepEqual([ran.ending, ran.survivors], ['output_cap', 0]);
      assert.deepEqual(readdirSync(scratchParent), []);
    });
  });
}

describe('the working directory in the end', () => {
  const bench = sharedBench();

  test('one of very many files is removed', async () => {
    const files = process.env['SALLYPORT_TEST_NIGHTLY'] === undefined ? '10000' : '45000';
    const { run, fake, scratchParent } = bench();
    const ran = await run({ binary: fake('litter'), argv: [files, '1', '/etc/hostname'], timeoutMs: 120_000 });
    assert.deepEqual([ran.exitCode, readdirSync(scratchParent)], [0, []]);
  });
});

test('more entries than may be are too much although they are empty', async (t) => {
  const directory = publicDirectory(t);
  const file = `${directory}/file`;
  writeFileSync(file, '');
  const fill = (branch: number) => {
    mkdirSync(`${directory}/${branch}`);
    for (let each = 0; each < MOST_ENTRIES / 10; each += 1) linkSync(file, `${directory}/${branch}/${each}`);
  };
  fill(0);
  let early = 0;
  const first = watchScratch(directory, () => void (early += 1));
  await delay(WHOLE_LOOK_MS);
  first.stop();
  assert.equal(early, 0, 'few entries are not too much');
  for (let branch = 1; branch < 11; branch += 1) fill(branch);
  let full = 0;
  const watch = watchScratch(directory, () => void (full += 1));
  t.after(() => watch.stop());
  assert.ok(await until(() => full > 0));
});
