import assert from 'node:assert/strict';
import {
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { systemClock } from '../../../src/core/clock.ts';
import { removePublicFiles } from '../../../src/core/execution/public-places.ts';
import { isRoot, publicDirectory, startBench } from './harness.ts';

const UID = 71_950;
const NEEDS_ROOT = 'needs root: tools share the user id of the gateway here';

test('files, directories and links of the user id go; those of others and what links name stay', async (t) => {
  if (!isRoot) return t.skip(NEEDS_ROOT);
  const directory = publicDirectory(t);
  const place = `${directory}/place`;
  mkdirSync(`${place}/tree/deep`, { recursive: true });
  writeFileSync(`${directory}/secret`, 'kept');
  for (const name of ['mine', 'other', 'tree/deep/file']) writeFileSync(`${place}/${name}`, 'x');
  for (const name of ['mine', 'tree', 'tree/deep', 'tree/deep/file']) chownSync(`${place}/${name}`, UID, UID);
  chownSync(`${place}/other`, UID + 1, UID + 1);
  for (const name of ['link', 'tree/link']) {
    symlinkSync(`${directory}/secret`, `${place}/${name}`);
    lchownSync(`${place}/${name}`, UID, UID);
  }
  assert.equal(await removePublicFiles(UID, systemClock, [place, `${directory}/absent`]), true);
  assert.deepEqual(readdirSync(place), ['other']);
  assert.equal(readFileSync(`${directory}/secret`, 'utf8'), 'kept');
});

test('a run meets nothing that an earlier one left in the public directories', async (t) => {
  if (!isRoot) return t.skip(NEEDS_ROOT);
  const { run } = await startBench(t, { uidBase: 64_950 });
  const places = ['/tmp', '/var/tmp', '/dev/shm'].filter((place) => existsSync(place));
  const left = places.map((place) => `${place}/left-behind-${process.pid}`);
  const script = 'for path; do mkdir -m 0 "$path" && mkdir -m 700 "$path.d" && : > "$path.d/x" && echo made; done';
  const { out } = await run({ binary: '/bin/sh', argv: ['-c', script, 'sh', ...left] });
  assert.equal(out, 'made\n'.repeat(left.length));
  assert.deepEqual(
    left.flatMap((path) => [path, `${path}.d`]).filter((path) => existsSync(path)),
    [],
  );
});
