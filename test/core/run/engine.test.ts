import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunResult } from '../../../schemas/run.ts';
import { SallyportError } from '../../../src/core/errors.ts';
import type { TargetPolicy } from '../../../src/core/targets/types.ts';
import { type Ending, engineFixture, pinnedHost } from '../../fixtures/engine.ts';

async function refusal(promise: Promise<unknown>): Promise<SallyportError> {
  const thrown: unknown = await promise.then(
    () => assert.fail('it was not refused'),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof SallyportError, String(thrown));
  return thrown;
}
const partial = (error: SallyportError) => error.details?.['run'] as RunResult;

test('a call answers with the whole run: what ran, where, for how long, and the result', async () => {
  const { call, commands } = engineFixture();
  const result = (await call({})) as RunResult;
  assert.equal(result.outcome, 'succeeded');
  assert.equal(result.complete, true);
  assert.deepEqual(result.result, { text: 'hello' });
  assert.deepEqual(result.argv, ['/usr/bin/echo', '-n', '10.0.0.1']);
  assert.deepEqual(commands[0]?.argv, ['-n', '10.0.0.1']);
  assert.equal(commands[0]?.timeoutMs, 10_000);
});

test('an input that does not fit the tool starts nothing and names every fault', async () => {
  const { call, commands, recorder } = engineFixture();
  const error = await refusal(call({ input: { host: '-oX', extra: 1 } }));
  assert.equal(error.code, 'ERR_INPUT_INVALID');
  assert.equal((error.details?.['faults'] as unknown[] | undefined)?.length, 2);
  assert.equal(commands.length, 0);
  assert.ok(recorder.lines.includes('sallyport_refusals_total{echo,input.schema,ERR_INPUT_INVALID} 1'));
});

test('a tool or an option above the ceiling is refused before any name is resolved', async () => {
  const policy: TargetPolicy = { pin: () => assert.fail('nothing may be resolved') };
  const tool = await refusal(engineFixture({ ceiling: 'observe', policy }).call({}));
  assert.equal(tool.code, 'ERR_RISK_TOO_HIGH');
  assert.equal(tool.details?.['rule'], 'risk.tool');
  const option = await refusal(engineFixture({ policy }).call({ input: { host: '10.0.0.1', loud: true } }));
  assert.equal(option.code, 'ERR_RISK_TOO_HIGH');
  assert.equal(option.details?.['option'], 'loud');
});

test('a timeout asked for above the tool’s limit is refused, not clamped', async () => {
  const error = await refusal(engineFixture().call({ run: { timeoutMs: 15_000 } }));
  assert.equal(error.code, 'ERR_INPUT_INVALID');
});

test('a disabled or missing tool starts nothing', async () => {
  const disabled = engineFixture();
  disabled.registry.setEnabled('echo', false);
  assert.equal((await refusal(disabled.call({}))).code, 'ERR_TOOL_DISABLED');
  const missing = engineFixture();
  missing.registry.setAvailability('echo', { available: false, fault: 'not installed', probedAt: 2 });
  const error = await refusal(missing.call({}));
  assert.equal(error.code, 'ERR_TOOL_UNAVAILABLE');
  assert.equal(error.trips, true);
  assert.equal((await refusal(engineFixture().call({ tool: 'nope' }))).code, 'ERR_TOOL_UNKNOWN');
});

const ENDINGS: readonly { name: string; ending: Ending; code: string; outcome: string; trips: boolean }[] = [
  {
    name: 'a timeout',
    ending: { ending: 'timed_out', exitCode: null, signal: 'SIGKILL' },
    code: 'ERR_TOOL_TIMEOUT',
    outcome: 'timed_out',
    trips: true,
  },
  {
    name: 'the end of the gateway',
    ending: { ending: 'cancelled', exitCode: null },
    code: 'ERR_SHUTTING_DOWN',
    outcome: 'cancelled',
    trips: false,
  },
  {
    name: 'an output cap',
    ending: { ending: 'output_cap', exitCode: null },
    code: 'ERR_TOOL_FAILED',
    outcome: 'failed',
    trips: false,
  },
  {
    name: 'a crash',
    ending: { signal: 'SIGSEGV', exitCode: null },
    code: 'ERR_TOOL_FAILED',
    outcome: 'failed',
    trips: true,
  },
  {
    name: 'a failure of the target',
    ending: { exitCode: 1 },
    code: 'ERR_TOOL_FAILED',
    outcome: 'failed',
    trips: false,
  },
  {
    name: 'a failure by the tool’s own rule',
    ending: { exitCode: 3 },
    code: 'ERR_TOOL_FAILED',
    outcome: 'failed',
    trips: true,
  },
];
for (const { name, ending, code, outcome, trips } of ENDINGS) {
  test(`${name} is never shown as success and keeps what was found`, async () => {
    const { call, recorder, stats } = engineFixture({ ending });
    const error = await refusal(call({}));
    assert.equal(error.code, code);
    assert.equal(error.trips, trips);
    assert.equal(partial(error).outcome, outcome);
    assert.equal(partial(error).complete, false);
    assert.deepEqual(partial(error).result, { text: 'hello' });
    assert.ok(recorder.lines.includes(`sallyport_runs_total{echo,${outcome},${code}} 1`));
    assert.equal(stats.report('echo').counts['succeeded'], 0);
  });
}

test('output that was cut is never called complete', async () => {
  const result = (await engineFixture({ ending: { stdout: { bytes: 9, truncated: true } } }).call({})) as RunResult;
  assert.equal(result.outcome, 'succeeded');
  assert.equal(result.complete, false);
});

