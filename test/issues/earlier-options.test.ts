/*
 * What a caller writes is a value of a typed property, never an option of a program.
 * D4 masscan rate · D5 sqlmap inline values · D6 ungated tools · D10 evasion and ports · D11 script categories
 * D14 words that pass as tokens · D36 what the strictness itself made unusable · D38 two tokenizers
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Type } from '@sinclair/typebox';
import hydra from '../../src/tools/hydra/index.ts';
import { startTestGateway } from '../fixtures/gateway.ts';
import { argvOf, call, printed, publicDirectory, refuses, startSix, textTool } from './earlier-gateway.ts';

const INVALID = ['ERR_INPUT_INVALID', 'ERR_TARGET_INVALID'];
const RISKY = ['ERR_RISK_TOO_HIGH'];
const host = '10.0.0.5';
const page = { scheme: 'http', host, path: '/item.php?id=1&lang=en' };
const SCAN = { cidrs: ['10.0.0.0/24'], ports: '80' };
const PROBE = { url: page, param: 'id' };
const LOGIN = { host, service: 'ssh', users: ['root'], passwords: ['toor'] };

test('with every risk permitted a value is still no option', async (t) => {
  const gateway = await startSix(t);
  await t.test('a rate of masscan is a whole number within its limits, and no other property carries one', async () => {
    const rates = [10_000_000, 1001, 0, -5, 1.5, '100', '--rate=10000000', '100 --rate=10000000', null];
    await refuses(gateway, INVALID, [
      ...rates.map((rate) => ['masscan', { ...SCAN, rate }] as const),
      ['masscan', { ...SCAN, ports: '80 --rate=10000000' }],
      ['masscan', { ...SCAN, ports: '--rate=10000000' }],
      ['masscan', { ...SCAN, cidrs: ['10.0.0.0/24', '--rate=10000000'] }],
      ['masscan', { ...SCAN, maxRate: 10_000_000 }],
      ['masscan', { ...SCAN, 'max-rate': 10_000_000 }],
      ['masscan', { ...SCAN, extra_args: '--rate=10000000' }],
      ['nmap', { targets: [host], maxRate: 100_000_000 }],
      ['nmap', { targets: [host], minRate: 100_000_000 }],
      ['nmap', { targets: [host], maxRate: 0 }],
    ]);
    const argv = await argvOf(gateway, 'masscan', SCAN);
    assert.equal(argv[argv.indexOf('--rate') + 1], '100');
    assert.equal(argv.filter((word) => word.includes('rate')).length, 1);
  });

  await t.test('level, risk and threads of sqlmap have no inline form and no way above their limits', async () => {
    await refuses(gateway, INVALID, [
      ['sqlmap', { ...PROBE, level: 5 }],
      ['sqlmap', { ...PROBE, level: '1' }],
      ['sqlmap', { ...PROBE, level: '5 1' }],
      ['sqlmap', { ...PROBE, risk: 3 }],
      ['sqlmap', { ...PROBE, risk: 1 }],
      ['sqlmap', { ...PROBE, threads: 99 }],
      ['sqlmap', { ...PROBE, technique: 'BEUSTQ' }],
      ['sqlmap', { ...PROBE, technique: 'B --risk=3' }],
      ['sqlmap', { ...PROBE, param: 'id --level=5' }],
      ['sqlmap', { ...PROBE, data: 'id=1 --risk=3 1 --level=5 1 --threads=99 1' }],
      ['sqlmap', { ...PROBE, action: 'dump' }],
      ['sqlmap', { ...PROBE, action: 'passwords' }],
      ['sqlmap', { ...PROBE, action: '--dump-all' }],
    ]);
    const argv = await argvOf(gateway, 'sqlmap', { ...PROBE, level: 2 });
    assert.equal(argv[argv.indexOf('--level') + 1], '2');
    assert.equal(argv[argv.indexOf('--risk') + 1], '1');
    assert.equal(argv.filter((word) => /^--(?:level|risk|threads)/.test(word)).length, 3);
  });

  await t.test('no property hides, forges or fragments packets, and ports have one reading', async () => {
    const evasion = {
      decoys: ['8.8.8.8'],
      decoy: 'RND:10',
      fragment: true,
      mtu: 8,
      spoofMac: '0',
      sourcePort: 53,
      sourceIp: '8.8.8.8',
      dataLength: 20,
      ttl: 1,
      badsum: true,
      proxies: 'http://8.8.8.8:80',
      interface: 'lo',
      aggressive: true,
      timing: 5,
    };
    for (const [name, value] of Object.entries(evasion)) {
      await refuses(gateway, INVALID, [
        ['nmap', { targets: [host], [name]: value }],
        ['masscan', { ...SCAN, [name]: value }],
      ]);
    }
    for (const ports of ['=T:1-65535,U:1-65535', 'T:1-65535', 'U:53', '-', '1-', '0', '65536', '90-80', '80;id', '']) {
      await refuses(gateway, INVALID, [
        ['nmap', { targets: [host], ports }],
        ['masscan', { ...SCAN, ports }],
      ]);
    }
    const tooMany = Array.from({ length: 101 }, (_, index) => String(index + 1)).join(',');
    await refuses(gateway, INVALID, [['nmap', { targets: [host], ports: tooMany }]]);
    const argv = await argvOf(gateway, 'nmap', { targets: [host], ports: '80' });
    assert.deepEqual(
      argv.filter((word) =>
        /^(-f|-D|-S|-g|-A|-e|--mtu|--decoy|--spoof|--source|--data|--ttl|--badsum|--proxies)/.test(word),
      ),
      ['--datadir'],
    );
  });

  await t.test(
    'scripts are named one by one from a vetted list: no category, no expression, none that guesses or asks elsewhere',
    async () => {
      for (const script of [
        'safe',
        'default',
        'discovery',
        'version',
        'vuln',
        'all',
        'http-*',
        'not intrusive',
        'safe and http-title',
        'http-title,dns-brute',
        '+http-title',
        './x.nse',
        '/tmp/x.nse',
        'dns-brute',
        'oracle-sid-brute',
        'dns-zone-transfer',
        'http-slowloris',
        'ssh-brute',
        'whois-ip',
        'broadcast-ping',
        'constructor',
      ]) {
        await refuses(gateway, INVALID, [['nmap', { targets: [host], scripts: [script] }]]);
        await refuses(gateway, INVALID, [['nmap', { targets: [host], scripts: ['http-title', script] }]]);
      }
      await refuses(gateway, INVALID, [['nmap', { targets: [host], scriptArgs: 'http.useragent=x' }]]);
    },
  );

  await t.test('a word is never accepted because it is a number or the name of an option', async () => {
    const valid = {
      nmap: { targets: [host] },
      masscan: SCAN,
      hydra: LOGIN,
      sqlmap: PROBE,
      dig: { name: 'a.lab.internal' },
    };
    for (const [tool, input] of Object.entries(valid)) {
      for (const word of ['--ports 80', '-p', '80', '-oX', ['--ports', '80']]) {
        await refuses(gateway, INVALID, [
          [tool, { ...input, extra_args: word }],
          [tool, { ...input, args: word }],
          [tool, { ...input, '': word }],
        ]);
      }
      await refuses(gateway, INVALID, [[tool, Object.values(input)]]);
    }
  });
});

test('hydra, sqlmap and masscan are closed until the operator opens them, and their wildest options stay closed', async (t) => {
  const calls = [
    ['hydra', LOGIN],
    ['sqlmap', PROBE],
    ['sqlmap', { ...PROBE, technique: 'BEUST' }],
    ['masscan', SCAN],
  ] as const;
  await refuses(await startSix(t, 'port: 0\n'), RISKY, calls);
  const intrusive = await startSix(t, 'policy: { risk: intrusive }\n');
  await refuses(
    intrusive,
    RISKY,
    calls.filter(([tool]) => tool !== 'masscan'),
  );
  assert.notEqual((await call(intrusive, 'masscan', SCAN)).run, undefined);
});

test('options that raise the risk are judged one by one under the default ceiling', async (t) => {
  const gateway = await startSix(t, 'port: 0\n');
  await refuses(gateway, RISKY, [
    ['nmap', { targets: [host], os: true }],
    ['nmap', { targets: [host], scan: 'udp', ports: '53' }],
    ['nmap', { targets: [host], scripts: ['http-title', 'http-enum'] }],
    ['nmap', { targets: [host], scripts: ['http-shellshock'] }],
    ['nmap', { targets: [host], scripts: ['ssl-heartbleed'] }],
    ['gobuster', { mode: 'dir', url: { ...page, path: '/' }, wordlist: 'a/b.txt', delayMs: 0 }],
  ]);
  assert.notEqual((await call(gateway, 'nmap', { targets: [host], scripts: ['http-title'] })).run, undefined);
});

test('what an operator permits does run: scripts, reports, every port, queries in URLs, record types, services and modes', async (t) => {
  const directory = publicDirectory(t);
  writeFileSync(join(directory, 'words.txt'), 'admin\nlogin\n');
  const lists = `wordlists: { directories: ["${directory}"] }\n`;
  const servers = 'resolver: { servers: ["10.0.0.53"] }\ntools: { sqlmap: { breakerFailures: 100 } }\n';
  const gateway = await startSix(t, `policy: { risk: exploit }\n${lists}${servers}`);
  const wordlist = `${directory.split('/').at(-1) ?? ''}/words.txt`;
  const dir = { mode: 'dir', url: { scheme: 'http', host, path: '/' }, wordlist };
  const wanted = [
    ['nmap', { targets: [host], scripts: ['http-title', 'ssl-cert'] }, ['--script', 'http-title,ssl-cert']],
    ['nmap', { targets: [host], ports: 'all', maxRate: 1000 }, ['-p', '1-65535']],
    ['nmap', { targets: [host] }, ['-oX', '-', '--', host]],
    ['sqlmap', PROBE, ['-u', `http://${host}:80/item.php?id=1&lang=en`]],
    ['dig', { name: 'lab.internal', type: 'MX' }, ['-t', 'MX', '-q', 'lab.internal']],
    ['dig', { name: '_ldap._tcp.lab.internal', type: 'SRV', server: '10.0.0.7' }, ['@10.0.0.7']],
    ['gobuster', dir, ['dir']],
    ['gobuster', { ...dir, statusCodes: [200] }, ['-s', '200', '--status-codes-blacklist=']],
    ['gobuster', { mode: 'dns', domain: 'lab.internal', wordlist }, ['-d=lab.internal.', '-r=10.0.0.53:53']],
    ['hydra', LOGIN, [host, 'ssh']],
    ['hydra', { ...LOGIN, service: 'imap' }, [host, 'imap']],
    ['masscan', SCAN, ['10.0.0.0/24']],
  ] as const;
  for (const [tool, input, words] of wanted) {
    const argv = await argvOf(gateway, tool, input);
    const at = argv.indexOf(words[0]);
    assert.deepEqual(argv.slice(at, at + words.length), words, argv.join(' '));
  }
});

test('a value with blanks, quotes and signs of a shell stays one value', async (t) => {
  const text = 'wrong "password" $(id); try `again` | ^USER^ & \\ \'x\'';
  const form = { userField: 'user', passwordField: 'pass', failureText: text };
  const gateway = await startSix(t);
  const input = { ...LOGIN, service: 'http-post-form', path: '/login', form };
  const argv = await argvOf(gateway, 'hydra', input);
  assert.equal(argv.at(-2), 'http-post-form');
  assert.match(argv.at(-1) ?? '', /^\/login:user=\^USER\^&pass=\^PASS\^:F=[A-Za-z0-9\\]+$/);
  const digest = {
    ...hydra,
    binary: 'sha256sum',
    readBack: [],
    grammar: { options: {}, operands: /[up]/ },
    argv: () => ['u', 'p'],
    output: Type.Object({ text: Type.String() }, { additionalProperties: false }),
    parse: textTool('digest', 'sha256sum').parse,
    probe: { argv: ['--version'], version: /coreutils\) (\S+)/ },
  };
  const reader = await startTestGateway(t, { yaml: 'policy: { risk: exploit }\n', tools: [digest] });
  const users = ['a b', 'c;d'];
  const passwords = ['two  blanks', '"quoted" \'both\'', '$(id);`id`|x>y', '123', '\\n'];
  const answer = await call(reader, 'hydra', { ...LOGIN, users, passwords });
  const hash = (lines: readonly string[]) =>
    createHash('sha256')
      .update(lines.map((line) => `${line}\n`).join(''))
      .digest('hex');
  assert.equal(printed(answer), `${hash(users)}  u\n${hash(passwords)}  p\n`);
});
