import assert from 'node:assert/strict';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { RegisteredTool } from '../../src/core/tool/registry-types.ts';
import { type Fed, feed, type Prepared } from './under-test.ts';

const MAX_RESULT_CHARACTERS = 16 * 1024 * 1024;

/** What a parser concluded, and what it told on the way. */
export type Parsed = ReturnType<typeof feed>;

/** Feeds a tool's parser and asserts what holds for every output whatever its bytes are; returns what it concluded. */
export function createParsed(tool: RegisteredTool, call: Prepared): (fed: Fed) => Parsed {
  const validate = new Ajv2020({ strict: true, validateFormats: false }).compile(tool.definition.output);
  return (fed) => {
    const outcome = feed(tool, call, fed);
    assert.ok(validate(outcome.result), JSON.stringify(validate.errors?.slice(0, 3)));
    const text = JSON.stringify(outcome.result);
    assert.ok(text.length < MAX_RESULT_CHARACTERS, `${text.length} characters`);
    assert.deepEqual(JSON.parse(text), outcome.result, 'the result holds something that JSON does not');
    for (const one of textsIn([outcome.result, outcome.events, outcome.failure])) {
      assert.ok(
        one.isWellFormed() && !/(?!\n)\p{Cc}/u.test(one),
        `a control character came through: ${JSON.stringify(one)}`,
      );
    }
    if (outcome.failure !== undefined) assert.equal(outcome.complete, false, 'failed and complete at once');
    for (const event of outcome.events) {
      if (event.kind === 'progress' && event.percent !== undefined)
        assert.ok(event.percent >= 0 && event.percent <= 100);
    }
    return outcome;
  };
}

/** Every string inside a value, names of properties included. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...textsIn(inner)]);
}

/** Bytes cut at the given places. */
export function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set([0, ...cuts, bytes.length])].sort((a, b) => a - b);
  return places.slice(1).map((place, index) => bytes.subarray(places[index], place));
}