test('a process that could not start is an unavailable tool; failed confinement has its own code', async () => {
  const fault = (code: string): Ending => ({ ending: 'not_started', startFault: { code, message: 'secret path' } });
  const missing = await refusal(engineFixture({ ending: fault('ENOENT') }).call({}));
  assert.equal(missing.code, 'ERR_TOOL_UNAVAILABLE');
  assert.doesNotMatch(missing.message, /secret path/);
  assert.equal((await refusal(engineFixture({ ending: fault('CONFINEMENT') }).call({}))).code, 'ERR_EXEC_CONFINEMENT');
});

test('a call that waited is planned again: a name that moved meanwhile is refused (DNS rebinding)', async () => {
  const asked: (boolean | undefined)[] = [];
  const policy: TargetPolicy = {
    pin: async (claims, _limits, options) => {
      asked.push(options?.fresh);
      if (options?.fresh)
        throw new SallyportError('ERR_TARGET_OUT_OF_SCOPE', 'it moved', { details: { rule: 'target.scope' } });
      return pinnedHost(claims[0]?.value ?? '');
    },
  };
  const { call, commands } = engineFixture({ policy, queuedMs: 40 });
  assert.equal((await refusal(call({}))).code, 'ERR_TARGET_OUT_OF_SCOPE');
  assert.deepEqual(asked, [false, true]);
  assert.equal(commands.length, 0);
});

test('a tool that was disabled while a call waited does not start', async () => {
  const { call, commands } = engineFixture({
    queuedMs: 40,
    duringWait: (registry) => registry.setEnabled('echo', false),
  });
  assert.equal((await refusal(call({}))).code, 'ERR_TOOL_DISABLED');
  assert.equal(commands.length, 0);
});

test('the values of secret properties are masked in the answer, in the failure and in the log', async () => {
  const { call, commands, logged } = engineFixture({ ending: { output: 'I heard hunter2!' } });
  const result = (await call({ input: { host: '10.0.0.1', password: 'hunter2' } })) as RunResult;
  assert.ok(commands[0]?.argv.includes('hunter2'));
  assert.doesNotMatch(JSON.stringify(result), /hunter2/);
  assert.doesNotMatch(logged.join('\n'), /hunter2/);
});

test('a parser that breaks its promise loses its result, not the gateway', async () => {
  const { echo } = await import('../../fixtures/engine.ts');
  const tool = { ...echo, parse: () => ({ stdout: () => assert.fail('boom'), end: () => assert.fail('boom') }) };
  const error = await refusal(engineFixture({ tool }).call({}));
  assert.equal(error.code, 'ERR_INTERNAL');
  assert.doesNotMatch(error.message, /boom/);
});

test('a survivor of a kill is counted and logged as an error', async () => {
  const { call, recorder, logged } = engineFixture({ ending: { ending: 'timed_out', survivors: 2, killMs: 100 } });
  await refusal(call({}));
  assert.ok(recorder.lines.includes('sallyport_kill_survivors_total{echo} 2'));
  assert.ok(recorder.lines.includes('sallyport_kills_total{echo,timed_out} 1'));
  assert.ok(logged.some((line) => line.includes('"survivors":2')));
});

test('a change of the configuration while a name is looked up makes the plan again before anything starts', async () => {
  let generation = 0;
  const asked: (boolean | undefined)[] = [];
  const policy: TargetPolicy = {
    pin: async (claims, _limits, options) => {
      asked.push(options?.fresh);
      if (asked.length === 1) generation += 1;
      else throw new SallyportError('ERR_TARGET_OUT_OF_SCOPE', 'narrowed', { details: { rule: 'target.scope' } });
      return pinnedHost(claims[0]?.value ?? '');
    },
  };
  const { call, commands } = engineFixture({ policy, generation: () => generation });
  assert.equal((await refusal(call({}))).code, 'ERR_TARGET_OUT_OF_SCOPE');
  assert.deepEqual(asked, [false, true]);
  assert.equal(commands.length, 0);
});

test('a tool that is disabled while its call is being planned does not start', async () => {
  const fixture: { current?: ReturnType<typeof engineFixture> } = {};
  const policy: TargetPolicy = {
    pin: async (claims) => {
      fixture.current?.registry.setEnabled('echo', false);
      return pinnedHost(claims[0]?.value ?? '');
    },
  };
  fixture.current = engineFixture({ policy });
  assert.equal((await refusal(fixture.current.call({}))).code, 'ERR_TOOL_DISABLED');
  assert.equal(fixture.current.commands.length, 0);
});

test('a configuration that never stands still is an honest busy, not an endless loop', async () => {
  let generation = 0;
  const { call, commands } = engineFixture({ generation: () => (generation += 1) });
  assert.equal((await refusal(call({}))).code, 'ERR_TOOL_BUSY');
  assert.equal(commands.length, 0);
});

test('one target that never answers counts once against its tool, so it cannot open the circuit for others', async () => {
  const { call } = engineFixture({ ending: { ending: 'timed_out', exitCode: null } });
  const trips = async (host: string) => (await refusal(call({ input: { host } }))).trips;
  assert.deepEqual([await trips('10.0.0.1'), await trips('10.0.0.1'), await trips('10.0.0.2')], [true, false, true]);
});

test('a caller that asks for too little time does not count against the tool', async () => {
  const { call } = engineFixture({ ending: { ending: 'timed_out', exitCode: null } });
  assert.equal((await refusal(call({ run: { timeoutMs: 1000 } }))).trips, false);
});
