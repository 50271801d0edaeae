/*
 * What a tool is pointed at is what the policy saw.
 * D1 second URL · D3 decorative target · D7 names at run time · D8 special ranges · D9 foreign questions and servers
 * D12 masscan without a limit of hosts · D13 networks without a limit of size · D27 line ends in a target
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { argvOf, call, refuses, startNames, startSix } from './earlier-gateway.ts';

const OUT = ['ERR_TARGET_OUT_OF_SCOPE'];
const REFUSED = ['ERR_INPUT_INVALID', 'ERR_TARGET_INVALID', 'ERR_TARGET_OUT_OF_SCOPE', 'ERR_TARGET_TOO_LARGE'];
const url = (host: string, path = '/a?id=1') => ({ scheme: 'http', host, path });
const WORDS = 'dirb/common.txt';

/** One call of each tool at a host. */
const callsAt = (host: string) =>
  [
    ['nmap', { targets: [host] }],
    ['masscan', { cidrs: [host], ports: '80' }],
    ['hydra', { host, service: 'ssh', users: ['a'], passwords: ['b'] }],
    ['sqlmap', { url: url(host), param: 'id' }],
    ['gobuster', { mode: 'dir', url: url(host, '/'), wordlist: WORDS }],
    ['gobuster', { mode: 'dns', domain: 'lab.internal', resolver: host, wordlist: WORDS }],
    ['dig', { name: 'www.lab.internal', server: host }],
  ] as const;

const SPECIAL = [
  '169.254.169.254',
  '127.0.0.1',
  '127.8.9.1',
  '0.0.0.0',
  '192.0.2.1',
  '198.18.0.1',
  '198.51.100.7',
  '203.0.113.5',
  '224.0.0.251',
  '240.0.0.1',
  '255.255.255.255',
];

