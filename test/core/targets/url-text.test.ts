import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hostHeader, pinnedUrl, urlOfParts } from '../../../src/core/targets/url-text.ts';
import { policyUnderTest, refusedBy } from './policy-under-test.ts';

describe('the URL that a tool contacts', () => {
  it('has the pinned address in place of the name, and the name goes into the Host header', async () => {
    const { pin } = policyUnderTest({}, { 'web.lab.internal': ['10.77.0.10'] });
    const target = (
      await pin('url', urlOfParts({ scheme: 'http', host: 'WEB.lab.internal', port: 8081, path: '/x?id=1' }))
    ).one('target');
    assert.equal(pinnedUrl(target), 'http://10.77.0.10:8081/x?id=1');
    assert.equal(hostHeader(target), 'web.lab.internal:8081');
  });

  it('has IPv6 in brackets', async () => {
    const { pin } = policyUnderTest({ scope: { allow: ['fd00::/8'], deny: [] } });
    const target = (await pin('url', urlOfParts({ scheme: 'https', host: 'FD00::0:1' }))).one('target');
    assert.equal(pinnedUrl(target), 'https://[fd00::1]:443/');
    assert.equal(hostHeader(target), '[fd00::1]');
    assert.equal(target.canonical, 'https://[fd00::1]/');
  });

  it('is read again after the parts are put together, so that no part can move the host', async () => {
    const { pin } = policyUnderTest();
    for (const host of ['10.0.0.5@8.8.8.8', '8.8.8.8#.lab.internal', '10.0.0.5:80@8.8.8.8']) {
      await assert.rejects(pin('url', urlOfParts({ scheme: 'http', host, port: 80 })));
    }
    await refusedBy(pin('url', urlOfParts({ scheme: 'http', host: '8.8.8.8', path: '/@10.0.0.5' })), 'target.scope');
    await refusedBy(pin('url', urlOfParts({ scheme: 'http', host: '10.0.0.5', path: '@8.8.8.8/' })), 'target.spelling');
  });

  it('is only made for a URL target', async () => {
    const target = (await policyUnderTest().pin('host', '10.0.0.5')).one('target');
    assert.throws(() => pinnedUrl(target));
    assert.throws(() => hostHeader(target));
  });
});
