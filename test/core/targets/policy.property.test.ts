import assert from 'node:assert/strict';
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { SallyportError } from '../../../src/core/errors.ts';
import { parseAddress } from '../../../src/core/targets/address.ts';
import { covered, intervalOf, meet, NEVER, numberOf, PROTOCOL_ASSIGNMENTS, textOf } from './independent-reading.ts';
import { policyUnderTest } from './policy-under-test.ts';

const RUNS = { numRuns: 1500 };

/** Numbers near the borders of the interesting ranges are as likely as any other number. */
function addressNumber(width: 32 | 128, near: readonly string[]): fc.Arbitrary<bigint> {
  const top = 2n ** BigInt(width) - 1n;
  const borders = near.map(intervalOf).flatMap(({ first, last }) => [first - 1n, first, last, last + 1n]);
  const inside = near.map(intervalOf).map(({ first, last }) => fc.bigInt({ min: first, max: last }));
  const border = fc.constantFrom(...borders.filter((value) => value >= 0n && value <= top));
  return fc.oneof(fc.bigInt({ min: 0n, max: top }), border, ...inside);
}

const NEAR_4 = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '127.0.0.0/8',
  '198.18.0.0/15',
  '224.0.0.0/4',
];
const NEAR_6 = [
  'fd00:1::/32',
  'fd00:ec2::254/128',
  '2001:db8::/32',
  '2001:1::/32',
  '2001:1ff::/32',
  'fe80::/10',
  '2600::/16',
  'ff00::/8',
  '::/96',
];
const number4 = addressNumber(32, NEAR_4);
const number6 = addressNumber(128, NEAR_6);
/** Forms that carry IPv4 are judged by other rules and have their own properties below. */
const isPlain6 = (value: bigint) =>
  value >> 32n !== 0xffffn &&
  value >> 112n !== 0x2002n &&
  value >> 96n !== 0x20010000n &&
  value >> 32n !== 0x64ff9bn << 64n &&
  ((value >> 32n) & 0xfdffffffn) !== 0x5efen;
const cidrText = (family: 4 | 6) => {
  const width = family === 4 ? 32 : 128;
  return fc.tuple(family === 4 ? number4 : number6, fc.integer({ min: 1, max: width })).map(([value, prefix]) => {
    const size = 2n ** BigInt(width - prefix);
    return `${textOf(family, (value / size) * size)}/${prefix}`;
  });
};
const blockText = fc.oneof(cidrText(4), cidrText(6));
const allowText = blockText.filter((text) => {
  const interval = intervalOf(text);
  const prefix = Number(text.split('/')[1]);
  return (
    prefix >= (interval.family === 4 ? 8 : 7) &&
    !covered(interval, [...NEVER, PROTOCOL_ASSIGNMENTS]) &&
    isPlain6(interval.first)
  );
});

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'allowed',
    (error: unknown) => (error instanceof SallyportError ? error.code : assert.fail(String(error))),
  );
}

/** The block that is `by` bits smaller (or larger, when negative) at the same place. */
function near(text: string, by: number): string {
  const { family, first } = intervalOf(text);
  const width = family === 4 ? 32 : 128;
  const prefix = Math.min(width, Math.max(1, Number(text.split('/')[1]) + by));
  const size = 2n ** BigInt(width - prefix);
  return `${textOf(family, (first / size) * size)}/${prefix}`;
}

function blockListOf(entries: readonly string[]): BlockList {
  const blocks = new BlockList();
  for (const entry of entries) {
    const [base = '', prefix] = entry.split('/');
    blocks.addSubnet(base, Number(prefix), isIPv4(base) ? 'ipv4' : 'ipv6');
  }
  return blocks;
}

describe('an IPv4 or IPv6 address', () => {
  it('is in scope exactly when intervals and node:net say so', async () => {
    const scope = {
      allow: ['10.0.0.0/9', '10.128.0.0/9', '172.16.0.0/12', 'fd00:1::/32', 'fd00:ec2::/32', '2600::/16'],
      deny: ['10.20.0.0/16', 'fd00:1:5::/48'],
    };
    const [allow, deny] = [blockListOf(scope.allow), blockListOf(scope.deny)];
    const { pin } = policyUnderTest({ scope });
    const value = fc.oneof(
      number4.map((n) => textOf(4, n)),
      number6.filter(isPlain6).map((n) => textOf(6, n)),
      addressNumber(32, ['10.20.0.0/16']).map((n) => textOf(4, n)),
    );
    await fc.assert(
      fc.asyncProperty(value, async (text) => {
        const one = intervalOf(text);
        const family = isIPv4(text) ? 'ipv4' : 'ipv6';
        const never = [...NEVER, PROTOCOL_ASSIGNMENTS].some((range) => meet(range, one));
        const byIntervals =
          !never &&
          covered(one, scope.allow.map(intervalOf)) &&
          !scope.deny.some((entry) => meet(intervalOf(entry), one));
        assert.equal(
          byIntervals,
          !never && allow.check(text, family) && !deny.check(text, family),
          'the two oracles agree',
        );
        assert.equal(await codeOf(pin('host', text)), byIntervals ? 'allowed' : 'ERR_TARGET_OUT_OF_SCOPE');
      }),
      RUNS,
    );
  });

  it('has one canonical text that stands for the same number', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          number4.map((n) => textOf(4, n)),
          number6.filter(isPlain6).map((n) => textOf(6, n)),
        ),
        (text) => {
          const read = parseAddress(text);
          assert.ok(read.ok);
          assert.equal(read.value.bits, numberOf(text).value);
        },
      ),
      RUNS,
    );
  });

  it('is read only from text that node:net also reads as an address', () => {
    const junk = fc.string({ unit: fc.constantFrom(...'0123456789abcdefxX:.%/ -'.split('')), maxLength: 24 });
    const near = fc
      .tuple(
        number6,
        fc.nat(40),
        junk.map((text) => text.slice(0, 2)),
      )
      .map(([n, at, add]) => {
        const text = textOf(6, n);
        return text.slice(0, at) + add + text.slice(at + 1);
      });
    fc.assert(
      fc.property(fc.oneof(junk, near, fc.ipV4Extended(), fc.ipV6()), (text) => {
        assert.equal(parseAddress(text).ok, isIP(text) !== 0 && !text.includes('%'));
        assert.equal(parseAddress(text).ok && text.includes(':'), isIPv6(text) && !text.includes('%'));
      }),
      { numRuns: 5000 },
    );
  });
});

