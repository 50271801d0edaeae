import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Risk } from '../../../schemas/risk.ts';
import { SallyportError } from '../../../src/core/errors.ts';
import { createRegistry } from '../../../src/core/tool/registry.ts';
import { sampleTool } from './sample-tool.ts';

const UP = { available: true, path: '/usr/bin/true', version: '1', probedAt: 5 };

function registryOf(names: readonly string[] = ['sample'], ceiling: () => Risk = () => 'active') {
  return createRegistry({
    tools: names.map((name) => sampleTool({ name })),
    riskCeiling: ceiling,
    isEnabled: (name) => name !== 'off',
  });
}

function faultsOf(call: () => unknown): { path: string; message: string }[] {
  try {
    call();
  } catch (thrown) {
    assert.ok(thrown instanceof SallyportError);
    assert.equal(thrown.code, 'ERR_INPUT_INVALID');
    return thrown.details?.['faults'] as { path: string; message: string }[];
  }
  return assert.fail('was accepted');
}

describe('the state of tools', () => {
  it('lists by name and answers an unknown name with its code', () => {
    const registry = registryOf(['b', 'a', 'off']);
    assert.deepEqual(
      registry.all().map((tool) => tool.definition.name),
      ['a', 'b', 'off'],
    );
    assert.throws(() => registry.get('constructor'), { code: 'ERR_TOOL_UNKNOWN' });
    assert.throws(() => registry.setEnabled('nope', true), { code: 'ERR_TOOL_UNKNOWN' });
    assert.throws(() => registryOf(['a', 'a']), { code: 'ERR_CONFIG_INVALID' });
  });

  it('offers only what is enabled, available and not above the ceiling', () => {
    let ceiling: Risk = 'active';
    const registry = registryOf(['a', 'off'], () => ceiling);
    const offered = () => registry.offered().map((tool) => tool.definition.name);
    assert.deepEqual(offered(), [], 'nothing was probed yet');
    registry.setAvailability('a', UP);
    registry.setAvailability('off', UP);
    assert.deepEqual(offered(), ['a']);
    registry.setEnabled('off', true);
    registry.setEnabled('a', false);
    assert.deepEqual(offered(), ['off']);
    ceiling = 'observe';
    assert.deepEqual(offered(), []);
  });

  it('tells listeners of changes, once each, until they leave', () => {
    const registry = registryOf(['a']);
    const heard: string[] = [];
    const listener = (name: string): void => void heard.push(name);
    const leaveFirst = registry.onChange(listener);
    const leaveSecond = registry.onChange(listener);
    registry.setEnabled('a', false);
    registry.setEnabled('a', false);
    assert.deepEqual(heard, ['a', 'a']);
    leaveFirst();
    registry.setAvailability('a', UP);
    registry.setAvailability('a', { ...UP, probedAt: 6 });
    assert.deepEqual(heard, ['a', 'a', 'a']);
    assert.equal(registry.get('a').availability.probedAt, 6);
    leaveSecond();
    registry.setAvailability('a', { available: false, fault: 'gone', probedAt: 7 });
    assert.equal(heard.length, 3);
  });
});

describe('the schemas of a tool', () => {
  it('ask a caller for nothing that has a default, and know the reserved run property', () => {
    const { inputSchema } = registryOf().get('sample');
    assert.deepEqual(inputSchema['required'], ['host']);
    const validate = new Ajv2020({ strict: true }).compile(inputSchema);
    assert.ok(validate({ host: 'a', nested: {}, run: { timeoutMs: 60_000 } }));
    assert.ok(!validate({ host: 'a', run: { timeoutMs: 60_001 } }), 'the top is the tool’s own');
    assert.ok(!validate({ host: 'a', run: { other: 1 } }));
  });

  it('do not change the definition', () => {
    const tool = sampleTool();
    const before = JSON.stringify(tool.input);
    createRegistry({ tools: [tool], riskCeiling: () => 'active', isEnabled: () => true });
    assert.equal(JSON.stringify(tool.input), before);
    assert.ok(before.includes('"required":["host","mode","count","words"]'));
  });
});

