import * as fc from 'fast-check';
import type { TargetClaim } from '../../src/core/targets/types.ts';
import { SPELLINGS } from '../core/targets/adversarial-spellings.ts';
import { NEVER, textOf } from '../core/targets/independent-reading.ts';

export const KINDS = [
  'host',
  'network',
  'host-or-network',
  'url',
  'domain',
  'resolver',
] as const satisfies readonly TargetClaim['kind'][];

// biome-ignore format: a table; one value on each line would make it a hundred lines
const PIECES = [
  '10.77.0.10', '10.20.0.0/24', 'fd00:1::5', '[fd00:1::5]', '::ffff:10.0.0.5', 'web.lab.internal',
  'lab.internal', 'xn--bcher-kva.lab.internal', 'bücher.lab.internal', '10.0.77.10.in-addr.arpa',
  '5.0.0.f.ip6.arpa', '_ldap._tcp.x', 'http://', 'HTTPS://', '//', '/', '?', '#', '@', ':', ':80', ':053',
  ':65536', '\\', '%', '%2e', '%00', '%eth0', '.', '..', ',', ';', '-', '*', '[', ']', '/0', '/8', '/33',
  '/128', '/08', 'user:pw@', '0x', '0177', 'a', 'a?b=c', '\0', '\n', '\t', ' ', '\u00a0', '\u00ad', '\u200b',
  '\u202e', '\u2028', '\ud800', '１', '．', '。', 'ß', 'İ', 'ﬁ',
];

/** Every number in ranges of interest is as likely as all others together. */
export const number4: fc.Arbitrary<bigint> = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }),
  ...NEVER.filter(({ family }) => family === 4).map(({ first, last }) => fc.bigInt({ min: first, max: last })),
  ...['10.0.0.0', '10.77.0.0', '172.16.0.0', '192.168.0.0'].map((text) => {
    const first = BigInt(
      `0x${text
        .split('.')
        .map((octet) => Number(octet).toString(16).padStart(2, '0'))
        .join('')}`,
    );
    return fc.bigInt({ min: first, max: first + 65_535n });
  }),
);
const number6 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }),
  ...NEVER.filter(({ family }) => family === 6).map(({ first, last }) => fc.bigInt({ min: first, max: last })),
  fc.bigInt({ min: 0xfdn << 120n, max: (0xfen << 120n) - 1n }),
  ...[0xffffn << 32n, 0x64ff9bn << 96n, 0n].map((high) => number4.map((low) => high | low)),
  number4.map((inner) => (0x2002n << 112n) | (inner << 80n) | 1n),
);
const port = fc.integer({ min: 0, max: 70_000 });
const address = fc.oneof(
  number4.map((n) => textOf(4, n)),
  number6.map((n) => textOf(6, n)),
  fc.ipV6(),
);
const label = fc.string({ unit: fc.constantFrom(...'abcxyz019-_'.split('')), minLength: 1, maxLength: 8 });
const name = fc.oneof(
  fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.')),
  label.map((one) => `${one}.lab.internal`),
  fc.domain(),
);
const path = fc.webPath().map((text) => (text.startsWith('/') ? text : `/${text}`));
const url = fc
  .tuple(
    fc.constantFrom('http', 'https', 'HTTP', 'ftp'),
    fc.oneof(name, address),
    fc.option(port),
    path,
    fc.webQueryParameters(),
  )
  .map(([scheme, host, number, rest, query]) => {
    const authority = host.includes(':') ? `[${host}]` : host;
    return `${scheme}://${authority}${number === null ? '' : `:${number}`}${rest}${query === '' ? '' : `?${query}`}`;
  });
const blunt = fc.tuple(address, fc.integer({ min: 0, max: 130 })).map(([base, length]) => `${base}/${length}`);
const clean = fc.tuple(number4, fc.integer({ min: 1, max: 32 })).map(([n, length]) => {
  const size = 2n ** BigInt(32 - length);
  return `${textOf(4, (n / size) * size)}/${length}`;
});
const network = fc.oneof(blunt, clean);
const endpoint = fc
  .tuple(address, port)
  .map(([base, number]) => (base.includes(':') ? `[${base}]:${number}` : `${base}:${number}`));
const known = fc.constantFrom(...new Set(SPELLINGS.map(({ value }) => value).filter((value) => value.length < 300)));

const host = fc.oneof(address, name);

/** Well spelt and badly spelt targets of all kinds, glued ones, and all of these with characters changed. */
const anyText: fc.Arbitrary<string> = fc
  .tuple(
    fc.oneof(
      known,
      address,
      name,
      url,
      network,
      endpoint,
      fc.array(fc.constantFrom(...PIECES), { maxLength: 6 }).map((pieces) => pieces.join('')),
      fc.string({ unit: 'binary', maxLength: 30 }),
    ),
    fc.array(fc.tuple(fc.nat(400), fc.nat(2), fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 2 }))), {
      maxLength: 2,
    }),
  )
  .map(([text, edits]) =>
    edits.reduce((edited, [at, dropped, piece]) => {
      const place = at % (edited.length + 1);
      return edited.slice(0, place) + piece + edited.slice(place + dropped);
    }, text),
  );

