import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { type ConfigFault, type ConfigWatch, loadConfig, watchConfig } from '../../src/config.ts';

type Told = { kind: 'changed'; changed: readonly string[] } | { kind: 'rejected'; faults: readonly ConfigFault[] };

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'sallyport-watch-'));
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function follow(file: string, extra: { pollMs?: number; check?: () => void; apply?: () => void } = {}) {
  const load = () => {
    const loaded = loadConfig({
      environment: { SALLYPORT_CONFIG: file },
      toolNames: ['nmap'],
      readFile: (path) => readFileSync(path),
    });
    extra.check?.();
    return loaded;
  };
  const told: Told[] = [];
  const waiting: ((next: Told) => void)[] = [];
  const tell = (next: Told) => {
    const waiter = waiting.shift();
    if (waiter === undefined) told.push(next);
    else waiter(next);
  };
  const abort = new AbortController();
  // Watchers do not keep a process alive, so the test does.
  const alive = setInterval(() => undefined, 1000);
  const watch: ConfigWatch = watchConfig({
    initial: load(),
    load,
    onChange: ({ changed }) => {
      extra.apply?.();
      tell({ kind: 'changed', changed });
    },
    onRejected: (faults) => tell({ kind: 'rejected', faults }),
    signal: abort.signal,
    settleMs: 20,
    pollMs: extra.pollMs ?? 0,
  });
  cleanups.push(() => {
    abort.abort();
    clearInterval(alive);
  });
  const next = (): Promise<Told> => {
    const first = told.shift();
    return first === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(first);
  };
  return { watch, next, told, abort };
}

function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

function start(text: string, extra: Parameters<typeof follow>[1] = {}) {
  const file = join(directory(), 'sallyport.yaml');
  writeFileSync(file, text);
  return { file, ...follow(file, extra) };
}

test('a file replaced by a rename applies, again and again', async () => {
  const { file, watch, next } = start('policy: { risk: active }');
  for (const risk of ['observe', 'intrusive', 'exploit']) {
    replace(file, `policy: { risk: ${risk} }`);
    assert.deepEqual(await next(), { kind: 'changed', changed: ['policy.risk'] });
    assert.equal(watch.current().config.policy.risk, risk);
  }
});

test('a file written in place applies', async () => {
  const { file, watch, next } = start('{}');
  writeFileSync(file, 'log: { level: debug }');
  assert.equal((await next()).kind, 'changed');
  assert.equal(watch.current().config.log.level, 'debug');
});

test('the swap of a Kubernetes volume is seen', async () => {
  const root = directory();
  for (const [name, risk] of [
    ['..one', 'observe'],
    ['..two', 'exploit'],
  ] as const) {
    mkdirSync(join(root, name));
    writeFileSync(join(root, name, 'sallyport.yaml'), `policy: { risk: ${risk} }`);
  }
  symlinkSync('..one', join(root, '..data'));
  symlinkSync('..data/sallyport.yaml', join(root, 'sallyport.yaml'));
  const { watch, next } = follow(join(root, 'sallyport.yaml'));
  symlinkSync('..two', join(root, '..data_tmp'));
  renameSync(join(root, '..data_tmp'), join(root, '..data'));
  assert.equal((await next()).kind, 'changed');
  assert.equal(watch.current().config.policy.risk, 'exploit');
});

test('a link to a file in another directory is followed', async () => {
  const [real, linked] = [directory(), directory()];
  writeFileSync(join(real, 'c.yaml'), '{}');
  symlinkSync(join(real, 'c.yaml'), join(linked, 'c.yaml'));
  const { watch, next } = follow(join(linked, 'c.yaml'));
  replace(join(real, 'c.yaml'), 'policy: { risk: observe }');
  assert.equal((await next()).kind, 'changed');
  assert.equal(watch.current().config.policy.risk, 'observe');
});

test('a link in the middle of a chain is followed when it is swapped', async () => {
  const [first, middle, one, two] = [directory(), directory(), directory(), directory()];
  writeFileSync(join(one, 'c.yaml'), '{}');
  writeFileSync(join(two, 'c.yaml'), 'policy: { risk: exploit }');
  symlinkSync(join(one, 'c.yaml'), join(middle, 'c.yaml'));
  symlinkSync(join(middle, 'c.yaml'), join(first, 'c.yaml'));
  const { watch, next } = follow(join(first, 'c.yaml'));
  symlinkSync(join(two, 'c.yaml'), join(middle, 'new'));
  renameSync(join(middle, 'new'), join(middle, 'c.yaml'));
  assert.equal((await next()).kind, 'changed');
  assert.equal(watch.current().config.policy.risk, 'exploit');
});

