import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { fuzz, fuzzPlan } from '../fixtures/fuzz.ts';

describe('the amount and the seed of a property', () => {
  it('are 500 cases, or 10,000 in the nightly run', () => {
    assert.equal(fuzzPlan({}).numRuns, 500);
    assert.equal(fuzzPlan({ SALLYPORT_TEST_NIGHTLY: '1' }).numRuns, 10_000);
    assert.equal(fuzzPlan({ SALLYPORT_TEST_NIGHTLY: '' }).numRuns, 500);
  });

  it('come from the environment when a run is to be replayed', () => {
    for (const seed of [0, 42, -1, 2_147_483_647, -2_147_483_648]) {
      assert.equal(fuzzPlan({ SALLYPORT_TEST_SEED: String(seed) }).seed, seed);
    }
  });

  it('differ from run to run without one', () => {
    assert.notEqual(fuzzPlan({}).seed, fuzzPlan({}).seed);
  });

  it('are refused when the seed is no whole number of 32 bits', () => {
    for (const text of [
      '',
      ' ',
      'x',
      '1.5',
      '1e3',
      '0x10',
      '+1',
      '-0',
      '007',
      ' 1',
      '1\n',
      '2147483648',
      '-2147483649',
    ]) {
      assert.throws(() => fuzzPlan({ SALLYPORT_TEST_SEED: text }), /SALLYPORT_TEST_SEED/, JSON.stringify(text));
    }
  });
});

describe('a property under test', () => {
  const listener = () => {
    const said: string[] = [];
    return { said, context: { diagnostic: (text: string) => void said.push(text) } as unknown as TestContext };
  };

  it('prints its seed when it holds', async () => {
    const { said, context } = listener();
    await fuzz(
      context,
      fc.property(fc.nat(), (n) => n >= 0),
    );
    assert.match(said.join('\n'), /^\d+ cases, seed -?\d+$/);
  });

  it('fails with the smallest case and how to replay it, and prints its seed then too', async () => {
    const { said, context } = listener();
    const property = fc.asyncProperty(fc.nat(), async (n) => assert.ok(n < 1000));
    await assert.rejects(
      fuzz(context, property),
      /Counterexample: \[1000\][\s\S]*replay with SALLYPORT_TEST_SEED=-?\d+/,
    );
    assert.match(said.join('\n'), /seed -?\d+$/);
  });
});
