import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { PinnedTarget, PinnedTargets } from '../../../src/core/targets/types.ts';
import { type ArgvGrammar, guardArgv } from '../../../src/core/tool/argv-guard.ts';

const TARGET: PinnedTarget = {
  role: 'target',
  kind: 'url',
  given: 'http://web.lab.internal/x',
  canonical: 'http://web.lab.internal/x',
  name: 'web.lab.internal',
  address: '10.77.0.10',
  addresses: ['10.77.0.10', 'fd00::10'],
  family: 4,
  addressCount: 1n,
  port: 80,
  url: { scheme: 'http', host: 'web.lab.internal', port: 80, path: '/x' },
};
const NETWORK: PinnedTarget = {
  role: 'network',
  kind: 'network',
  given: '10.77.0.0/28',
  canonical: '10.77.0.0/28',
  address: '10.77.0.0',
  addresses: ['10.77.0.0'],
  family: 4,
  prefix: 28,
  addressCount: 16n,
};
const PINNED: PinnedTargets = {
  list: [TARGET, NETWORK],
  all: () => [TARGET],
  one: () => TARGET,
  size: { addresses: 17n, ports: 1, probes: 17n },
};
const GRAMMAR: ArgvGrammar = {
  options: {
    '-n': 'flag',
    '-p': 'ports',
    '-c': 'integer',
    '-d': 'domain',
    '-u': 'url',
    '-w': 'words',
    '-o': /^-$/,
    '-x': /abc/,
    '--level=': 'integer',
    '--name=': 'name',
  },
  attached: { '-T': /^[2-4]$/, '@': 'address' },
  operands: 'network',
  terminator: true,
};

const passes = (argv: readonly string[], grammar = GRAMMAR): void => guardArgv(grammar, argv, PINNED);
const refuses = (argv: readonly string[], grammar = GRAMMAR): void =>
  assert.throws(() => passes(argv, grammar), { code: 'ERR_INTERNAL' }, JSON.stringify(argv));

