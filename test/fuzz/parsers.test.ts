import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { ToolEnd } from '../../src/core/tool/definition.ts';
import type { RegisteredTool } from '../../src/core/tool/registry-types.ts';
import { fuzz } from '../fixtures/fuzz.ts';
import { createParsed, type Parsed, pieces } from '../tools/parser-promises.ts';
import { prepare, registeredTools, samplesOf } from '../tools/under-test.ts';
import { anyEnd, changesOf, chanceBytes, cutOff, type Mangled, mangled } from './output-bytes.ts';

const TOOLS = await registeredTools();
/** Most characters of a result for one byte of output: a record of the shortest form, written out in full. */
const MAX_GROWTH = 60;
const SLACK = 4096;

/** Where the two streams are cut, and in which order their pieces arrive. */
const cuts = fc.record({
  stdout: fc.array(fc.nat(), { maxLength: 12 }),
  stderr: fc.array(fc.nat(), { maxLength: 6 }),
  single: fc.boolean(),
});
type Cuts = typeof cuts extends fc.Arbitrary<infer T> ? T : never;

for (const tool of TOOLS) {
  const { definition } = tool;
  const samples = await samplesOf(definition.name);
  const calls = await Promise.all(
    definition.examples.map(({ input, raw = false, resolves = {} }) => prepare(tool, input, { raw, resolves })),
  );
  const reader = fc.constantFrom(...calls.map((call) => createParsed(tool, call)));
  const sample = fc.constantFrom(...samples);

  /** Reads an output in one piece and in several, and asserts that both say the same. */
  const read = (
    parsed: typeof reader extends fc.Arbitrary<infer T> ? T : never,
    output: Mangled,
    [end, cut]: readonly [Partial<ToolEnd>, Cuts],
  ) => {
    const { stdout, stderr, files } = output;
    const whole = parsed({ stdout: [stdout], stderr: [stderr], end: { ...end, files } });
    const split = { stdout: cutUp(stdout, cut, cut.stdout), stderr: cutUp(stderr, cut, cut.stderr) };
    assertSame(parsed({ ...split, end: { ...end, files } }), whole);
    assertPromises(tool, whole, {
      end,
      bytes: [stdout, stderr, ...files.values()].reduce((sum, { length }) => sum + length, 0),
    });
    return whole;
  };

  describe(`the parser of ${definition.name}`, () => {
    it('reads any bytes the same however they are cut, and keeps its promises', async (t) => {
      await fuzz(
        t,
        fc.property(
          reader,
          fc.tuple(chanceBytes, chanceBytes),
          fc.tuple(anyEnd, cuts),
          (parsed, [stdout, stderr], how) => {
            read(parsed, { stdout, stderr, files: filesOf(tool, stdout) }, how);
          },
        ),
      );
    });

    it('reads mangled output of real runs the same however it is cut, and keeps its promises', async (t) => {
      await fuzz(
        t,
        fc.property(reader, fc.tuple(sample, changesOf(samples)), fc.tuple(anyEnd, cuts), (parsed, made, how) => {
          read(parsed, mangled(...made), how);
        }),
      );
    });

    it('never calls a run complete that was cut off, wherever and however', async (t) => {
      await fuzz(
        t,
        fc.property(reader, fc.tuple(sample, fc.nat()), fc.tuple(cutOff, cuts), (parsed, [real, length], how) => {
          const stdout = real.stdout.subarray(0, length % (real.stdout.length + 1));
          assert.equal(read(parsed, { ...real, stdout }, how).complete, false);
        }),
      );
    });
  });
}

function cutUp(bytes: Buffer, { single }: Cuts, places: readonly number[]): Buffer[] {
  // Byte by byte is the hardest way and costs the most: only what is short.
  if (single && bytes.length < 400) return [...bytes].map((byte) => Buffer.of(byte));
  return pieces(
    bytes,
    places.map((place) => place % (bytes.length + 1)),
  );
}

function assertSame(split: Parsed, whole: Parsed): void {
  if (JSON.stringify(split) === JSON.stringify(whole)) return;
  assert.deepEqual(split, whole);
}

function assertPromises(
  tool: RegisteredTool,
  { result, complete, failure, events }: Parsed,
  { end, bytes }: { readonly end: Partial<ToolEnd>; readonly bytes: number },
): void {
  if (end.ending !== 'exited') {
    assert.equal(complete, false, `complete after ${end.ending}`);
    assert.equal(failure, undefined, 'a run that was ended did not fail by itself');
  }
  // hydra knows that a service is open from the file that it wrote, whatever its output was.
  const isOpen = tool.definition.name === 'hydra' && (result as { open: boolean }).open;
  if (end.stdoutTruncated === true && !isOpen) assert.equal(complete, false, 'complete and truncated');
  assert.ok(JSON.stringify(result).length <= bytes * MAX_GROWTH + SLACK, 'the result is out of proportion');
  assert.ok(events.length <= bytes + 1, `${events.length} events of ${bytes} bytes`);
}

/** The bytes under every name that the tool reads back. */
function filesOf(tool: RegisteredTool, bytes: Buffer): ReadonlyMap<string, Buffer> {
  return new Map((tool.definition.readBack ?? []).map((path) => [path.replaceAll('*', 'x'), bytes]));
}
