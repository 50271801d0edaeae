import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { expandOwnEndpoints } from '../../../src/core/targets/own-endpoints.ts';
import { DEFAULT_ALLOW, policyUnderTest, refusedBy } from './policy-under-test.ts';

const LAB = { allowLoopback: true, scope: { allow: [...DEFAULT_ALLOW, '127.0.0.0/8', '::1/128'], deny: [] } };
const port = (from: number, to = from) => [{ from, to }];

describe('an own address', () => {
  it('is denied wholly, whatever the port, in every form and inside every network', async () => {
    const { pin } = policyUnderTest(
      { ownAddresses: ['10.0.0.7:6379'] },
      { 'me.lab.internal': ['10.0.0.7'], 'both.lab.internal': ['10.0.0.6', '10.0.0.7'] },
    );
    for (const value of [
      '10.0.0.7',
      '::ffff:10.0.0.7',
      '64:ff9b::a00:7',
      '2002:a00:7::1',
      'me.lab.internal',
      'both.lab.internal',
    ]) {
      await refusedBy(pin('host', value, port(80)), 'target.own-address');
    }
    await refusedBy(pin('network', '10.0.0.0/29'), 'target.own-address');
    await refusedBy(pin('url', 'http://10.0.0.7/'), 'target.own-address');
    await refusedBy(pin('resolver', '10.0.0.7'), 'target.own-address');
    assert.equal((await pin('network', '10.0.0.8/29')).list.length, 1);
    assert.equal((await pin('domain', '7.0.0.10.in-addr.arpa')).list.length, 1);
  });

  it('is asked for at every check, because the port is only known after the start', async () => {
    const own: { address: string; port: number }[] = [];
    const { pin } = policyUnderTest({ ownEndpoints: () => own });
    await pin('host', '10.0.0.9');
    own.push({ address: '10.0.0.9', port: 8080 });
    await refusedBy(pin('host', '10.0.0.9'), 'target.own-address');
  });

  it('on loopback of a lab denies its port on every loopback address, and everything when the ports are unknown', async () => {
    const { pin } = policyUnderTest({ ...LAB, ownEndpoints: () => [{ address: '127.0.0.1', port: 8080 }] });
    for (const value of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) {
      await refusedBy(pin('host', value, port(8080)), 'target.own-address');
      await refusedBy(pin('host', value, port(1, 65_535)), 'target.own-address');
      await refusedBy(pin('host', value), 'target.own-address');
      assert.equal((await pin('host', value, port(8081))).list.length, 1);
    }
    await refusedBy(pin('url', 'http://127.0.0.1:8080/'), 'target.own-address');
    await refusedBy(pin('network', '127.0.0.0/30', port(8000, 9000)), 'target.own-address');
    assert.equal((await pin('host', '10.0.0.1')).list.length, 1);
  });

  it('that cannot be read refuses everything instead of nothing', async () => {
    for (const address of ['0.0.0.0', '::', 'redis', '', '::ffff:0.0.0.0']) {
      const { pin } = policyUnderTest({ ownEndpoints: () => [{ address, port: 1 }] });
      await assert.rejects(pin('host', '10.0.0.1'), { code: 'ERR_INTERNAL' });
    }
    assert.throws(() => policyUnderTest({ ownAddresses: ['0.0.0.0:8080'] }), { code: 'ERR_CONFIG_INVALID' });
  });

  it('of a listener on all addresses is expanded to those of the interfaces', () => {
    assert.deepEqual(
      expandOwnEndpoints(
        [
          { address: '0.0.0.0', port: 80 },
          { address: '10.0.0.1', port: 9 },
        ],
        ['10.0.0.2'],
      ),
      [
        { address: '127.0.0.1', port: 80 },
        { address: '::1', port: 80 },
        { address: '10.0.0.2', port: 80 },
        { address: '10.0.0.1', port: 9 },
      ],
    );
  });
});

describe('loopback', () => {
  it('needs the switch and the scope together', async () => {
    await refusedBy(policyUnderTest({ ...LAB, allowLoopback: false }).pin('host', '127.0.0.1'), 'target.loopback');
    await refusedBy(policyUnderTest({ allowLoopback: true }).pin('host', '127.0.0.1'), 'target.scope');
    await refusedBy(
      policyUnderTest({ allowLoopback: true }, { 'l.lab.internal': ['127.0.0.1'] }).pin('host', 'l.lab.internal'),
      'target.scope',
    );
    assert.equal((await policyUnderTest(LAB).pin('host', '127.0.0.1')).one('target').address, '127.0.0.1');
    assert.equal((await policyUnderTest(LAB).pin('host', '::1')).one('target').address, '::1');
  });

  it('inside a tunnel form stays denied in a lab', async () => {
    for (const value of ['64:ff9b::127.0.0.1', '2002:7f00:1::', '::127.0.0.1']) {
      await refusedBy(policyUnderTest(LAB).pin('host', value), 'target.always-denied');
    }
  });
});
