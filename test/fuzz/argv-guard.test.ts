import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { SallyportError } from '../../src/core/errors.ts';
import type { PinnedTargets } from '../../src/core/targets/types.ts';
import { guardArgv } from '../../src/core/tool/argv-guard.ts';
import type { RegisteredTool } from '../../src/core/tool/registry-types.ts';
import { fuzz } from '../fixtures/fuzz.ts';
import { type Prepared, prepare, registeredTools } from '../tools/under-test.ts';
import { hasControl, isDerivable, strangersIn } from './argv-oracle.ts';

const TOOLS = await registeredTools();
// biome-ignore format: a table; one value on each line would make it a hundred lines
/** What an injected agent would try to get into an argv. */
const HOSTILE = [
  '-oN', '-oX', '-iL', '/etc/passwd', '--script=x', '--script', '-e', '--eval=x', '--ev', '-D', '-S', '-x',
  '-M', '-', '--', '---', '', ' ', '=', '-=', '--=', '+', '@', '@@10.77.0.10', '+trace', '-f', '-h',
  '--proxies', '-R', '--dump', '--os-shell', '--level', '--level=3', '-T5', '-T4 -n', '-sS -oN', '-u', '-t',
  '-p', '-q', '-w', '-r', 'constructor', '__proto__', 'toString', '--__proto__=', 'hasOwnProperty',
  '10.99.0.1', '10.99.0.0/24', '8.8.8.8', '0.0.0.0/0', '::1', 'fd00::99', '::ffff:10.99.0.1', '10.77.0.10/24',
  '012.77.0.10', '0x0a4d000a', '172949514', '10.77.0.1O', '10.77.0.10,10.99.0.1', '10.77.0.10-99',
  'evil.example', 'web.lab.internal.evil.example', 'http://', 'http://10.99.0.1/',
  'http://10.77.0.10\\@10.99.0.1/', 'http://10.99.0.1\\@10.77.0.10:80/', 'http:10.77.0.10',
  'http://10.77.0.10:80@10.99.0.1/', 'http://012.77.0.10:80/', 'http:////10.77.0.10/', 'http://0xa4d000a/',
  'http://10.77.0.10#@10.99.0.1/', 'http://%31%30.77.0.10/', 'http://１0.77.0.10/', 'http://10.77.0.10.:80/',
  'HTTP://10.77.0.10/', 'http://[::ffff:10.77.0.10]/', 'http://10.77.0.10:0080/',
  'http://10.77.0.10?@10.99.0.1',
];
const CHARACTERS = [
  '-',
  '=',
  '@',
  ',',
  '/',
  '\\',
  '#',
  '?',
  ':',
  '.',
  '%',
  ' ',
  '\n',
  '\0',
  '\t',
  '\u001b',
  '\u0085',
  '\u2028',
];
const UNICODE = ['\u202e', '\u200b', '\ufeff', '\u00ad', '１', '．', '。', '\ud800', '😀', 'ı', 'ſ', '−', '–', '٠'];

type Edit = readonly [op: string, at: number, to: number, token: string];

const OPERATIONS: ReadonlyMap<string, (argv: string[], at: number, edit: Edit) => void> = new Map([
  ['insert', (argv, at, [, , , token]) => void argv.splice(at, 0, token)],
  ['replace', (argv, at, [, , , token]) => void argv.splice(at, 1, token)],
  ['drop', (argv, at) => void argv.splice(at, 1)],
  ['double', (argv, at) => void argv.splice(at, 0, argv[at] ?? '')],
  ['swap', (argv, at) => void argv.splice(at, 2, ...argv.slice(at, at + 2).toReversed())],
  ['glue', (argv, at) => void argv.splice(at, 2, argv.slice(at, at + 2).join(''))],
  ['glue with =', (argv, at) => void argv.splice(at, 2, argv.slice(at, at + 2).join('='))],
  ['glue with blank', (argv, at) => void argv.splice(at, 2, argv.slice(at, at + 2).join(' '))],
  ['split', (argv, at, edit) => void argv.splice(at, 1, ...halves(argv[at] ?? '', edit))],
  ['split inside', (argv, at, edit) => void argv.splice(at, 1, halves(argv[at] ?? '', edit).join(odd(edit)))],
  ['overwrite', (argv, at, edit) => void argv.splice(at, 1, overwritten(argv[at] ?? '', edit))],
  ['digit', (argv, at, edit) => void argv.splice(at, 1, otherDigit(argv[at] ?? '', edit))],
  ['dash', (argv, at) => void argv.splice(at, 1, `-${argv[at]}`)],
  ['upper', (argv, at) => void argv.splice(at, 1, (argv[at] ?? '').toUpperCase())],
  ['token inside', (argv, at, edit) => void argv.splice(at, 1, halves(argv[at] ?? '', edit).join(edit[3]))],
]);

