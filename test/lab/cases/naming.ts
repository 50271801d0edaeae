import assert from 'node:assert/strict';
import type { RunResult } from '../../../schemas/run.ts';
import { INJECTION, SECOND, TARGET } from '../layout.ts';
import type { ToolCase } from './case.ts';

interface Answer {
  readonly status: string;
  readonly answer: readonly { readonly type: string; readonly value: string }[];
}
const answers = (status: string, ...values: string[]) => {
  return (run: RunResult): void => {
    const { answer, ...rest } = run.result as Answer;
    assert.equal(rest.status, status);
    assert.deepEqual(
      answer.map(({ type, value }) => `${type} ${value}`),
      values,
    );
  };
};
const dig =
  (name: string, more: Readonly<Record<string, unknown>> = {}) =>
  () => ({ name, ...more });

/** What dig finds out in the lab. */
export const NAMING_CASES: readonly ToolCase[] = [
  {
    tool: 'dig',
    name: 'asks the operator’s server for an address',
    input: dig('web.lab.internal'),
    check: answers('NOERROR', `A ${TARGET}`),
    mcp: true,
  },
  {
    tool: 'dig',
    name: 'asks for mail servers',
    input: dig('lab.internal', { type: 'MX' }),
    check: answers('NOERROR', 'MX 10 web.lab.internal.'),
  },
  {
    tool: 'dig',
    name: 'asks for text',
    input: dig('lab.internal', { type: 'TXT' }),
    check: answers('NOERROR', 'TXT "v=spf1 -all"'),
  },
  {
    tool: 'dig',
    name: 'says that a name does not exist',
    input: dig('nothing.lab.internal'),
    check: answers('NXDOMAIN'),
  },
  {
    tool: 'dig',
    name: 'says that a server refused',
    input: dig('inside.hostile.test', { server: `${SECOND}:53` }),
    check: answers('REFUSED'),
  },
  {
    tool: 'dig',
    name: 'asks for the name of an address',
    input: dig(TARGET, { type: 'PTR' }),
    check: answers('NOERROR', 'PTR web.lab.internal.'),
  },
  {
    tool: 'dig',
    name: 'asks for a whole zone',
    input: dig('lab.internal', { type: 'AXFR', server: TARGET }),
    check: (run) => {
      const { answer } = run.result as Answer;
      const types = answer.map(({ type }) => type);
      assert.deepEqual([types[0], types.at(-1)], ['SOA', 'SOA']);
      assert.ok(answer.some(({ value }) => value === TARGET) && answer.some(({ value }) => value === SECOND));
    },
  },
  {
    tool: 'dig',
    name: 'hands hostile text on without control characters and cuts it',
    input: dig('text.hostile.test', { type: 'TXT' }),
    check: (run) => {
      const text = JSON.stringify(run.result);
      assert.ok(text.includes(INJECTION));
      assert.ok(!text.includes('\\u001b') && !text.includes('\\u0007'));
      assert.ok(text.length < 20_000);
    },
  },
];
