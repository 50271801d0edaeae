import assert from 'node:assert/strict';
import { BlockList, isIP, isIPv4 } from 'node:net';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { SallyportError } from '../../src/core/errors.ts';
import { canonicalise } from '../../src/core/targets/canonicalise.ts';
import type { PinnedTarget, PinnedTargets, TargetClaim } from '../../src/core/targets/types.ts';
import { pinnedUrl } from '../../src/core/targets/url-text.ts';
import { guardArgv, type ValueShape } from '../../src/core/tool/argv-guard.ts';
import {
  intervalOf,
  meet,
  NEVER,
  numberOf,
  PROTOCOL_ASSIGNMENTS,
  textOf,
} from '../core/targets/independent-reading.ts';
import { policyUnderTest } from '../core/targets/policy-under-test.ts';
import { fuzz } from '../fixtures/fuzz.ts';
import { claim, KINDS, LOOKALIKES, number4, SPELT } from './target-texts.ts';

type Kind = TargetClaim['kind'];

/** All that a configuration can allow, and names too: what is refused then is refused always. */
const EVERYTHING = [
  ...Array.from({ length: 223 }, (_, at) => `${at + 1}.0.0.0/8`).filter((block) => !block.startsWith('127.')),
  ...Array.from({ length: 16 }, (_, at) => `${(0x20 + 2 * at).toString(16)}00::/7`),
  'fc00::/7',
  '64:ff9b::/96',
  '*.internal',
  '*.com',
  '*.x',
  '*.arpa',
];
/** What a hostile DNS server says: addresses of chance, and now and then what is none. */
const answers = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: number4.map((n) => textOf(4, n)) },
    { weight: 2, arbitrary: fc.ipV6() },
    { weight: 1, arbitrary: fc.constantFrom('', 'x', '127.0.0.1', '::ffff:1.2.3.4', '012.0.0.1', '10.0.0.1 ') },
  ),
  { maxLength: 3 },
);
const kind = fc.constantFrom<Kind>(...KINDS);

/** What was pinned, or undefined when it was refused by one of the codes of targets. */
async function outcomeOf(pinning: Promise<PinnedTargets>): Promise<PinnedTarget | undefined> {
  try {
    return (await pinning).one('target');
  } catch (thrown) {
    assert.ok(thrown instanceof SallyportError && thrown.code.startsWith('ERR_TARGET_'), String(thrown));
    assert.match(thrown.message, /^[\t -~…’]*$/, 'the message cannot forge a line or hide text');
    return undefined;
  }
}

describe('the canonical form of a target', () => {
  it('is found or refused without a throw, and is its own canonical form', async (t) => {
    let accepted = 0;
    await fuzz(
      t,
      fc.property(claim, ([kind, text]) => {
        const once = canonicalise(kind, text);
        if (!once.ok) return;
        accepted += 1;
        const twice = canonicalise(kind, once.value.canonical);
        assert.ok(twice.ok, `${once.value.canonical} is refused`);
        assert.deepEqual(twice.value, once.value);
        assert.match(once.value.canonical, /^[!-~]+$/);
        assert.doesNotMatch(once.value.canonical, /^-|\\/);
      }),
    );
    assert.ok(accepted > 20, `only ${accepted} texts were accepted: the property says nothing`);
  });

  it('of a host or a network is an address that node:net reads as the same number', async (t) => {
    await fuzz(
      t,
      fc.property(claim, ([kind, text]) => {
        const read = canonicalise(kind, text);
        if (kind === 'url' || !read.ok || read.value.subject.is !== 'addresses') return;
        const { family, bits, prefix } = read.value.subject.block;
        const [base = '', length] = read.value.canonical
          .replace(/^\[?(.*?)\]?:\d+$/, kind === 'resolver' ? '$1' : '$&')
          .split('/');
        assert.equal(isIP(base), family);
        assert.deepEqual(numberOf(base), { family, value: bits });
        assert.equal(Number(length ?? (family === 4 ? 32 : 128)), prefix);
        const list = new BlockList();
        list.addSubnet(base, prefix, family === 4 ? 'ipv4' : 'ipv6');
        const { last } = intervalOf(`${base}/${prefix}`);
        assert.ok(list.check(textOf(family, bits), family === 4 ? 'ipv4' : 'ipv6'));
        assert.ok(list.check(textOf(family, last), family === 4 ? 'ipv4' : 'ipv6'));
      }),
    );
  });
});

