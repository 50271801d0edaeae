/*
 * A caller reads and writes no file of the gateway's machine.
 * D15 reading through options · D16 writing through options · D17 word lists by path, prefix, link and length
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startTestGateway } from '../fixtures/gateway.ts';
import { argvOf, call, printed, publicDirectory, refuses, SIX, startSix, textTool } from './earlier-gateway.ts';

const INVALID = ['ERR_INPUT_INVALID', 'ERR_TARGET_INVALID', 'ERR_TARGET_OUT_OF_SCOPE'];
const host = '10.0.0.5';
const PAGE = { scheme: 'http', host, path: '/' };
const VALID: Readonly<Record<string, object>> = {
  nmap: { targets: [host] },
  masscan: { cidrs: [host], ports: '80' },
  gobuster: { mode: 'dir', url: PAGE, wordlist: 'lists/good.txt' },
  hydra: { host, service: 'ssh', users: ['a'], passwords: ['b'] },
  sqlmap: { url: { ...PAGE, path: '/?id=1' }, param: 'id' },
  dig: { name: 'www.lab.internal', server: '10.0.0.53' },
};
const PASSWD = ['/etc/passwd', '../../etc/passwd', '@/etc/passwd', 'file:///etc/passwd', '-f/etc/passwd'];

test('with every risk permitted no call reads or names a file', async (t) => {
  const gateway = await startSix(t);
  const directory = publicDirectory(t);
  await t.test('no value of a call is read as a path of this machine', async () => {
    for (const path of PASSWD) {
      await refuses(gateway, INVALID, [
        ['dig', { name: path, server: '10.0.0.53' }],
        ['dig', { ...VALID['dig'], server: path }],
        ['dig', { ...VALID['dig'], file: path }],
        ['gobuster', { ...VALID['gobuster'], wordlist: path }],
        ['gobuster', { ...VALID['gobuster'], wordlist: `lists/good.txt --wordlist=${path}` }],
        ['hydra', { host, service: 'ssh', userList: path, passwords: ['b'] }],
        ['hydra', { host, service: 'ssh', users: ['a'], passwordList: path }],
        ['hydra', { ...VALID['hydra'], comboFile: path }],
        ['masscan', { ...VALID['masscan'], excludeFile: path }],
        ['masscan', { ...VALID['masscan'], cidrs: [path] }],
        ['nmap', { targets: [path] }],
        ['nmap', { ...VALID['nmap'], inputFile: path }],
        ['nmap', { ...VALID['nmap'], scripts: [path] }],
        ['sqlmap', { ...VALID['sqlmap'], requestFile: path }],
        ['sqlmap', { ...VALID['sqlmap'], param: path }],
      ]);
    }
  });

  await t.test(
    'no call names a file that a program would write, and none writes beside its own directory',
    async () => {
      const target = join(directory, 'written');
      for (const [tool, input] of Object.entries(VALID)) {
        for (const name of [
          'output',
          'outputDir',
          'output-dir',
          'o',
          'oX',
          '-oX',
          'oN',
          'oG',
          'oJ',
          'oL',
          'stylesheet',
        ]) {
          await refuses(gateway, ['ERR_INPUT_INVALID'], [[tool, { ...input, [name]: target }]]);
        }
      }
      const argv = await argvOf(gateway, 'nmap', VALID['nmap'] ?? {});
      assert.deepEqual(argv.slice(-4), ['-oX', '-', '--', host], 'the target can never become the value of an option');
      for (const tool of ['masscan', 'sqlmap', 'dig', 'hydra']) {
        const paths = (await argvOf(gateway, tool, VALID[tool] ?? {})).filter((word) => word.startsWith('/'));
        assert.deepEqual(paths, tool === 'sqlmap' ? ['/usr/share/sqlmap/sqlmap.py'] : [], tool);
      }
      assert.equal(existsSync(target), false);
    },
  );
});

test('a program works in an empty directory of its own, and what it writes there is gone with the run', async (t) => {
  const gateway = await startTestGateway(t, {
    tools: [textTool('where', 'pwd'), textTool('list', 'ls', { argv: () => ['.'] }), textTool('touch', 'touch')],
  });
  const first = printed(await call(gateway, 'where', {})).trim();
  const second = printed(await call(gateway, 'where', {})).trim();
  assert.match(first, /^\//);
  assert.notEqual(first, process.cwd());
  assert.notEqual(first, second);
  assert.equal(existsSync(first), false);
  await call(gateway, 'touch', { word: 'left.behind' });
  assert.equal(printed(await call(gateway, 'list', {})), '');
  assert.equal(existsSync(join(process.cwd(), 'left.behind')), false);
});

test('a word list is a file inside its directory: no neighbour with the same beginning, no link out, no way up', async (t) => {
  const directory = publicDirectory(t);
  const lists = join(directory, 'lists');
  const evil = join(directory, 'lists-evil');
  for (const path of [lists, evil]) mkdirSync(path, { mode: 0o755 });
  writeFileSync(join(evil, 'secret.txt'), 'stolen\n');
  writeFileSync(join(lists, 'good.txt'), 'admin\n');
  writeFileSync(join(lists, '.hidden'), 'stolen\n');
  writeFileSync(join(lists, 'passwd.key'), 'stolen\n');
  writeFileSync(join(lists, 'binary.txt'), 'a\0b\n');
  symlinkSync(join(evil, 'secret.txt'), join(lists, 'link.txt'));
  symlinkSync('/etc', join(lists, 'etc'));
  symlinkSync(evil, join(lists, 'folder'));
  const yaml = `policy: { risk: exploit }\nwordlists: { directories: ["${lists}"] }\n`;
  const gateway = await startTestGateway(t, { yaml, tools: SIX.filter(({ name }) => /gobuster|hydra/.test(name)) });
  for (const name of [
    'lists-evil/secret.txt',
    'lists/../lists-evil/secret.txt',
    'lists/link.txt',
    'lists/folder/secret.txt',
    'lists/etc/passwd',
    'lists/.hidden',
    'lists/passwd.key',
    'lists/binary.txt',
    'lists/',
    'lists',
    'lists/good.txt/..',
    'lists//good.txt',
    'lists/good.txt\n',
    `${lists}/good.txt`,
  ]) {
    await refuses(gateway, INVALID, [
      ['gobuster', { ...VALID['gobuster'], wordlist: name }],
      ['hydra', { host, service: 'ssh', users: ['a'], passwordList: name }],
    ]);
  }
  const names = (await gateway.app.inject({ url: '/v1/wordlists', headers: gateway.headers })).body;
  assert.doesNotMatch(names, /secret|passwd|hidden|\/tmp/);
  assert.match(names, /lists\/good\.txt/);
  assert.notEqual((await call(gateway, 'gobuster', VALID['gobuster'])).run, undefined);
});

test('the limits of lines and bytes of a word list are enforced', async (t) => {
  const lists = join(publicDirectory(t), 'lists');
  mkdirSync(lists, { mode: 0o755 });
  const write = (name: string, content: string) => writeFileSync(join(lists, name), content);
  write('million.txt', 'a\n'.repeat(1_000_001));
  write('unended.txt', `${'a\n'.repeat(1_000_000)}a`);
  write('large.txt', 'a'.repeat(50 * 1024 * 1024 + 1));
  write('users.txt', 'a\n'.repeat(1001));
  write('passwords.txt', 'a\n'.repeat(10_001));
  const yaml = `policy: { risk: exploit }\nwordlists: { directories: ["${lists}"] }\n`;
  const gateway = await startTestGateway(t, { yaml, tools: SIX.filter(({ name }) => /gobuster|hydra/.test(name)) });
  await refuses(
    gateway,
    ['ERR_INPUT_INVALID'],
    [
      ['gobuster', { ...VALID['gobuster'], wordlist: 'lists/million.txt' }],
      ['gobuster', { ...VALID['gobuster'], wordlist: 'lists/unended.txt' }],
      ['gobuster', { ...VALID['gobuster'], wordlist: 'lists/large.txt' }],
      ['hydra', { host, service: 'ssh', userList: 'lists/users.txt', passwords: ['b'] }],
      ['hydra', { host, service: 'ssh', users: ['a'], passwordList: 'lists/passwords.txt' }],
    ],
  );
});
