import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { SallyportError } from '../../../src/core/errors.ts';
import { createWordlistCatalogue, MAX_WORDLIST_BYTES } from '../../../src/core/tool/wordlists.ts';

const root = await mkdtemp(join(tmpdir(), 'sallyport-lists-'));
after(() => rm(root, { recursive: true, force: true }));

async function write(path: string, content: string): Promise<string> {
  const full = join(root, path);
  await mkdir(dirname(full), { recursive: true });
  await writeFile(full, content);
  return full;
}

await write('lists/common.txt', 'a\nb\nc\n');
await write('lists/web/deep.lst', 'a\nb');
await write('lists/no-extension', 'a\n');
await write('lists/empty.txt', '');
await write('lists/fingerprints.lua', 'x');
await write('lists/.hidden.txt', 'x');
await write('lists/binary.txt', 'a\0b\n');
await write('lists/many.txt', 'x\n'.repeat(1_000_001));
await write('lists/most.txt', 'x\n'.repeat(1_000_000));
await truncate(await write('lists/huge.txt', 'x'), MAX_WORDLIST_BYTES + 1);
await write('lists-evil/secret.txt', 'secret\n');
await write('outside.txt', 'secret\n');
await symlink(join(root, 'outside.txt'), join(root, 'lists/link.txt'));
await symlink(join(root, 'lists-evil'), join(root, 'lists/evil'));
await symlink('common.txt', join(root, 'lists/inside.txt'));
await write('second/lists/other.txt', 'a\n');

const catalogue = createWordlistCatalogue([join(root, 'lists'), join(root, 'absent'), join(root, 'second/lists')]);
const pin = (name: string) => catalogue.pin({ role: 'wordlist', name });

async function refusal(name: string): Promise<SallyportError> {
  const error = await pin(name).then(
    () => assert.fail(`${JSON.stringify(name)} was found`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof SallyportError);
  assert.equal(error.code, 'ERR_INPUT_INVALID');
  return error;
}

describe('the word-list catalogue', () => {
  it('finds a list by name and counts its lines', async () => {
    assert.deepEqual(await pin('lists/common.txt'), {
      role: 'wordlist',
      name: 'lists/common.txt',
      path: join(root, 'lists/common.txt'),
      bytes: 6,
      lines: 3,
    });
    assert.equal((await pin('lists/web/deep.lst')).lines, 2);
    assert.equal((await pin('lists/no-extension')).lines, 1);
    assert.equal((await pin('lists/empty.txt')).lines, 0);
    assert.equal((await pin('lists/most.txt')).lines, 1_000_000);
  });

  it('keeps two directories of the same name apart', async () => {
    assert.equal((await pin('lists-2/other.txt')).path, join(root, 'second/lists/other.txt'));
  });

  it('labels a collection by its package', async () => {
    const debian = createWordlistCatalogue(['/usr/share/nmap/nselib/data', '/usr/share/dirb/wordlists']);
    for (const { name } of await debian.list()) assert.match(name, /^(nmap|dirb)\//);
  });

  it('follows a link that stays inside and none that leads out', async () => {
    assert.equal((await pin('lists/inside.txt')).path, join(root, 'lists/common.txt'));
    await refusal('lists/link.txt');
    await refusal('lists/evil/secret.txt');
  });

  it('takes no path for a name', async () => {
    for (const name of [
      join(root, 'lists/common.txt'),
      '/etc/passwd',
      '../outside.txt',
      'lists/../outside.txt',
      'lists/web/../common.txt',
      'lists/./common.txt',
      'lists//common.txt',
      'lists/common.txt/',
      'lists-evil/secret.txt',
      'lists',
      'lists/',
      'lists/web',
      'lists/.hidden.txt',
      'lists/-x.txt',
      '-lists/common.txt',
      'lists/common.txt\0.txt',
      'lists/common.txt\n',
      'lists\\common.txt',
      'common.txt',
      'absent/x.txt',
      '',
    ])
      await refusal(name);
  });

  it('refuses what is too large, too long, or no text', async () => {
    for (const name of ['lists/huge.txt', 'lists/many.txt', 'lists/binary.txt', 'lists/fingerprints.lua'])
      await refusal(name);
  });

  it('answers an unknown name with the names that exist', async () => {
    const { details } = await refusal('lists/nope.txt');
    const available = details?.['available'] as string[];
    assert.ok(available.includes('lists/common.txt') && available.includes('lists/web/deep.lst'));
    assert.ok(!available.some((name) => /link|evil|hidden|lua|huge/.test(name)), available.join());
  });

  it('counts again when the file has changed', async () => {
    const path = await write('lists/changing.txt', 'a\n');
    assert.equal((await pin('lists/changing.txt')).lines, 1);
    await writeFile(path, 'a\nb\n');
    assert.equal((await pin('lists/changing.txt')).lines, 2);
  });

  it('wants absolute directories', () => {
    assert.throws(() => createWordlistCatalogue(['lists']), { code: 'ERR_CONFIG_INVALID' });
  });
});
