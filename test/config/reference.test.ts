import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeConfig, environmentExample } from '../../src/config.ts';
import { generatedFiles } from '../config-reference.ts';

for (const { name, expected, found } of generatedFiles()) {
  test(`${name} says what the code does (else: node test/config-reference.ts --write)`, () => {
    assert.equal(found, expected);
  });
}

test('every key has a description, a default, a range with its unit, and says when it applies', () => {
  for (const row of describeConfig(['nmap'])) {
    assert.ok(row.description.length > 5 && row.description.endsWith('.'), row.path);
    if (row.type === 'integer') assert.ok(row.range !== '' && row.unit !== '', row.path);
    assert.match(row.variable, /^SALLYPORT_[A-Z0-9_]+$/);
  }
});

test('the fixed names are what they are', () => {
  const rows = describeConfig([]);
  for (const [variable, byDefault] of [
    ['SALLYPORT_HOST', '127.0.0.1'],
    ['SALLYPORT_PORT', '8080'],
    ['SALLYPORT_DATA_DIR', './data'],
  ] as const) {
    assert.equal(rows.find((row) => row.variable === variable)?.default, byDefault);
  }
  assert.match(environmentExample(), /^#SALLYPORT_CONFIG=$/m);
});