test('an invalid file changes nothing, is told once and stays in the status until it is mended (D33)', async () => {
  const { file, watch, next } = start('policy: { risk: observe }');
  for (const text of ['policy: { risk: all }', '', 'policy: { risk: exploit', 'prot: 1']) {
    replace(file, text);
    const told = await next();
    assert.equal(told.kind, 'rejected', text);
    assert.ok(watch.status().faults.length > 0);
    assert.equal(watch.current().config.policy.risk, 'observe');
  }
  replace(file, 'policy: { risk: active }');
  assert.equal((await next()).kind, 'changed');
  assert.deepEqual(watch.status(), { faults: [], needsRestart: [] });
});

test('a removed file is rejected, and its return is seen', async () => {
  const { file, watch, next } = start('policy: { risk: observe }');
  rmSync(file);
  assert.equal((await next()).kind, 'rejected');
  assert.equal(watch.current().config.policy.risk, 'observe');
  writeFileSync(file, 'policy: { risk: active }');
  assert.equal((await next()).kind, 'changed');
});

test('keys that need a restart keep their running values and are told; the others of the file apply', () => {
  const { file, watch } = start('port: 8080');
  writeFileSync(file, 'port: 9090\ntools: { exclude: [nmap] }\nlog: { level: warn }');
  const result = watch.reload();
  assert.ok(result.kind === 'changed');
  assert.deepEqual(result.changed, ['log.level']);
  assert.deepEqual(result.needsRestart, ['port', 'tools.exclude']);
  assert.equal(watch.current().config.port, 8080);
  assert.equal(watch.current().config.log.level, 'warn');
  assert.deepEqual(watch.status().needsRestart, ['port', 'tools.exclude']);
  assert.equal(watch.reload().kind, 'unchanged');
  assert.throws(() => Object.assign(watch.current().config, { port: 1 }), TypeError);
  writeFileSync(file, 'port: 8080\nlog: { level: warn }');
  assert.equal(watch.reload().kind, 'changed');
  assert.deepEqual(watch.status().needsRestart, []);
});

test('an explicit reload reads at once and says what it did', () => {
  const { file, watch } = start('{}');
  assert.equal(watch.reload().kind, 'unchanged');
  writeFileSync(file, 'policy: { risk: exploit }');
  assert.equal(watch.reload().kind, 'changed');
  writeFileSync(file, 'policy: 5');
  assert.equal(watch.reload().kind, 'rejected');
  assert.equal(watch.current().config.policy.risk, 'exploit');
});

test('a check of the caller, or a change that cannot be applied, rejects like a fault of the file', () => {
  let isScopeBad = false;
  let isBroken = false;
  const { file, watch } = start('{}', { check: () => failWhen(isScopeBad), apply: () => failWhen(isBroken) });
  writeFileSync(file, 'policy: { risk: exploit }');
  isScopeBad = true;
  assert.equal(watch.reload().kind, 'rejected');
  assert.equal(watch.status().faults[0]?.key, 'k');
  isScopeBad = false;
  isBroken = true;
  assert.equal(watch.reload().kind, 'rejected');
  assert.equal(watch.current().config.policy.risk, 'active');
});

test('without events the slow look finds the change, and an ended watch finds nothing', async () => {
  const { file, next, abort, told } = start('{}', { pollMs: 20 });
  replace(file, 'policy: { risk: exploit }');
  assert.equal((await next()).kind, 'changed');
  abort.abort();
  // Another watch of the same file is the proof that the change could be seen.
  const control = follow(file, { pollMs: 20 });
  replace(file, 'policy: { risk: active }');
  assert.equal((await control.next()).kind, 'changed');
  assert.deepEqual(told, []);
});

test('a fault told as a sentence is kept, and the message of a foreign error is not', () => {
  let thrown: Error = Object.assign(new Error('x'), { details: { faults: ['policy.scope: bad'] } });
  let isOn = false;
  const check = () => {
    if (isOn) throw thrown;
  };
  const { watch } = start('{}', { check });
  isOn = true;
  watch.reload();
  assert.equal(watch.status().faults[0]?.wrong, 'policy.scope: bad');
  thrown = new Error('hunter2');
  watch.reload();
  assert.ok(!JSON.stringify(watch.status()).includes('hunter2'));
  assert.equal(watch.status().faults.length, 1);
});

function failWhen(is: boolean): void {
  const fault: ConfigFault = { key: 'k', from: 'f', wrong: 'w', right: 'r' };
  if (is) throw Object.assign(new Error('x'), { details: { faults: [fault] } });
}