test('with every risk permitted a target is still what the policy saw', async (t) => {
  const gateway = await startSix(t);
  await t.test(
    '"private" means the networks of the scope: metadata, loopback, test and reserved ranges are refused for every tool',
    async () => {
      for (const address of [...SPECIAL, '8.8.8.8', '100.64.0.1']) await refuses(gateway, OUT, callsAt(address));
    },
  );

  await t.test('sqlmap has one URL: a second one in any property is refused or is only data', async () => {
    const input = { url: url('192.168.1.10'), param: 'id' };
    await refuses(gateway, REFUSED, [
      ['sqlmap', { ...input, urls: ['http://203.0.114.9/'] }],
      ['sqlmap', { ...input, u: 'http://203.0.114.9/' }],
      ['sqlmap', { ...input, safeUrl: 'http://203.0.114.9/' }],
      ['sqlmap', { ...input, extra_args: '-u http://203.0.114.9/' }],
      ['sqlmap', { ...input, target: 'http://203.0.114.9/' }],
      ['sqlmap', { ...input, url: 'http://203.0.114.9/' }],
      ['sqlmap', { ...input, url: { ...input.url, url: 'http://203.0.114.9/' } }],
      ['sqlmap', { ...input, url: { ...input.url, host: '192.168.1.10@203.0.114.9' } }],
      ['sqlmap', { ...input, url: { ...input.url, path: '@203.0.114.9/?id=1' } }],
      ['sqlmap', { ...input, url: { ...input.url, path: '/?id=1 -u http://203.0.114.9/' } }],
      ['sqlmap', { ...input, param: '--url=http://203.0.114.9/' }],
      ['sqlmap', { ...input, data: '-u=http://203.0.114.9/' }],
    ]);
    for (const more of [
      { data: 'id=1&next=http://203.0.114.9/' },
      { url: url('192.168.1.10', '/?id=1&x=http://203.0.114.9/') },
    ]) {
      const argv = await argvOf(gateway, 'sqlmap', { ...input, ...more });
      assert.equal(argv.filter((word) => /^(?:-u|--ur?l?=?)/.test(word)).length, 1, argv.join(' '));
      assert.match(argv[argv.indexOf('-u') + 1] ?? '', /^http:\/\/192\.168\.1\.10:80\//);
      assert.deepEqual(
        argv.filter((word) => word.startsWith('http://') && !word.startsWith('http://192.168.1.10:80/')),
        [],
      );
    }
  });

  await t.test(
    'gobuster goes where its checked target says, in the mode that was named, through no proxy and after no redirect',
    async () => {
      const dir = { mode: 'dir', url: url('10.0.0.5', '/'), wordlist: WORDS };
      await refuses(gateway, REFUSED, [
        ['gobuster', { ...dir, domain: 'example.com' }],
        ['gobuster', { ...dir, target: 'x.lab.internal', url: url('93.184.216.34', '/') }],
        ['gobuster', { ...dir, url: url('93.184.216.34', '/') }],
        ['gobuster', { ...dir, url: 'http://93.184.216.34/' }],
        ['gobuster', { ...dir, proxy: 'http://93.184.216.34:8080' }],
        ['gobuster', { ...dir, followRedirect: true }],
        ['gobuster', { ...dir, mode: 'vhost' }],
        ['gobuster', { ...dir, mode: 'dir -u http://93.184.216.34/ -a dns' }],
        ['gobuster', { mode: 'dns', domain: 'example.com', resolver: '10.0.0.53', wordlist: WORDS }],
        ['gobuster', { mode: 'dns', domain: 'lab.internal', resolver: '8.8.8.8', wordlist: WORDS }],
      ]);
    },
  );

  await t.test(
    'networks have an exact limit of addresses, also with every risk permitted and summed over all targets',
    async () => {
      await refuses(
        gateway,
        ['ERR_TARGET_TOO_LARGE', 'ERR_INPUT_INVALID'],
        [
          ['nmap', { targets: ['10.0.0.0/21'], ports: '80' }],
          ['nmap', { targets: ['10.0.0.0/22', '10.9.0.1'], ports: '80' }],
          ['nmap', { targets: ['10.0.0.0/8'], scan: 'ping' }],
          ['masscan', { cidrs: ['10.0.0.0/8'], ports: '80', rate: 1000 }],
          ['masscan', { cidrs: ['10.0.0.0/23'], ports: '80' }],
          ['masscan', { cidrs: ['10.0.0.0/24', '10.1.0.1'], ports: '80' }],
          ...callsAt('10.0.0.0/8').filter(([tool]) => tool !== 'nmap' && tool !== 'masscan'),
          ['hydra', { host: '10.0.0.0/30', service: 'ssh', users: ['a'], passwords: ['b'] }],
          ['dig', { name: '10.0.0.0/8' }],
        ],
      );
      assert.ok((await argvOf(gateway, 'nmap', { targets: ['10.0.0.0/22'], ports: '80' })).includes('10.0.0.0/22'));
      assert.ok((await argvOf(gateway, 'masscan', { cidrs: ['10.0.0.0/24'], ports: '80' })).includes('10.0.0.0/24'));
    },
  );

  await t.test('spellings that a program reads differently, white space and line ends never reach it', async () => {
    for (const host of [
      '10.0.0.0/0.0.0.255',
      '10.0.0.1/24',
      ' 10.0.0.1',
      '10.0.0.1 ',
      '10.0.0.1\n',
      'abc\n.lab.internal',
      'a.lab.internal\r\nX: y',
      '10.0.0.1-255',
      '10.0.0.1,8.8.8.8',
      '010.0.0.1',
      '0x0a000001',
      '167772161',
      '10.1',
      '10.evil.com',
      '-oX',
    ]) {
      await refuses(gateway, REFUSED, callsAt(host));
    }
    const { status } = await call(gateway, 'nmap', { targets: ['10.0.0.1'] });
    assert.equal(status, 200);
  });
});

test('the widest scope that can be configured still lifts no special range', async (t) => {
  const allow = '["127.0.0.0/8", "169.0.0.0/8", "192.0.0.0/8", "198.0.0.0/8", "203.0.0.0/8", "2000::/7"]';
  const gateway = await startSix(t, `policy: { risk: exploit, scope: { allow: ${allow} } }\n`);
  for (const address of SPECIAL) await refuses(gateway, OUT, callsAt(address));
  assert.ok((await argvOf(gateway, 'nmap', { targets: ['198.20.0.1'] })).includes('198.20.0.1'));
  await refuses(gateway, OUT, [['nmap', { targets: ['::ffff:169.254.169.254'] }]]);
  await refuses(gateway, OUT, [['nmap', { targets: ['64:ff9b::a9fe:a9fe'] }]]);
});

test('a name is resolved once and the program gets its address, so that it cannot resolve to another host later', async (t) => {
  const names = { 'web.lab.internal': ['10.20.30.40'], 'deep.er.lab.internal': ['10.20.30.41'] };
  const { address } = await startNames(t, names);
  const gateway = await startSix(t, `policy: { risk: exploit }\nresolver: { servers: ["${address}"] }\n`);
  const pinned = [
    ['nmap', { targets: ['web.lab.internal'] }, '10.20.30.40'],
    ['nmap', { targets: ['DEEP.er.lab.internal.'] }, '10.20.30.41'],
    ['hydra', { host: 'web.lab.internal', service: 'ssh', users: ['a'], passwords: ['b'] }, '10.20.30.40'],
    ['sqlmap', { url: url('web.lab.internal'), param: 'id' }, 'http://10.20.30.40:80/a?id=1'],
  ] as const;
  for (const [tool, input, operand] of pinned) {
    const argv = await argvOf(gateway, tool, input);
    assert.ok(argv.includes(operand), argv.join(' '));
    assert.ok(
      argv.every((word) => !word.includes('lab.internal') || word.startsWith('--host=')),
      argv.join(' '),
    );
  }
});

test('a name in scope that points at a public, metadata or IPv6 address is refused, also when only one of its addresses does', async (t) => {
  const names: Record<string, readonly string[]> = {
    'public.lab.internal': ['93.184.216.34'],
    'metadata.lab.internal': ['169.254.169.254'],
    'six.lab.internal': ['2606:2800:220:1:0:0:0:1'],
    'mixed.lab.internal': ['10.0.0.5', '93.184.216.34'],
    'loop.lab.internal': ['127.0.0.1'],
    'moving.lab.internal': ['10.0.0.5'],
  };
  const { address } = await startNames(t, names);
  const yaml = `policy: { risk: exploit }\nresolver: { servers: ["${address}"], cacheTtlMs: 0 }\n`;
  const gateway = await startSix(t, yaml);
  for (const name of Object.keys(names).filter((key) => key !== 'moving.lab.internal')) {
    await refuses(gateway, OUT, [
      ['nmap', { targets: [name] }],
      ['nmap', { targets: ['10.0.0.9', name] }],
      ['hydra', { host: name, service: 'ssh', users: ['a'], passwords: ['b'] }],
      ['sqlmap', { url: url(name), param: 'id' }],
      ['gobuster', { mode: 'dir', url: url(name, '/'), wordlist: WORDS }],
    ]);
  }
  await refuses(gateway, ['ERR_TARGET_UNRESOLVED'], [['nmap', { targets: ['nowhere.lab.internal'] }]]);
  assert.ok((await argvOf(gateway, 'nmap', { targets: ['moving.lab.internal'] })).includes('10.0.0.5'));
  names['moving.lab.internal'] = ['169.254.169.254'];
  await refuses(gateway, OUT, [['nmap', { targets: ['moving.lab.internal'] }]]);
});

test('dig asks about names in scope, at one checked server, without delegations, and a zone transfer has a price', async (t) => {
  const gateway = await startSix(t, 'policy: { risk: observe }\nresolver: { servers: ["10.0.0.53"] }\n');
  await refuses(gateway, REFUSED, [
    ['dig', { name: 'secret-data.attacker.example' }],
    ['dig', { name: 'example.com', type: 'MX' }],
    ['dig', { name: 'lab.internal.attacker.example' }],
    ['dig', { name: '8.8.8.8', type: 'PTR' }],
    ['dig', { name: '34.216.184.93.in-addr.arpa', type: 'PTR' }],
    ['dig', { name: 'www.lab.internal', server: '10.0.0.53,8.8.8.8' }],
    ['dig', { name: 'www.lab.internal', server: ['10.0.0.53', '8.8.8.8'] }],
    ['dig', { name: 'www.lab.internal @8.8.8.8' }],
    ['dig', { name: '@8.8.8.8' }],
    ['dig', { name: '+trace' }],
    ['dig', { name: 'www.lab.internal', trace: true }],
    ['dig', { name: 'www.lab.internal', options: ['+trace'] }],
    ['dig', { name: 'www.lab.internal', type: 'IXFR=1' }],
  ]);
  await refuses(gateway, ['ERR_RISK_TOO_HIGH'], [['dig', { name: 'lab.internal', type: 'AXFR' }]]);
  const argv = await argvOf(gateway, 'dig', { name: 'www.lab.internal', type: 'MX' });
  assert.deepEqual(
    argv.filter((word) => word.startsWith('@')),
    ['@10.0.0.53'],
  );
  assert.ok(!argv.includes('+trace'));
});
