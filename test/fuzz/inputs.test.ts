import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { SallyportError } from '../../src/core/errors.ts';
import { makePlan, type PlanSources } from '../../src/core/plan/plan.ts';
import { openEngagement, openSources } from '../fixtures/policy.ts';
import { callerSchema } from '../../src/core/tool/input-schema.ts';
import type { RegisteredTool } from '../../src/core/tool/registry-types.ts';
import { policyUnderTest } from '../core/targets/policy-under-test.ts';
import { fuzz } from '../fixtures/fuzz.ts';
import { arbitraryOf } from '../tools/schema-arbitrary.ts';
import { registeredTools } from '../tools/under-test.ts';
import { hasControl, isDerivable, strangersIn } from './argv-oracle.ts';
import { claim } from './target-texts.ts';

const TOOLS = await registeredTools();
const NAMES = { 'web.lab.internal': ['10.77.0.10', 'fd00:1::10'], 'db.lab.internal': ['10.77.0.11'] };
const scope = { allow: ['10.0.0.0/8', 'fd00:1::/32', '*.lab.internal', '*.arpa'], deny: ['10.77.0.66/32'] };
/** Refusals that tell a caller what to change. */
const REFUSALS = /^ERR_(?:INPUT_INVALID|TARGET_[A-Z_]+|RISK_TOO_HIGH)$/;

const oddText = fc.oneof(
  { weight: 3, arbitrary: claim.map(([, text]) => text) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '-',
      '--',
      '-oX',
      '',
      ' ',
      '\0',
      '\n',
      '__proto__',
      '../../etc/passwd',
      '*',
      '%',
      '^USER^',
      'a'.repeat(3000),
    ),
  },
);
const odd = fc.oneof(
  { weight: 4, arbitrary: oddText },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(null, true, 0, -1, -0, 0.5, 1e308, 2 ** 53, [], {}, [[]], [null], ['x', 'x']),
  },
  { weight: 1, arbitrary: fc.array(oddText, { maxLength: 3 }) },
);
const run = fc.oneof(
  { weight: 4, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.record({ timeoutMs: fc.oneof(fc.integer({ min: 999, max: 3_600_001 }), odd) }) },
  { weight: 1, arbitrary: odd },
);

for (const tool of TOOLS) {
  const { definition } = tool;
  // Planned as if the program were installed.
  const ready: RegisteredTool = { ...tool, availability: { available: true, path: '/usr/bin/x', probedAt: 0 } };
  const base = fc.constantFrom(...definition.examples.map(({ input }) => input));
  const fitting = arbitraryOf(callerSchema(definition.input)) as fc.Arbitrary<Record<string, unknown>>;
  const properties = Object.keys(definition.input.properties);

  describe(`a call of ${definition.name}`, () => {
    it('that fits its schema is planned, or refused by a code that says what to change', async (t) => {
      let planned = 0;
      await fuzz(
        t,
        fc.asyncProperty(
          base,
          fc.tuple(fitting, fc.subarray(properties)),
          fc.boolean(),
          async (one, [other, names], raw) => {
            const replaced = names
              .map((name) => [name, other[name]] as const)
              .filter(([, value]) => value !== undefined);
            if (await isPlanned(ready, { ...one, ...Object.fromEntries(replaced) }, [undefined, raw])) planned += 1;
          },
        ),
      );
      assert.ok(planned > 20, `only ${planned} calls were planned: the property says nothing`);
    });

    it('with anything in any place is planned, or refused by a code that says what to change', async (t) => {
      const edit = fc.tuple(fc.nat(), odd);
      const input = fc.tuple(base, fc.array(edit, { minLength: 1, maxLength: 3 }));
      await fuzz(
        t,
        fc.asyncProperty(
          fc.oneof({ weight: 9, arbitrary: input.map(placed) }, { weight: 1, arbitrary: odd }),
          run,
          fc.boolean(),
          async (given, options, raw) => {
            await isPlanned(ready, given, [options, raw]);
          },
        ),
      );
    });
  });
}

/** Whether a call is planned; asserts what holds of a plan and of a refusal. */
async function isPlanned(
  tool: RegisteredTool,
  given: unknown,
  [options, raw]: readonly [unknown, boolean],
): Promise<boolean> {
  try {
    const { input, run: checked } = tool.validate(given, options);
    const request = {
      tool,
      input,
      run: checked,
      principal: { id: 'key-1', name: 'fuzz' },
      keepSecret: () => 'secret-1',
    };
    const { argv, pinned, timeoutMs } = await makePlan(sourcesOf(tool, raw), request);
    const shown = JSON.stringify(argv);
    assert.ok(isDerivable(tool.definition.grammar, argv, pinned), `not derivable: ${shown}`);
    assert.deepEqual(strangersIn(tool.definition.name, argv, pinned), [], shown);
    assert.ok(
      argv.every((token) => token !== '' && token.isWellFormed() && !hasControl(token)),
      shown,
    );
    assert.ok(timeoutMs <= tool.definition.timeoutMs);
    return true;
  } catch (thrown) {
    if (!(thrown instanceof SallyportError)) throw thrown;
    assert.match(thrown.code, REFUSALS, `${thrown.message} ${JSON.stringify(thrown.details)}`);
    return false;
  }
}

function sourcesOf({ definition }: RegisteredTool, raw: boolean): PlanSources {
  const { policy } = policyUnderTest({ scope }, NAMES);
  return {
    generation: () => 1,
    ...openSources(() => openEngagement(policy)),
    timeoutMs: () => definition.timeoutMs,
    wordlist: async ({ role, name }) => ({ role, name, path: `/lists/${name}`, bytes: 30, lines: 3 }),
    raw: () => raw,
    link: () => ({ interface: 'veth0', adapterIp: '10.77.0.1', routerMac: '02:00:00:00:00:01' }),
  };
}

/** A copy of the input in which values were put at places that are there. */
function placed([input, edits]: readonly [Record<string, unknown>, readonly (readonly [number, unknown])[]]): unknown {
  const copy = structuredClone(input);
  for (const [at, value] of edits) {
    const places = placesIn(copy);
    const [holder, key] = places[at % places.length] ?? [copy, 'x'];
    (holder as Record<string, unknown>)[key] = structuredClone(value);
  }
  return copy;
}

function placesIn(value: unknown): readonly (readonly [object, string])[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = Object.entries(value).flatMap(([key, inner]) => [[value, key] as const, ...placesIn(inner)]);
  return [...own, [value, Array.isArray(value) ? String(value.length) : 'unknown']];
}
