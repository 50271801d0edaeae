import type { ErrorCode } from '../../../src/core/errors.ts';
import type { TargetClaim } from '../../../src/core/targets/types.ts';

type Group = readonly [kinds: readonly TargetClaim['kind'][], code: ErrorCode, values: readonly string[]];

const INVALID = 'ERR_TARGET_INVALID';
const OUT = 'ERR_TARGET_OUT_OF_SCOPE';
const HOSTS = ['host', 'host-or-network'] as const;
const ANY = ['host', 'network', 'host-or-network', 'url', 'domain', 'resolver'] as const;
const ESC = '\u001b';

// biome-ignore format: a table; one value on each line would make it a thousand lines
/** Spellings that an attacker would try, by claim kind, each with the code that must answer it. */
const GROUPS: readonly Group[] = [
  // Octal, hexadecimal, short and integer IPv4: inet_aton reads them, people do not.
  [HOSTS, INVALID, [
    '0177.0.0.1', '0177.1', '012.0.0.5', '10.0.0.05', '010.0.0.5', '10.0.0.00', '00.0.0.0', '10.00.0.5',
  ]],
  [HOSTS, INVALID, [
    '0x7f.0.0.1', '0x7f.1', '0x7f000001', '0X0A.0.0.5', '10.0.0.0x5', '0x0a000005', '0xa.0.0.5', '0x', '10.0x0.0.5',
  ]],
  [HOSTS, INVALID, [
    '127.1', '10.5', '10.0.5', '10', '0', '167772165', '2130706433', '4294967296', '00', '017700000001', '1e3',
  ]],
  [HOSTS, INVALID, [
    '10.0.0.256', '256.0.0.1', '10.0.0.999', '10.0.0.0.5', '10.0.0.5.', '.10.0.0.5', '10..0.5', '10.0.0.',
    '10.0.0.-5', '+10.0.0.5',
  ]],
  // Digits that Unicode or IDNA maps to ASCII.
  [HOSTS, INVALID, [
    '１０.0.0.5', '10。0。0。5', '10．0．0．5', '10｡0｡0｡5', '①⓪.0.0.5', '𝟏𝟎.0.0.5', '١٠.0.0.5', '10.0.0.⁵', '１２７。１',
  ]],
  // Lists, ranges, wildcards, masks.
  [HOSTS, INVALID, [
    '10.0.0.1-5', '10.0.0.1-10.0.0.5', '10.0.0-255.1', '10.0.0.*', '10.*.0.1', '*', '10.0.0.1,2', '10.0.0.1,10.0.0.2',
    '10.0.0.1;10.0.0.2',
  ]],
  [HOSTS, INVALID, [
    '10.0.0.1 10.0.0.2', '10.0.0.1\t10.0.0.2', '10.0.0.1\n10.0.0.2', '10.0.0.1|id', '10.0.0.1&id', '$(id)', '`id`',
    '10.0.0.1\0', "10.0.0.1'", '10.0.0.1"',
  ]],
  [['network', 'host-or-network'], INVALID, [
    '10.0.0.0/255.0.0.0', '10.0.0.0/0.255.255.255', '10.0.0.0/08', '10.0.0.0/33', '10.0.0.0/-8', '10.0.0.0/+8',
    '10.0.0.0/', '10.0.0.0/8/8',
  ]],
  [['network', 'host-or-network'], INVALID, [
    '10.0.0.5/8', '10.0.0.1/31', '192.168.1.1/24', '10/8', '10.0/16', '10.0.0/24', '0xa.0.0.0/8', '012.0.0.0/8',
    '10.0.0.0 /8', '10.0.0.0/ 8',
  ]],
  [['network', 'host-or-network'], INVALID, [
    '10.0.0.0/8,192.168.0.0/16', '10.0.0.0/0x8', '10.0.0.0/8.0', '10.0.0.0/２４', '/8', '//', 'web.lab.internal/24',
    '10.0.0.0/1e1', '10.0.0.0%2f8', '10.0.0.0\\8',
  ]],
  [['network', 'host-or-network'], INVALID, [
    'fd00::/129', 'fd00::1/64', 'fd00::/064', '::ffff:10.0.0.0/104', '::ffff:a00:0/104', 'fd00::%1/64', '[fd00::]/64',
    '::ffff:10.0.0.5/128', '::ffff:10.0.0.0/8', '::ffff:10.0.0.5/32',
  ]],
  [['network'], INVALID, [
    'web.lab.internal', 'lab', '10.0.0.1-5', '-10.0.0.0/8', '*', '10.0.0.*',
  ]],
  [['host'], INVALID, [
    '10.0.0.0/8', '10.0.0.5/32', 'fd00::/64', 'web.lab.internal/24',
  ]],
  // IPv6 text.
  [HOSTS, INVALID, [
    'fe80::1%eth0', 'fd00::1%1', 'fe80::1%25eth0', '::1%lo', '[::1]', '[fd00::1]', '[fd00::1]:80', ':::', '1::2::3',
    ':', '12345::', '::g', '1:2:3:4:5:6:7:8:9',
  ]],
  [HOSTS, INVALID, [
    '::ffff:0177.0.0.1', '::ffff:0x7f.0.0.1', '::ffff:127.1', '::ffff:10.0.0.256', '::ffff:10.0.0.5.', ':10.0.0.5',
    '::10.0.0.5:1', '10.0.0.5::', '::ffff:10.0.0.05', '10.0.0.5:80', 'web.lab.internal:80',
  ]],
  // Names.
  [HOSTS, INVALID, [
    '-oX.lab.internal', '--script=vuln', '-', '--', '-iL', '@10.0.0.1', '+short', 'user@web.lab.internal',
    '%77eb.lab.internal', 'web%2elab.internal', 'web.lab.internal/', 'web.lab.internal?',
  ]],
  [HOSTS, INVALID, [
    'web..lab.internal', '.lab.internal', 'web.lab.internal..', '.', '..', 'web-.lab.internal', 'web.-lab.internal',
    '*.lab.internal', 'web.lab.internal#', 'web.lab.internal!', 'web:lab.internal', '',
  ]],
  [HOSTS, INVALID, [
    `${'a'.repeat(64)}.lab.internal`, `${'a.'.repeat(121)}lab.internal`, 'a'.repeat(5000), `web.lab.internal${ESC}[2K`,
    'web.lab.internal\r\nevil: 1', ' web.lab.internal', 'web.lab.internal ', 'web\\.lab.internal',
  ]],
  [HOSTS, INVALID, [
    'web\u200b.lab.internal', 'web\u200d.lab.internal', '\u202elab.internal', 'web\u2060.lab.internal',
    '\ufeffweb.lab.internal', 'web\u00ad.lab.internal', 'web\u00a0.lab.internal', 'web\u3000.lab.internal',
    'web\u2028.lab.internal',
  ]],
  [HOSTS, INVALID, [
    'ｗｅｂ.lab.internal', 'web。lab.internal', 'web．lab．internal', 'ﬁ.lab.internal', '\u212a.lab.internal',
    'ſ.lab.internal', 'İ.lab.internal', 'BÜ.lab.internal', 'bu\u0308.lab.internal', 'ⅷ.lab.internal',
    '\ud800.lab.internal',
  ]],
  [HOSTS, INVALID, [
    'xn--.lab.internal', 'xn--a.lab.internal', 'xn--zzzzzzzz9999.lab.internal', 'web.lab.internal,evil.example',
    'web.5', 'web.0x5', 'web.lab.1a', 'web.lab._tcp', 'web.lab.-', 'xn--web-.lab.internal',
  ]],
  // URLs.
  [['url'], INVALID, [
    'http://user@10.0.0.5/', 'http://user:pass@10.0.0.5/', 'http://10.0.0.5@evil.example/',
    'http://10.0.0.5:80@evil.example/', 'http://10.0.0.5%40evil.example/', 'http://@10.0.0.5/', 'http://:@10.0.0.5/',
  ]],
  [['url'], INVALID, [
    'http://10.0.0.5\\@evil.example/', 'http:\\\\10.0.0.5/', 'http:/10.0.0.5/', 'http:10.0.0.5', '//10.0.0.5/',
    '10.0.0.5', 'http://', 'http:///path', 'http://#', 'http://10.0.0.5#@evil.example/', 'http://10.0.0.5/#x',
  ]],
  [['url'], INVALID, [
    'ftp://10.0.0.5/', 'file:///etc/passwd', 'gopher://10.0.0.5/', 'javascript:alert(1)', 's3://bucket/',
    'https//10.0.0.5/', 'httpx://10.0.0.5/', 'ws://10.0.0.5/', ' http://10.0.0.5/', 'http://10.0.0.5/ ',
    'http ://10.0.0.5/',
  ]],
  [['url'], INVALID, [
    'http://0177.0.0.1/', 'http://0x7f.1/', 'http://2130706433/', 'http://127.1/', 'http://１０.0.0.5/',
    'http://10。0。0。5/', 'http://%31%30.0.0.5/', 'http://10.0.0.5./', 'http://[::1%25eth0]/', 'http://[10.0.0.5]/',
    'http://fd00::1/',
  ]],
  [['url'], INVALID, [
    'http://10.0.0.5:0/', 'http://10.0.0.5:65536/', 'http://10.0.0.5:080/', 'http://10.0.0.5:/',
    'http://10.0.0.5:80:80/', 'http://10.0.0.5:-80/', 'http://10.0.0.5:8０/', 'http://10.0.0.5:+80/',
    'http://10.0.0.5:80x/', 'http://10.0.0.5: 80/',
  ]],
  [['url'], INVALID, [
    'http://10.0.0.5/a b', 'http://10.0.0.5/a\tb', 'http://10.0.0.5/a\nHost: x', 'http://10.0.0.5/ü',
    'http://10.0.0.5/../x', 'http://10.0.0.5/./', 'http://10.0.0.5/%2e%2e/', 'http://10.0.0.5/a\\b',
    'http://10.0.0.5/"', 'http://10.0.0.5/<x>', '-http://10.0.0.5/',
  ]],
  [['url'], INVALID, [
    'http://web.lab.internal,10.0.0.5/', 'http://10.0.0.1-5/', 'http://10.0.0.0/24:80/\u202e',
    'http://web\u200b.lab.internal/', 'http://*.lab.internal/', 'http://web..lab.internal/',
    `http://10.0.0.5/${'a'.repeat(2048)}`, 'http://[fd00::1/', 'http://fd00::1]/', 'http://[]/',
  ]],
  // Resolvers and domains.
  [['resolver'], INVALID, [
    '@10.77.0.10', 'ns.lab.internal', '10.77.0.10:0', '10.77.0.10:65536', '10.77.0.10#53', '10.77.0.10:053',
    '10.77.0.10:', '[10.77.0.10]:53', '[fd00::1', '10.77.0.10,10.77.0.11', 'tcp://10.77.0.10', '10.77.0.10/32', '-p',
    '010.77.0.10', 'fe80::1%eth0',
  ]],
  [['domain'], INVALID, [
    '10.0.0.5', '0x7f.1', '*.lab.internal', '-t', '@10.0.0.1', '+trace', 'lab.internal axfr', 'lab.internal/', 'a..b',
    '.', 'fd00::1', '256.0.0.10.in-addr.arpa', '01.0.0.10.in-addr.arpa', '1.2.3.4.10.in-addr.arpa',
    '0/25.2.0.10.in-addr.arpa', 'g.ip6.arpa', '10.ip6.arpa', 'x.in-addr.arpa', 'in-addr.arpa', 'ip6.arpa',
  ]],
  [ANY, INVALID, [
    ' ', '\0', '\n', '-', '--help', '\u202e', '\\', 'a b', '\u0000-x', '\u2066x', '\u{e0041}', '\ue000', '\ud83d',
  ]],
  // Well spelt and never in scope.
  [HOSTS, OUT, [
    '0.0.0.0', '0.0.0.1', '255.255.255.255', '224.0.0.1', '239.255.255.250', '240.0.0.1', '169.254.169.254',
    '169.254.170.2', '100.100.100.200', '168.63.129.16', '192.0.2.1', '198.18.0.1', '198.19.255.255', '198.51.100.1',
    '203.0.113.9', '192.0.0.192', '192.88.99.1',
  ]],
  [HOSTS, OUT, [
    '127.0.0.1', '127.255.255.254', '::1', '::', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', '::ffff:7f00:1',
    '0:0:0:0:0:ffff:127.0.0.1', '8.8.8.8', '11.0.0.0', '9.255.255.255', '172.15.255.255', '172.32.0.0',
    '192.167.255.255', '192.169.0.0', '100.64.0.1',
  ]],
  [HOSTS, OUT, [
    '::ffff:169.254.169.254', '::FFFF:A9FE:A9FE', '::ffff:8.8.8.8', '::169.254.169.254', '::8.8.8.8', '::10.0.0.5',
    '64:ff9b::169.254.169.254', '64:ff9b::a9fe:a9fe', '64:ff9b::127.0.0.1', '64:ff9b::8.8.8.8', '64:ff9b:1::10.0.0.5',
    '64:ff9b:1::a9fe:a9fe', '64:ff9b:0:1::a00:5',
  ]],
  [HOSTS, OUT, [
    '2002:a9fe:a9fe::1', '2002:7f00:1::', '2002:808:808::1', '2002:e000:1::', '2001:0:a00:1::f5ff:fffa:1',
    '2001::5601:5601', '2001:0:a9fe:a9fe::f5ff:fffa', '2001:0:a00:5::5601:5601', 'fe80::5efe:10.0.0.5',
    'fd00::5efe:169.254.169.254', '2600::200:5efe:8.8.8.8', '::ffff:0:10.0.0.5', '::fffe:a00:5',
  ]],
  [HOSTS, OUT, [
    'fe80::1', 'febf::1', 'fec0::1', 'ff02::1', 'ff0e::1', 'fd00:ec2::254', 'fd20:ce::254', 'FD00:EC2:0:0:0:0:0:254',
    '2001:db8::1', '3fff::1', '2001:2::1', '2001:10::1', '2001:20::1', '100::1', '5f00::1', '4000::1', 'fd00::1',
    'fc00::1', '2606:4700::1',
  ]],
  [['network', 'host-or-network'], OUT, [
    '0.0.0.0/0', '0.0.0.0/8', '10.0.0.0/7', '8.0.0.0/5', '169.254.0.0/16', '169.254.169.254/32', '192.168.0.0/15',
    '172.0.0.0/11', '127.0.0.0/8', '::/0', 'fd00::/64', 'fe80::/10', '2002:a00::/24', '64:ff9b::/96',
    '64:ff9b::a00:0/104', '2001::/32', 'ff00::/8', '::/96', '2001:db8::/32',
  ]],
  [HOSTS, OUT, [
    'localhost', 'localhost.', 'lab.internal', 'badlab.internal', 'web.lab.internal.evil.example',
    'lab.internal.evil.example', 'internal', 'evil.example', 'web-lab.internal', 'metadata.google.internal',
    'xlab.internal', 'lab', 'bücher.example', 'kubernetes.default.svc', '10.0.0.5.nip.io', 'web.lab.internal.x',
    'LOCALHOST',
  ]],
  [['url'], OUT, [
    'http://127.0.0.1/', 'http://127.0.0.1:8080/', 'http://[::1]/', 'http://169.254.169.254/latest/meta-data/',
    'http://[::ffff:169.254.169.254]/', 'http://[64:ff9b::a9fe:a9fe]/', 'https://evil.example/',
    'http://evil.example/?x=web.lab.internal', 'http://evil.example/@web.lab.internal/', 'http://localhost/',
    'HTTP://LOCALHOST:80/', 'http://8.8.8.8/', 'http://[fd00:ec2::254]/', 'http://0.0.0.0/',
  ]],
  [['resolver'], OUT, [
    '8.8.8.8', '8.8.8.8:53', '127.0.0.53', '169.254.169.253', '[::1]:53', '::1', '224.0.0.251:5353', '[fe80::1]:53',
    '0.0.0.0', '[::ffff:8.8.8.8]:53', '1.1.1.1:853', '64:ff9b::808:808',
  ]],
  [['domain'], OUT, [
    'evil.example', 'internal', 'badlab.internal', 'lab.internal.evil.example', 'x.y.evil.example', 'localhost',
    '8.8.8.8.in-addr.arpa', '1.0.0.127.in-addr.arpa', '254.169.254.169.in-addr.arpa', '11.in-addr.arpa',
    '8.b.d.0.1.0.0.2.ip6.arpa', 'f.ip6.arpa', 'arpa.example', 'com', `${'0.'.repeat(31)}f.ip6.arpa`,
    '168.192.in-addr.arpa.evil.example',
  ]],
  [['url', 'domain', 'network'], INVALID, ['']],
];

/** One row for each spelling and kind. */
export const SPELLINGS = GROUPS.flatMap(([kinds, code, values]) =>
  values.flatMap((value) => kinds.map((kind) => ({ kind, value, code }))),
);
