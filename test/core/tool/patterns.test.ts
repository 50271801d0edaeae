import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isSelected, unusedPatterns } from '../../../src/core/tool/patterns.ts';

describe('isSelected', () => {
  const rows: readonly (readonly [string, readonly string[], readonly string[], boolean])[] = [
    ['nmap', ['*'], [], true],
    ['nmap', [], [], false],
    ['nmap', ['nmap'], [], true],
    ['nmap', ['nma'], [], false],
    ['nmap', ['n*'], [], true],
    ['nmap', ['*map', 'x'], [], true],
    ['nmap', ['n*p'], [], true],
    ['nmap', ['n*a*p'], [], true],
    ['nmap', ['*a*a*'], [], false],
    ['nmap', ['nmap*nmap'], [], false],
    ['nmap', ['*'], ['nmap'], false],
    ['nmap', ['nmap'], ['*map'], false],
    ['nmap', ['*'], ['masscan'], true],
    ['nmap', ['n.*'], [], false],
    ['nmap', ['n???'], [], false],
    ['nmap', ['[a-z]*'], [], false],
    ['nmap', [''], [], false],
    ['aa', ['a*a'], [], true],
    ['a', ['a*a'], [], false],
  ];
  for (const [name, include, exclude, expected] of rows) {
    it(`${expected ? 'takes' : 'leaves'} ${name} with include [${include.join()}] and exclude [${exclude.join()}]`, () => {
      assert.equal(isSelected(name, { include, exclude }), expected);
    });
  }

  it('does not take long over many stars', () => {
    assert.equal(isSelected('a'.repeat(200), { include: [`${'*a'.repeat(100)}*b`], exclude: [] }), false);
  });

  it('names the patterns that match nothing', () => {
    assert.deepEqual(unusedPatterns({ include: ['*'], exclude: ['hydar', 'sql*'] }, ['hydra', 'sqlmap']), ['hydar']);
  });
});