describe('a network', () => {
  it('is allowed exactly when it is covered by the allowed networks and meets nothing denied', async () => {
    const lists = fc.record({
      allow: fc.array(allowText, { minLength: 1, maxLength: 5 }),
      deny: fc.array(blockText, { maxLength: 2 }),
      claim: fc.option(blockText, { nil: undefined }),
      pick: fc.nat(),
      cut: fc.nat(6),
      grow: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(lists, async ({ allow, deny, claim, pick, cut, grow }) => {
        const target = claim ?? near(allow[pick % allow.length] ?? '', grow ? -cut : cut);
        const wanted = intervalOf(target);
        fc.pre(
          isPlain6(wanted.first) &&
            isPlain6(wanted.last) &&
            !['2002::/16', '2001::/32', '64:ff9b::/96', '::ffff:0:0/96'].some((range) =>
              meet(intervalOf(range), wanted),
            ),
        );
        fc.pre(!deny.some((entry) => entry.startsWith('0:0:0:0:0:ffff:')));
        const { pin } = policyUnderTest({ scope: { allow, deny } });
        const forbidden = [...NEVER, PROTOCOL_ASSIGNMENTS, ...deny.map(intervalOf)];
        const allowed = covered(wanted, allow.map(intervalOf)) && !forbidden.some((range) => meet(range, wanted));
        const code = await codeOf(pin('network', target));
        const tooLarge = wanted.last - wanted.first + 1n > 2n ** 32n;
        assert.equal(
          code,
          allowed ? (tooLarge ? 'ERR_TARGET_TOO_LARGE' : 'allowed') : 'ERR_TARGET_OUT_OF_SCOPE',
          target,
        );
      }),
      RUNS,
    );
  });
});

describe('an IPv6 address that carries IPv4', () => {
  it('is judged by the IPv4 address inside it', async () => {
    const { pin } = policyUnderTest({
      scope: { allow: ['10.0.0.0/8', '192.168.0.0/16', '2000::/7'], deny: ['10.9.0.0/16'] },
    });
    const inner = addressNumber(32, [...NEAR_4, '10.9.0.0/16']);
    await fc.assert(
      fc.asyncProperty(inner, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), async (value, noise) => {
        const plain = await codeOf(pin('host', textOf(4, value)));
        const mapped = (0xffffn << 32n) | value;
        const nat64 = (0x64ff9bn << 96n) | value;
        const sixToFour = (0x2002n << 112n) | (value << 80n) | noise;
        const teredo = (0x2001n << 112n) | (value << 64n) | (value ^ 0xffffffffn);
        for (const form of [mapped, nat64, sixToFour, teredo])
          assert.equal(await codeOf(pin('host', textOf(6, form))), plain, textOf(6, form));
      }),
      RUNS,
    );
  });

  it('as a Teredo or ISATAP address is refused as soon as one part is out of scope', async () => {
    const { pin } = policyUnderTest({ scope: { allow: ['10.0.0.0/8', '2600::/16'], deny: [] } });
    assert.equal(await codeOf(pin('host', '2001:0:808:808::f5ff:fffa')), 'ERR_TARGET_OUT_OF_SCOPE');
    assert.equal(await codeOf(pin('host', '2001:0:a00:1::f7f7:f7f7')), 'ERR_TARGET_OUT_OF_SCOPE');
    assert.equal(await codeOf(pin('host', '2600::5efe:10.0.0.5')), 'allowed');
    assert.equal(await codeOf(pin('host', '2600::5efe:8.8.8.8')), 'ERR_TARGET_OUT_OF_SCOPE');
    assert.equal(await codeOf(pin('host', '2600::200:5efe:8.8.8.8')), 'ERR_TARGET_OUT_OF_SCOPE');
    assert.equal(await codeOf(pin('host', '2601::5efe:10.0.0.5')), 'ERR_TARGET_OUT_OF_SCOPE');
    assert.equal(await codeOf(pin('network', '2600::5efe:10.0.0.0/120')), 'ERR_TARGET_OUT_OF_SCOPE');
  });
});