describe('splitting MCP arguments', () => {
  const tool = registryOf().get('sample');
  const split = (args: unknown) => tool.split(args);

  it('takes run apart and leaves the rest', () => {
    assert.deepEqual(split({ host: 'a', run: { timeoutMs: 1000 } }), {
      input: { host: 'a' },
      run: { timeoutMs: 1000 },
    });
    assert.deepEqual(split({ host: 'a' }), { input: { host: 'a' }, run: undefined });
  });

  it('leaves what is no object for the validation to refuse', () => {
    for (const args of [undefined, null, 5, 'x', [1]]) assert.deepEqual(split(args), { input: args, run: undefined });
  });

  it('takes no inherited run', () => {
    const args = Object.create({ run: { timeoutMs: 1 } }) as object;
    assert.equal(split(args).run, undefined);
  });
});

describe('validating an input', () => {
  const tool = registryOf().get('sample');
  const validate = (input: unknown, run: unknown) => tool.validate(input, run);

  it('fills defaults at every depth into a copy', () => {
    const given = { host: 'a', nested: {} };
    const { input, run } = validate(given, undefined);
    assert.deepEqual(input, { host: 'a', mode: 'slow', count: 3, words: [], nested: { deep: true } });
    assert.deepEqual(run, {});
    assert.deepEqual(given, { host: 'a', nested: {} });
  });

  it('coerces nothing and removes nothing', () => {
    for (const input of [
      { host: 'a', count: '3' },
      { host: 'a', count: 3.5 },
      { host: 'a', count: true },
      { host: 'a', count: null },
      { host: 'a', nested: { deep: 'true' } },
      { host: 'a', words: 'abc' },
      { host: ['a'] },
      { host: 'a', extra: 1 },
      { host: 'a', extra_args: '-oN /tmp/x' },
      JSON.parse('{"host":"a","__proto__":{"count":9}}'),
      { host: 'a', constructor: 1 },
      { host: 'a\n' },
      [],
      'host',
      null,
      undefined,
    ]) {
      assert.ok(faultsOf(() => validate(input, undefined)).length > 0, JSON.stringify(input));
    }
  });

  it('does not take an inherited value for one that was sent', () => {
    assert.ok(faultsOf(() => validate(Object.create({ host: 'a' }), undefined)).length > 0);
  });

  it('names every fault, where it is and what would be right, without repeating the value', () => {
    const faults = faultsOf(() => validate({ host: '-secret', mode: 'x', count: 11, 'b\u001bad': 1 }, undefined));
    const byPath = Object.fromEntries(faults.map(({ path, message }) => [path, message]));
    assert.deepEqual(Object.keys(byPath).sort(), ['', '/count', '/host', '/mode']);
    assert.match(byPath['/mode'] ?? '', /must be one of "fast", "slow"/);
    assert.match(byPath['/count'] ?? '', /<= 10/);
    const text = JSON.stringify(faults);
    assert.ok(!text.includes('secret') && !text.includes('\u001b'));
  });

  it('asks the tool’s own rule after the schema', () => {
    assert.deepEqual(
      faultsOf(() => validate({ host: 'a', mode: 'fast', count: 6 }, undefined)),
      [{ path: '', message: 'fast takes at most 5' }],
    );
  });

  it('checks the run options and says where they are', () => {
    assert.deepEqual(validate({ host: 'a' }, { timeoutMs: 2000 }).run, { timeoutMs: 2000 });
    assert.equal(faultsOf(() => validate({ host: 'a' }, { timeoutMs: 5 }))[0]?.path, '/run/timeoutMs');
    assert.equal(faultsOf(() => validate({ host: 'a' }, { engagements: 'x' }))[0]?.path, '/run');
    assert.equal(faultsOf(() => validate({ host: 'a' }, { planId: 5 }))[0]?.path, '/run/planId');
    assert.equal(faultsOf(() => validate({ host: 'a' }, 'fast'))[0]?.path, '/run');
  });

  it('refuses too many values and too deep nesting before it looks closer', () => {
    const wide = { host: 'a', words: Array.from({ length: 30_000 }, () => 1) };
    assert.deepEqual(
      faultsOf(() => validate(wide, undefined)).map(({ path }) => path),
      [''],
    );
    const deep: unknown = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    assert.equal(faultsOf(() => validate({ host: 'a', words: deep }, undefined)).length, 1);
    const many = { host: 'a', ...Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`x${index}`, 1])) };
    assert.equal(faultsOf(() => validate(many, undefined)).length, 50);
  });
});
