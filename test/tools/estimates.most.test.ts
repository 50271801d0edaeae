import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DIR, DNS, estimateOf, LOGIN, PAGE } from './estimated.ts';

describe('the most probes of an estimate', () => {
  const mostOf = async (...call: Parameters<typeof estimateOf>) => {
    const { probes, mostProbes = probes } = await estimateOf(...call);
    return mostProbes;
  };

  it('are for nmap every try of every port, and what it asks beside them while nobody answers', async () => {
    const scan = { targets: ['10.77.0.10'], ports: '1-100' };
    assert.equal(await mostOf('nmap', scan), Math.ceil((300 * 20) / 17));
    assert.equal(await mostOf('nmap', { ...scan, scan: 'syn' }, { raw: true }), Math.ceil((300 * 20) / 17) + 3);
    assert.equal(await mostOf('nmap', { targets: ['10.77.0.10'], scan: 'ping' }), 6);
    assert.equal(await mostOf('nmap', { targets: ['10.77.0.10'], scan: 'ping' }, { raw: true }), 12);
  });

  it('are for nmap with versions and scripts those of a host on which every port is open', async () => {
    const scan = { targets: ['10.77.0.10'], ports: '80,443' };
    const plain = await mostOf('nmap', scan);
    const versions = (await mostOf('nmap', { ...scan, version: 5 })) - plain;
    const script = (await mostOf('nmap', { ...scan, scripts: ['http-title'] })) - plain;
    assert.equal(versions % 2, 0, 'the same at each port');
    assert.ok(versions >= 2 * 2 * 14, 'each probe of the intensity, with TLS and without');
    assert.equal(script, 2 * 48);
    const both = await mostOf('nmap', { ...scan, version: 5, scripts: ['http-title', 'http-date'] });
    assert.equal(both, plain + versions + 2 * script);
  });

  it('are never more than the rate allows in the time of the call', async () => {
    const dear = { targets: ['10.77.0.10'], ports: '1-1000', version: 9, scripts: ['ssl-enum-ciphers'] };
    const { packetsPerSecond } = await estimateOf('nmap', dear);
    assert.equal(await mostOf('nmap', dear, { timeoutMs: 9500 }), packetsPerSecond * 11);
    assert.equal(await mostOf('sqlmap', PAGE, { timeoutMs: 9500 }), 5000);
  });

  it('are for a name server that always fails, for a web server that breaks connections, and for a question', async () => {
    assert.equal(await mostOf('gobuster', DNS, { lines: 50 }), (50 + 2) * 16);
    assert.equal(await mostOf('gobuster', DIR, { lines: 50 }), (50 + 2) * 2);
    assert.equal(await mostOf('dig', { name: 'web.lab.internal', server: '10.77.0.10' }), 4);
  });

  it('are those expected where nothing that a target says draws out more', async () => {
    assert.equal((await estimateOf('masscan', { cidrs: ['10.77.0.0/28'], ports: '80' })).mostProbes, undefined);
    assert.equal((await estimateOf('hydra', LOGIN)).mostProbes, undefined);
  });
});
