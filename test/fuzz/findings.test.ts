import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { fuzz } from '../fixtures/fuzz.ts';
import { concluded } from '../tools/drafts.ts';
import { prepare, registeredTools, samplesOf } from '../tools/under-test.ts';
import { anyEnd, changesOf, chanceBytes, mangled } from './output-bytes.ts';

for (const tool of await registeredTools()) {
  const { definition } = tool;
  const samples = await samplesOf(definition.name);
  const calls = await Promise.all(
    definition.examples.map(({ input, raw = false, resolves = {} }) => prepare(tool, input, { raw, resolves })),
  );
  const call = fc.constantFrom(...calls);
  const files = (bytes: Buffer) =>
    new Map((definition.readBack ?? []).map((path) => [path.replaceAll('*', 'x'), bytes] as const));

  describe(`the findings of ${definition.name}`, () => {
    it('are sound, repeatable and told apart, whatever bytes the run wrote', async (t) => {
      await fuzz(
        t,
        fc.property(call, fc.tuple(chanceBytes, chanceBytes), anyEnd, (made, [stdout, stderr], end) => {
          concluded(tool, made, { stdout: [stdout], stderr: [stderr], end: { ...end, files: files(stdout) } });
        }),
      );
    });

    it('are sound of mangled output too, and what was cut short by time is never covered as a whole', async (t) => {
      const sample = fc.constantFrom(...samples);
      await fuzz(
        t,
        fc.property(call, fc.tuple(sample, changesOf(samples)), anyEnd, (made, change, end) => {
          const output = mangled(...change);
          const { complete, coverage } = concluded(tool, made, {
            stdout: [output.stdout],
            stderr: [output.stderr],
            end: { ...end, files: output.files },
          });
          if (!complete) assert.ok(coverage.missing.length > 0, 'it does not say what it left out');
        }),
      );
    });
  });
}