describe('a pinned target', () => {
  it('is never in a range that nothing lifts, whatever the scope, the spelling and the DNS answers are', async (t) => {
    let accepted = 0;
    let answer: readonly string[] = [];
    const resolver = { resolve: async () => answer };
    const { pin } = policyUnderTest({ scope: { allow: EVERYTHING, deny: [] }, resolver });
    await fuzz(
      t,
      fc.asyncProperty(claim, answers, async ([kind, text], answered) => {
        answer = answered;
        const target = await outcomeOf(pin(kind, text));
        if (target === undefined) return;
        accepted += 1;
        for (const address of target.addresses) {
          assert.notEqual(isIP(address), 0, address);
          const block = intervalOf(`${address}/${target.prefix ?? (isIPv4(address) ? 32 : 128)}`);
          const reached = block.first === block.last ? [block, ...innerOf(block.first)] : [block];
          // The NAT64 prefix lies in the denied eighth of IPv6 and is let through for the IPv4 address that it carries.
          const denied = isNat64(block.first) ? reached.slice(1) : reached;
          const hit = denied.find((one) => [...NEVER, PROTOCOL_ASSIGNMENTS].some((range) => meet(range, one)));
          assert.equal(hit, undefined, `${text} is pinned to ${address}`);
        }
      }),
    );
    assert.ok(accepted > 20, `only ${accepted} texts were accepted: the property says nothing`);
  });

  it('passes the argv guard as it is, and with another digit or letter only when that is pinned too', async (t) => {
    const { pin } = policyUnderTest({ scope: { allow: EVERYTHING, deny: [] } }, { 'web.lab.internal': ['10.77.0.10'] });
    await fuzz(
      t,
      fc.asyncProperty(
        claim,
        fc.nat(),
        fc.constantFrom(...'0123456789abcdef./:@-'.split('')),
        async ([kind, text], at, char) => {
          const pinned = await pin(kind, text).catch(() => undefined);
          const target = pinned?.one('target');
          if (pinned === undefined || target === undefined) return;
          const [shape, value] = tokenOf(target);
          guardArgv({ options: { '-v': shape } }, ['-v', value], pinned);
          const origin = shape === 'url' ? value.length - (target.url?.path ?? '').length : value.length;
          const place = at % origin;
          const other = value.slice(0, place) + char + value.slice(place + 1);
          if (other === value || sameHost(shape, other, target)) return;
          assert.throws(
            () => guardArgv({ options: { '-v': shape } }, ['-v', other], pinned),
            { code: 'ERR_INTERNAL' },
            other,
          );
        },
      ),
    );
  });
});

describe('a tricky spelling of an address', () => {
  const { pin } = policyUnderTest();
  const forms = fc.constantFrom(...Object.keys(SPELT));
  const wrapped: Readonly<Record<string, (text: string) => string>> = {
    url: (text) => `http://${text.includes(':') && !/[@[]/.test(text) ? `[${text}]` : text}/`,
    resolver: (text) => (text.includes(':') && !/[@[]/.test(text) ? `[${text}]:53` : `${text}:53`),
  };

  it('is refused, or pinned as that very address and only where its plain form may be pinned', async (t) => {
    await fuzz(
      t,
      fc.asyncProperty(kind, forms, number4, async (kind, form, n) => {
        const text = SPELT[form]?.(n) ?? '';
        const target = await outcomeOf(pin(kind, wrapped[kind]?.(text) ?? text));
        if (target === undefined) return;
        const plain = textOf(4, n);
        assert.notEqual(kind, 'domain', `${text} is a domain`);
        assert.ok((await outcomeOf(pin('host', plain))) !== undefined, `${text} is pinned, ${plain} is not`);
        if (isIPv4(target.address)) assert.equal(target.address, plain);
        else assert.ok(['NAT64', '6to4', 'Teredo'].includes(form), `${text} is pinned to ${target.address}`);
      }),
    );
  });

  it('of a name never stands for that name: a lookalike is refused or another name', async (t) => {
    const plain = 'web.lab.internal';
    const changes = fc.array(fc.tuple(fc.nat(plain.length - 1), fc.nat(5)), { minLength: 1, maxLength: 3 });
    const { pin: pinOnly } = policyUnderTest({ scope: { allow: [plain], deny: [] } }, { [plain]: ['10.77.0.10'] });
    await fuzz(
      t,
      fc.asyncProperty(
        fc.constantFrom<Kind>('host', 'host-or-network', 'url', 'domain'),
        changes,
        async (kind, list) => {
          const text = lookalike(plain, list);
          if (text.toLowerCase() === plain && /^[!-~]*$/.test(text)) return;
          const given = kind === 'url' ? `http://${text}/` : text;
          assert.equal(await outcomeOf(pinOnly(kind, given)), undefined, given);
          const read = canonicalise(kind, given);
          if (read.ok) assert.match(read.value.canonical, /^(?:http:\/\/)?[a-z0-9.-]+\/?$/);
        },
      ),
    );
  });
});

const isNat64 = (value: bigint) => value >> 32n === 0x64ff9bn << 64n;

/** The IPv4 addresses that a NAT64, 6to4 or Teredo address carries (RFC 6052, 3056, 4380). */
function innerOf(value: bigint) {
  const inner: bigint[] = [];
  if (isNat64(value)) inner.push(value);
  if (value >> 112n === 0x2002n) inner.push(value >> 80n);
  if (value >> 96n === 0x20010000n) inner.push(value >> 64n, value ^ 0xffffffffn);
  return inner.map((bits) => intervalOf(textOf(4, bits & 0xffffffffn)));
}

function lookalike(plain: string, changes: readonly (readonly [number, number])[]): string {
  const letters = plain.split('');
  for (const [at, choice] of changes) {
    const others = LOOKALIKES[plain[at] ?? ''] ?? [];
    letters[at] = others[choice % Math.max(1, others.length)] ?? letters[at] ?? '';
  }
  return letters.join('');
}

/** How a tool's argv names the target. */
function tokenOf(target: PinnedTarget): readonly [ValueShape, string] {
  if (target.kind === 'url') return ['url', pinnedUrl(target)];
  if (target.kind === 'domain') return ['domain', target.canonical];
  if (target.kind === 'resolver') return ['endpoint', target.canonical];
  return target.kind === 'host'
    ? ['address', target.address]
    : ['network', target.name === undefined ? target.canonical : target.address];
}

/** Whether another text still names what is pinned: the base of a network by itself, a name with its root dot, the scheme's own port. */
function sameHost(shape: ValueShape, text: string, target: PinnedTarget): boolean {
  if (shape === 'network' || shape === 'address') return [target.canonical, ...target.addresses].includes(text);
  return shape === 'domain' && text.replace(/\.$/, '') === target.canonical;
}
