import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cidr } from '../../../src/core/targets/address.ts';
import { createScope, parseScope } from '../../../src/core/targets/scope.ts';

describe('a wildcard', () => {
  const scope = createScope(['*.lab.internal', 'exact.test', '*.bücher.test'], ['*.hr.lab.internal']);

  it('covers any number of labels, on label borders only', () => {
    for (const name of [
      'web.lab.internal',
      'a.b.c.d.lab.internal',
      'xn--bcher-kva.lab.internal',
      'a.xn--bcher-kva.test',
      'exact.test',
    ]) {
      assert.equal(scope.allowsName(name, 'host'), true, name);
    }
    for (const name of [
      'badlab.internal',
      'lab.internal.evil',
      'internal',
      'sub.exact.test',
      'xexact.test',
      'lab-internal',
      '',
    ]) {
      assert.equal(scope.allowsName(name, 'host'), false, name);
      assert.equal(scope.allowsName(name, 'domain'), false, name);
    }
  });

  it('covers its own zone as a domain to enumerate, but not as a host', () => {
    assert.equal(scope.allowsName('lab.internal', 'host'), false);
    assert.equal(scope.allowsName('lab.internal', 'domain'), true);
    assert.equal(scope.deniesName('hr.lab.internal', 'host'), undefined);
    assert.equal(scope.deniesName('hr.lab.internal', 'domain'), '*.hr.lab.internal');
  });
});

describe('everything below a name', () => {
  const scope = createScope(
    ['*.lab.internal', 'exact.test', '10.0.0.0/8'],
    ['secret.lab.internal', '*.x.dev.lab.internal'],
  );

  it('is denied when a denied name, or a wildcard of one, lies below it', () => {
    assert.equal(scope.deniesBelow('lab.internal'), 'secret.lab.internal');
    assert.equal(scope.deniesBelow('dev.lab.internal'), '*.x.dev.lab.internal');
    for (const name of [
      'web.lab.internal',
      'b.internal',
      'secret.lab.internal',
      'x.dev.lab.internal',
      'ev.lab.internal',
    ]) {
      assert.equal(scope.deniesBelow(name), undefined, name);
    }
  });

  it('is allowed by a wildcard over it only', () => {
    for (const name of ['lab.internal', 'web.lab.internal', 'a.b.lab.internal'])
      assert.ok(scope.allowsBelow(name), name);
    for (const name of ['exact.test', 'internal', 'badlab.internal'])
      assert.equal(scope.allowsBelow(name), false, name);
  });
});

describe('allowed networks', () => {
  it('hold a network together that none of them holds alone', () => {
    const scope = createScope(['10.0.0.0/9', '10.128.0.0/10', '10.192.0.0/10', '192.168.0.0/25'], []);
    assert.equal(scope.allowsBlock(cidr('10.0.0.0/8')), true);
    assert.equal(scope.allowsBlock(cidr('192.168.0.0/24')), false);
    assert.equal(scope.allowsBlock(cidr('10.0.0.0/7')), false);
  });

  it('do not mix families: the bits of fd00:: are not those of an IPv4 address', () => {
    const scope = createScope(['10.0.0.0/8'], ['192.168.0.0/16']);
    assert.equal(scope.allowsBlock({ family: 6, bits: 0x0a000001n, prefix: 128 }), false);
    assert.equal(scope.deniesBlock({ family: 6, bits: 0xc0a80001n, prefix: 128 }), undefined);
  });
});

describe('the lists of a scope', () => {
  const bad = [
    '0.0.0.0/0',
    '::/0',
    '0.0.0.0/1',
    '10.0.0.0/7',
    '2000::/3',
    '10.0.0.1/8',
    'fd00::1/64',
    '10.0.0.0/08',
    '10.0.0.0/255.0.0.0',
    '10.1',
    '0x0a.0.0.0/8',
    '169.254.0.0/16',
    '169.254.169.254',
    '224.0.0.0/4',
    'fe80::/10',
    '192.0.2.0/24',
    'fd00:ec2::254',
    '::ffff:10.0.0.0/104',
    '*',
    '*.',
    '*.*.test',
    'a.*.test',
    'web*.test',
    '',
    ' ',
    '-x',
    'a b',
    'http://x/',
    '10.0.0.1-5',
    '.lab.internal',
    'ｌab.internal',
    '10.0.0.0/8 ',
  ];

  it('report every bad entry with its place, and none that is good', () => {
    const faults = parseScope(
      ['10.0.0.0/8', ...bad, '*.lab.internal', 'fc00::/7', '100.64.0.0/10', '127.0.0.0/8', '8.8.8.8', '2001:4860::/32'],
      [],
    );
    assert.equal(faults.length, bad.length, faults.join('\n'));
    bad.forEach((_, index) => assert.ok(faults[index]?.startsWith(`scope.allow[${index + 1}] `)));
  });

  it('may deny more than they may allow', () => {
    assert.deepEqual(parseScope([], ['0.0.0.0/0', '::/0', '169.254.0.0/16', '*.lab.internal']), []);
    assert.equal(parseScope([], ['10.0.0.1/8', '*', '010.0.0.0/8']).length, 3);
  });

  it('with a fault make no scope', () => {
    assert.throws(() => createScope(['10.0.0.0/8', '*'], []), { code: 'ERR_CONFIG_INVALID' });
  });
});
