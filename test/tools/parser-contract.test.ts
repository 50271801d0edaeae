import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { ToolEnd } from '../../src/core/tool/definition.ts';
import type { RegisteredTool } from '../../src/core/tool/registry-types.ts';
import { createParsed, pieces } from './parser-promises.ts';
import { type Fed, prepare, registeredTools, type Sample, samplesOf } from './under-test.ts';

const TOOLS = await registeredTools();
const ENDINGS: readonly Partial<ToolEnd>[] = [
  { ending: 'exited', exitCode: 0 },
  { ending: 'exited', exitCode: 1 },
  { ending: 'timed_out', exitCode: null },
  { ending: 'cancelled', exitCode: null },
  { ending: 'output_cap', exitCode: null, stdoutTruncated: true },
];
/** Every length of the usual sample, and evenly spread lengths of a longer one. */
const MAX_PREFIXES = 800;

const repeat = (text: string, bytes: number): Buffer => Buffer.alloc(bytes, text);
/** Output that no honest program writes. */
const HOSTILE: Readonly<Record<string, readonly Buffer[]>> = {
  nothing: [],
  'zero bytes': [Buffer.alloc(100_000)],
  'a line of 4 MB': [repeat('A', 4_000_000)],
  'a long line in small pieces': Array.from({ length: 2000 }, () => repeat('A', 200)),
  'a million line ends': [repeat('\r\n', 200_000)],
  'escape sequences': [repeat('\u001b[2K\u001b]0;x\u0007', 200_000)],
  'broken UTF-8': [repeat('\xff\xfe\xc0\x80', 100_000), Buffer.from([0xf0, 0x9f])],
  'deep XML': [repeat('<a>', 600_000)],
  'an endless attribute': [Buffer.from('<a b="'), repeat('x', 4_000_000)],
  'entity bomb': [
    Buffer.from(
      '<!DOCTYPE n [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]><n>&b;&f;</n>',
    ),
  ],
  'deep JSON': [repeat('[', 600_000)],
  'deep JSON objects': [repeat('{"a":', 600_000)],
  'JSON with a bad prototype': [
    Buffer.from('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}\n'),
  ],
  'deep YAML': [repeat('- - - - ', 400_000), Buffer.from('\n&a [*a, *a]\n')],
  'numbers out of bounds': [
    Buffer.from('{"ip":"10.0.0.1","port":1e999,"proto":"tcp","rec_type":"status","data":{"status":"open","ttl":-1}}\n'),
  ],
};

for (const tool of TOOLS) {
  const { definition } = tool;
  const samples = await samplesOf(definition.name);
  const [example] = definition.examples;
  assert.ok(example !== undefined);
  const call = await prepare(tool, example.input, { raw: example.raw ?? false, resolves: example.resolves ?? {} });
  const parsed = createParsed(tool, call);

  describe(`the parser of ${definition.name}`, () => {
    it('has recorded output to be tested with', () => assert.ok(samples.length > 0));

    for (const sample of samples) {
      it(`survives "${sample.name}" cut at every length, and never calls a cut run complete`, () => {
        const step = Math.max(1, Math.ceil(sample.stdout.length / MAX_PREFIXES));
        for (let length = 0; length < sample.stdout.length; length += step) {
          const stdout = [sample.stdout.subarray(0, length)];
          parsed({ ...whole(sample), stdout });
          const end = { files: sample.files, ...ENDINGS[2 + (length % 3)] };
          const cut = parsed({ ...whole(sample), stdout, end });
          assert.equal(cut.complete, false, `complete after ${length} bytes and ${end.ending}`);
        }
      });

      it(`reads "${sample.name}" the same however it is cut into pieces`, () => {
        const expected = parsed(whole(sample));
        fc.assert(
          fc.property(fc.array(fc.nat(sample.stdout.length), { maxLength: 20 }), (cuts) => {
            const stdout = pieces(sample.stdout, cuts);
            assert.deepEqual(parsed({ ...whole(sample), stdout }), expected);
          }),
          { numRuns: 30 },
        );
      });

      it(`survives "${sample.name}" with bytes overwritten, and each of its files too`, () => {
        const edit = fc.tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 12 }));
        fc.assert(
          fc.property(fc.array(edit, { minLength: 1, maxLength: 12 }), fc.constantFrom(...ENDINGS), (edits, end) => {
            const files = new Map([...sample.files].map(([path, bytes]) => [path, edited(bytes, edits)]));
            parsed({
              stdout: [edited(sample.stdout, edits)],
              stderr: [edited(sample.stderr, edits)],
              end: { ...end, files },
            });
          }),
          { numRuns: 60 },
        );
      });
    }

    for (const [name, stdout] of Object.entries(HOSTILE)) {
      it(`survives ${name}`, () => {
        for (const end of ENDINGS.slice(0, 3)) {
          const { complete } = parsed({
            stdout,
            stderr: stdout.slice(0, 2),
            end: { ...end, files: filesOf(tool, stdout) },
          });
          if (end.ending !== 'exited') assert.equal(complete, false);
        }
        assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
      });
    }

    it('survives random bytes', () => {
      fc.assert(
        fc.property(
          fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }),
          fc.constantFrom(...ENDINGS),
          (chunks, end) => {
            const stdout = chunks.map((chunk) => Buffer.from(chunk));
            parsed({ stdout, stderr: stdout, end: { ...end, files: filesOf(tool, stdout) } });
          },
        ),
        { numRuns: 150 },
      );
    });
  });
}

function whole(sample: Sample): Fed {
  return { stdout: [sample.stdout], stderr: [sample.stderr], end: { files: sample.files } };
}

function edited(bytes: Buffer, edits: readonly (readonly [number, Uint8Array])[]): Buffer {
  const copy = Buffer.from(bytes);
  for (const [place, patch] of edits) if (copy.length > 0) copy.set(patch.subarray(0, 1), place % copy.length);
  const [first] = edits;
  return first === undefined ? copy : Buffer.concat([copy, first[1]]);
}

/** The hostile bytes under every name that the tool reads back, cut as the executor would cut them. */
function filesOf(tool: RegisteredTool, chunks: readonly Buffer[]): ReadonlyMap<string, Buffer> {
  const bytes = Buffer.concat(chunks.slice(0, 50)).subarray(0, 1_048_576);
  return new Map((tool.definition.readBack ?? []).map((path) => [path.replaceAll('*', 'x'), bytes]));
}
