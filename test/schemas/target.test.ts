import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import {
  DomainSchema,
  HostOrNetworkSchema,
  HostSchema,
  NetworkSchema,
  PortSchema,
  PortsSchema,
  ResolverSchema,
  UrlPartsSchema,
} from '../../schemas/target.ts';

const ajv = new Ajv2020({ strict: true });
const TEXTS = { HostSchema, NetworkSchema, HostOrNetworkSchema, DomainSchema, ResolverSchema, PortsSchema };

describe('the target schemas', () => {
  for (const [name, schema] of Object.entries(TEXTS)) {
    it(`${name} takes no option, no white space, no control character and nothing endless`, () => {
      const validate = ajv.compile(schema);
      for (const good of ['10.0.0.5', '80', 'fd00::1', '1'].filter((text) => validate(text))) {
        for (const bad of [
          `-${good}`,
          ` ${good}`,
          `${good} `,
          `${good}\n`,
          `${good}\0`,
          `${good}\t`,
          `${good}\u00a0`,
          `${good}\u202e`,
          `${good}@`,
          `${good}\\`,
        ]) {
          assert.equal(validate(bad), false, JSON.stringify(bad));
        }
      }
      for (const bad of [
        '',
        '-',
        '--',
        '-oX',
        '@10.0.0.1',
        '+short',
        'a'.repeat(2000),
        '1'.repeat(2000),
        'a;b',
        'a|b',
        '$(a)',
        null,
        5,
      ]) {
        assert.equal(validate(bad), false, JSON.stringify(bad));
      }
    });
  }

  it('take what the policy takes', () => {
    const good: readonly (readonly [object, readonly unknown[]])[] = [
      [
        HostSchema,
        ['10.0.0.5', 'fd00::1', '::ffff:10.0.0.5', 'web.lab.internal', 'web.lab.internal.', '_x.lab.internal'],
      ],
      [NetworkSchema, ['10.0.0.0/8', '10.0.0.5', 'fd00::/64', '::1']],
      [HostOrNetworkSchema, ['10.0.0.0/8', 'web.lab.internal', 'fd00::/64']],
      [DomainSchema, ['lab.internal', '_ldap._tcp.lab.internal', '10.0.77.10.in-addr.arpa']],
      [ResolverSchema, ['10.0.0.1', '10.0.0.1:53', 'fd00::1', '[fd00::1]:53', '[fd00::1]']],
      [PortsSchema, ['80', '80,443,8000-8010', 'top100', 'top1000,9000', 'all']],
      [PortSchema, [1, 80, 65_535]],
      [
        UrlPartsSchema,
        [
          { scheme: 'http', host: '10.0.0.5' },
          { scheme: 'https', host: 'fd00::1', port: 8443, path: '/a?id=1&x=%20' },
        ],
      ],
    ];
    for (const [schema, values] of good) {
      const validate = ajv.compile(schema);
      for (const value of values) assert.equal(validate(value), true, JSON.stringify(value));
    }
  });

  it('refuse a URL whose parts would change its host, and unknown parts', () => {
    const validate = ajv.compile(UrlPartsSchema);
    const url = { scheme: 'http', host: '10.0.0.5', port: 80, path: '/' };
    for (const wrong of [
      { host: '10.0.0.5/x' },
      { host: 'a@b' },
      { host: '[::1]' },
      { port: 0 },
      { port: 65_536 },
      { port: '80' },
      { path: 'x' },
      { path: '/a b' },
      { path: '/\\x' },
      { path: '/#x' },
      { path: '' },
      { scheme: 'ftp' },
      { user: 'x' },
    ]) {
      assert.equal(validate({ ...url, ...wrong }), false, JSON.stringify(wrong));
    }
  });
});