for (const tool of TOOLS) {
  const { definition } = tool;
  const calls = await Promise.all(
    definition.examples.map((example) =>
      prepare(tool, example.input, { raw: example.raw ?? false, resolves: example.resolves ?? {} }),
    ),
  );
  const token = tokenOf(tool, calls);
  const call = fc.constantFrom(...calls);
  let passed = 0;
  const look = (argv: readonly string[], pinned: PinnedTargets) => {
    if (passes(tool, argv, pinned)) passed += 1;
  };

  describe(`the argv guard with the grammar of ${definition.name}`, () => {
    it('passes no vector of random tokens that is not derivable or names an address that was not pinned', async (t) => {
      const begin = fc.constantFrom(...calls.map(({ argv }) => argv));
      const prefix = fc.tuple(begin, fc.nat(4)).map(([argv, kept]) => argv.slice(0, kept));
      await fuzz(
        t,
        fc.property(call, prefix, fc.array(token, { maxLength: 10 }), ({ pinned }, head, tokens) => {
          look([...head, ...tokens], pinned);
        }),
      );
    });

    it('passes no mutation of a real vector that is not derivable or names an address that was not pinned', async (t) => {
      const before = passed;
      const edit: fc.Arbitrary<Edit> = fc.tuple(fc.constantFrom(...OPERATIONS.keys()), fc.nat(60), fc.nat(200), token);
      await fuzz(
        t,
        fc.property(call, fc.array(edit, { minLength: 1, maxLength: 3 }), ({ argv, pinned }, edits) => {
          look(edits.reduce<readonly string[]>(apply, argv), pinned);
        }),
      );
      assert.ok(passed > before, 'no mutation was passed: the property says nothing');
    });

    it('passes no real vector when the targets that were pinned are others', async (t) => {
      const octet = fc.integer({ min: 1, max: 254 });
      await fuzz(
        t,
        fc.property(call, octet, octet, ({ argv, pinned }, a, b) => {
          assert.equal(passes(tool, argv, elsewhere(pinned, `172.20.${a}.${b}`)), false);
        }),
      );
    });
  });
}

/** Whether the guard passes a vector; asserts what has to hold of one that it passes. */
function passes({ definition }: RegisteredTool, argv: readonly string[], pinned: PinnedTargets): boolean {
  try {
    guardArgv(definition.grammar, argv, pinned);
  } catch (thrown) {
    assert.ok(thrown instanceof SallyportError && thrown.code === 'ERR_INTERNAL', String(thrown));
    return false;
  }
  const shown = JSON.stringify(argv);
  assert.deepEqual(strangersIn(definition.name, argv, pinned), [], shown);
  assert.ok(isDerivable(definition.grammar, argv, pinned), `not derivable: ${shown}`);
  assert.ok(
    argv.every((one) => one !== '' && one.isWellFormed() && !hasControl(one)),
    shown,
  );
  return true;
}

/** Tokens of the tool's own grammar and examples, hostile ones, and texts of chance. */
function tokenOf({ definition }: RegisteredTool, calls: readonly Prepared[]): fc.Arbitrary<string> {
  const { options, attached = {} } = definition.grammar;
  const own = [...new Set([...Object.keys(options), ...Object.keys(attached), ...calls.flatMap(({ argv }) => argv)])];
  const piece = fc.constantFrom(...own, ...HOSTILE);
  const character = fc.constantFrom(...CHARACTERS, ...UNICODE);
  return fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...own) },
    { weight: 3, arbitrary: fc.constantFrom(...HOSTILE) },
    {
      weight: 2,
      arbitrary: fc.tuple(piece, fc.constantFrom('', '=', ' ', ',', ':', '/'), piece).map((all) => all.join('')),
    },
    { weight: 2, arbitrary: fc.tuple(character, piece, character).map((all) => all.join('')) },
    { weight: 1, arbitrary: fc.ipV4() },
    { weight: 1, arbitrary: fc.ipV6() },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
    { weight: 1, arbitrary: fc.string({ maxLength: 12 }).map((text) => `-${text}`) },
  );
}

function apply(argv: readonly string[], edit: Edit): readonly string[] {
  const [op, at] = edit;
  const copy = [...argv];
  OPERATIONS.get(op)?.(copy, argv.length === 0 ? 0 : at % argv.length, edit);
  return copy;
}

function halves(token: string, [, , to]: Edit): readonly [string, string] {
  const at = to % (token.length + 1);
  return [token.slice(0, at), token.slice(at)];
}

function odd([, at, to]: Edit): string {
  const all = [...CHARACTERS, ...UNICODE];
  return all[(at * 7 + to) % all.length] ?? '';
}

function overwritten(token: string, edit: Edit): string {
  const [left, right] = halves(token, edit);
  return left + odd(edit) + right.slice(1);
}

function otherDigit(token: string, [, at, to]: Edit): string {
  const places = [...token.matchAll(/\d/g)].map(({ index }) => index);
  const place = places[to % Math.max(1, places.length)];
  return place === undefined ? token : `${token.slice(0, place)}${at % 10}${token.slice(place + 1)}`;
}

/** The same roles at another address and another name: no vector that was built for the first may pass. */
function elsewhere(pinned: PinnedTargets, address: string): PinnedTargets {
  const list = pinned.list.map((target) => ({
    ...target,
    canonical: target.kind === 'domain' ? 'other.lab.internal' : `${address}:1`,
    name: 'other.lab.internal',
    address,
    addresses: [address],
  }));
  return { ...pinned, list };
}