/** A kind and a text for it: as often one that is meant for this kind as any other. */
export const claim: fc.Arbitrary<readonly [TargetClaim['kind'], string]> = fc.oneof(
  fc.tuple(fc.constantFrom(...KINDS), anyText),
  fc.oneof(
    fc.tuple(fc.constant('host' as const), host),
    fc.tuple(fc.constant('network' as const), network),
    fc.tuple(fc.constant('host-or-network' as const), fc.oneof(host, network)),
    fc.tuple(fc.constant('url' as const), url),
    fc.tuple(fc.constant('domain' as const), name),
    fc.tuple(fc.constant('resolver' as const), endpoint),
  ),
);

const hex = (n: bigint | number) => `0x${n.toString(16)}`;
const octal = (n: bigint | number) => `0${n.toString(8)}`;
const wide = (text: string) => text.replace(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit)));

/** Other ways to write one IPv4 address, each of which some program reads. */
export const SPELT: Readonly<Record<string, (n: bigint) => string>> = {
  octal: (n) => octets(n).map(octal).join('.'),
  'one octal': (n) =>
    octets(n)
      .with(0, octal(octets(n)[0] ?? 0) as never)
      .join('.'),
  hexadecimal: (n) => octets(n).map(hex).join('.'),
  'hexadecimal integer': hex,
  'octal integer': octal,
  integer: String,
  'two parts': (n) => `${n >> 24n}.${n & 0xffffffn}`,
  'three parts': (n) => `${n >> 24n}.${(n >> 16n) & 255n}.${n & 0xffffn}`,
  'leading zeros': (n) =>
    octets(n)
      .map((octet) => String(octet).padStart(3, '0'))
      .join('.'),
  mapped: (n) => `::ffff:${textOf(4, n)}`,
  'mapped in hexadecimal': (n) => textOf(6, (0xffffn << 32n) | n),
  'mapped in capitals': (n) => textOf(6, (0xffffn << 32n) | n).toUpperCase(),
  compatible: (n) => `::${textOf(4, n)}`,
  NAT64: (n) => `64:ff9b::${textOf(4, n)}`,
  '6to4': (n) => textOf(6, (0x2002n << 112n) | (n << 80n)),
  Teredo: (n) => textOf(6, (0x2001n << 112n) | (n << 64n) | (n ^ 0xffffffffn)),
  'percent-encoded': (n) => textOf(4, n).replace(/\d/g, (digit) => `%3${digit}`),
  'percent-encoded dots': (n) => textOf(4, n).replaceAll('.', '%2e'),
  'full width': (n) => wide(textOf(4, n)),
  'ideographic dots': (n) => textOf(4, n).replaceAll('.', '。'),
  'soft hyphens': (n) => textOf(4, n).replaceAll('.', '.\u00ad'),
  'trailing dot': (n) => `${textOf(4, n)}.`,
  zone: (n) => `::ffff:${textOf(4, n)}%eth0`,
  brackets: (n) => `[${textOf(4, n)}]`,
  'a user': (n) => `10.0.0.5@${textOf(4, n)}`,
  'a user and a password': (n) => `a:b@${textOf(4, n)}`,
  'a port and a user': (n) => `10.0.0.5:80@${textOf(4, n)}`,
  'host bits': (n) => `${textOf(4, n)}/8`,
  'a whole prefix': (n) => `${textOf(4, n)}/32`,
  'a netmask': (n) => `${textOf(4, n)}/255.255.255.255`,
  list: (n) => `10.0.0.5,${textOf(4, n)}`,
  range: (n) => `${textOf(4, n)}-254`,
  backslash: (n) => `10.0.0.5\\${textOf(4, n)}`,
  plus: (n) => `+${textOf(4, n)}`,
  blank: (n) => ` ${textOf(4, n)}`,
};

function octets(n: bigint): readonly number[] {
  return textOf(4, n).split('.').map(Number);
}

/** Letters that look like a Latin one, or that IDNA maps to it. */
export const LOOKALIKES: Readonly<Record<string, readonly string[]>> = {
  a: ['а', 'ɑ', 'ａ', 'á', 'ª', 'A'],
  b: ['Ь', 'ｂ', 'ƅ'],
  e: ['е', 'ｅ', 'é', '℮', 'e\u0301'],
  i: ['і', 'ｉ', 'ı', 'İ', 'ⅰ'],
  l: ['ⅼ', 'ｌ', 'ӏ', '1', 'I'],
  n: ['п', 'ｎ', 'ｎ\u200d'],
  r: ['г', 'ｒ'],
  t: ['ｔ', 'т', 't\u00ad'],
  w: ['ｗ', 'ԝ', 'w\u200b'],
  '.': ['。', '．', '｡', '․', '..'],
};
