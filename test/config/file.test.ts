import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '../../schemas/config.ts';
import { fileLayer } from '../../src/config/file.ts';

const schema = configSchema(['nmap']);
const read = (text: string | Buffer) => fileLayer(schema, { path: 'c.yaml', content: Buffer.from(text) });
const wrongs = (text: string | Buffer) => read(text).faults.map(({ from, key, wrong }) => `${from} ${key} ${wrong}`);

test('keys are read with the line they stand on', () => {
  const { values, faults } = read(
    '# comment\nhost: "::1"\npolicy:\n  scope:\n    deny:\n      - 10.0.0.1\n      - "b"\n',
  );
  assert.deepEqual(faults, []);
  assert.deepEqual(values.get('host'), { value: '::1', where: 'c.yaml:2' });
  assert.deepEqual(values.get('policy.scope.deny'), { value: ['10.0.0.1', 'b'], where: 'c.yaml:5' });
});

test('an empty file is a fault, {} is not', () => {
  for (const text of ['', '\n', '# only a comment\n', '---\n', '~', '[]', 'text']) {
    assert.equal(read(text).faults.length, 1, JSON.stringify(text));
  }
  assert.deepEqual(read('{}').faults, []);
});

test('duplicate keys are told with the faults of the rest', () => {
  const found = wrongs('port: 1\nport: 2\nhost: 5\n');
  assert.ok(found.some((fault) => fault.startsWith('c.yaml:2 ') && fault.includes('DUPLICATE_KEY')));
  assert.ok(found.some((fault) => fault.startsWith('c.yaml:3 host')));
});

test('unknown keys are told on every level, prototype names included', () => {
  for (const text of [
    'prot: 1',
    'policy: { scope: { alow: [] } }',
    'tools: { hydra: {} }',
    '__proto__: {}',
    'constructor: 1',
    '1: 2',
  ]) {
    assert.equal(read(text).faults[0]?.wrong, 'no such key', text);
  }
  assert.equal(read('prot: 1').faults[0]?.right, 'the name port');
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
});

test('anchors, aliases, merges and tags are refused: no expansion, no type change', () => {
  const bomb = `a: &a [x,x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\npolicy: { denyPorts: *c }\n`;
  assert.ok(wrongs(bomb).some((fault) => fault.endsWith('an alias')));
  for (const text of ['port: &x 1', 'port: !!int "1"', 'host: !secret x', '<<: { port: 1 }', 'host: !!binary aGk=']) {
    assert.ok(read(text).faults.length > 0, text);
  }
});

test('more than one document, bad UTF-8, broken syntax, depth and size are refused without throwing', () => {
  const deep = `host: ${'['.repeat(200_000)}`;
  const inputs = [
    'port: 1\n---\nport: 2',
    Buffer.from([0x68, 0xff, 0xfe]),
    'port: [',
    'a:\n\t- b',
    deep,
    `#${'x'.repeat(1_048_577)}`,
  ];
  for (const input of inputs) assert.ok(read(input).faults.length > 0, String(input).slice(0, 40));
});

test('texts keep their type: a number, a truth value or nothing is not a text', () => {
  for (const value of ['127', 'true', '', '~', '1.5', '[a]', '{ a: b }', '"a\\nb"', '"a\\0b"']) {
    assert.equal(read(`host: ${value}`).faults[0]?.key, 'host', value);
  }
  assert.equal(read('policy: { denyPorts: [0x10] }').faults[0]?.key, 'policy.denyPorts');
  assert.equal(read('policy: { denyPorts: 502 }').faults[0]?.key, 'policy.denyPorts');
  assert.equal(read('policy:').faults[0]?.wrong, 'not a group of keys');
});