describe('guardArgv', () => {
  it('passes what the grammar and the pins allow', () => {
    passes([]);
    passes(['-n', '-p', '1-5,80', '-c', '7', '-T4', '@10.77.0.10', '-o', '-', '--level=3', '--name=a.b']);
    passes(['--', '10.77.0.10', '10.77.0.0/28', 'fd00::10']);
    passes(['-d', 'web.lab.internal', '-w', 'a,b-c.d', '-x', 'abc']);
    for (const url of ['http://10.77.0.10/x', 'http://10.77.0.10:80/y?z=1', 'http://[fd00::10]/']) passes(['-u', url]);
  });

  it('refuses options that the grammar does not have, in every spelling', () => {
    for (const token of ['-z', '--', '-nn', '-np', '-n=1', '--script=x', '--lev=3', '--level', '-N', '-', '-p80', '+n'])
      refuses(token === '--' ? ['--', '--'] : [token]);
  });

  it('refuses operands before the terminator, and everywhere when the grammar has none', () => {
    refuses(['10.77.0.10']);
    refuses(['-n', '10.77.0.10']);
    const { operands: _operands, terminator: _terminator, ...bare } = GRAMMAR;
    refuses(['10.77.0.10'], bare);
    refuses(['--', '10.77.0.10'], bare);
    passes(['10.77.0.10', '-n'], { ...bare, operands: 'address' });
  });

  it('refuses options after the terminator', () => {
    refuses(['--', '-n']);
    refuses(['--', '10.77.0.10', '--level=3']);
  });

  it('refuses a value that could be read as an option, and a missing or empty one', () => {
    for (const argv of [
      ['-p', '-n'],
      ['-c'],
      ['-c', ''],
      ['-w', '--x'],
      ['--name='],
      ['--name=-a'],
      ['', '-n'],
      ['--', ''],
    ])
      refuses(argv);
    refuses(['-x', '-abc'], { options: { '-x': /.*/ } });
  });

  it('refuses addresses, networks, names and URLs that were not pinned', () => {
    for (const argv of [
      ['@10.77.0.11'],
      ['--', '10.77.0.11'],
      ['--', '10.77.0.0/24'],
      ['--', '10.77.0.10/24'],
      ['-d', 'example.com'],
      ['-d', 'lab.internal'],
      ['-u', 'http://10.77.0.11/x'],
      ['-u', 'http://web.lab.internal/x'],
      ['-u', 'https://10.77.0.10/x'],
      ['-u', 'http://10.77.0.10:81/x'],
      ['-u', 'http://10.77.0.10@10.77.0.11/x'],
      ['-u', 'http://user@10.77.0.10/x'],
      ['-u', 'http://10.77.0.0/x'],
    ])
      refuses(argv);
  });

  it('wants the whole value in its shape, whatever the shape forgot', () => {
    refuses(['-x', 'abcd']);
    refuses(['-x', 'xabc']);
    refuses(['-T5']);
    refuses(['-T44']);
    refuses(['-T4 -n']);
    refuses(['-c', '7x']);
    refuses(['-c', '99999999999']);
    refuses(['-p', '80,']);
  });

  it('refuses control characters and values longer than the kernel takes', () => {
    for (const bad of ['a\nb', 'a\0b', 'a\u0085b', 'a\u007f']) refuses(['-w', bad], { options: { '-w': /^[^x]*$/s } });
    refuses(['-w', 'a'.repeat(140_000)], { options: { '-w': /^a+$/ } });
  });

  it('does not take inherited names for options', () => {
    refuses(['constructor']);
    refuses(['__proto__']);
    refuses(['toString', '1'], { options: {} });
  });

  it('wants the prefix exactly, one of several', () => {
    const grammar: ArgvGrammar = { prefix: [['dir', '-q'], ['dns']], options: { '-n': 'flag' } };
    passes(['dir', '-q', '-n'], grammar);
    passes(['dns', '-n'], grammar);
    for (const argv of [['-n'], ['dir', '-n'], ['vhost'], [], ['-n', 'dns']]) refuses(argv, grammar);
  });

  it('never passes a token from outside that begins with "-" and is no option', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 20 }), fc.integer({ min: 0, max: 3 }), (text, place) => {
        const token = `-${text}`;
        const known = [...Object.keys(GRAMMAR.options), '--', '-T2', '-T3', '-T4'];
        fc.pre(!known.some((option) => token === option || (option.endsWith('=') && token.startsWith(option))));
        const argv = ['-n', '-p', '80'];
        argv.splice(place, 0, token);
        refuses(argv);
      }),
    );
  });

  it('takes an endpoint only as the resolver that was pinned, port included', () => {
    const resolver: PinnedTarget = { ...NETWORK, kind: 'resolver', canonical: '10.77.0.10:53', port: 53 };
    const pinned: PinnedTargets = { ...PINNED, list: [resolver] };
    const grammar: ArgvGrammar = { options: { '-r=': 'endpoint' } };
    guardArgv(grammar, ['-r=10.77.0.10:53'], pinned);
    for (const value of ['10.77.0.10:54', '10.77.0.11:53', '10.77.0.10', 'dns.lab.internal:53']) {
      assert.throws(() => guardArgv(grammar, [`-r=${value}`], pinned), { code: 'ERR_INTERNAL' }, value);
    }
  });

  it('gives every place its own shape, and takes no operand beyond the last', () => {
    const grammar: ArgvGrammar = { options: {}, operands: ['address', 'name'] };
    passes(['10.77.0.10', 'ssh'], grammar);
    refuses(['ssh', '10.77.0.10'], grammar);
    refuses(['10.77.0.10', 'ssh', 'more'], grammar);
    refuses(['10.77.0.12', 'ssh'], grammar);
  });
});
