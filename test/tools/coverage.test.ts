/*
 * What runs claim to have looked at. "Gone" is said because of it, so that the attack is silence: a host that stalls
 * until it is given up, an output that breaks off, a server that refuses, must never read as "not there any more".
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isCovered } from '../../src/core/findings/coverage.ts';
import type { FindingDraft } from '../../src/core/findings/types.ts';
import { countPorts } from '../../src/core/targets/ports.ts';
import { type Concluded, concluded } from './drafts.ts';
import { type Fed, prepare, registeredTools, samplesOf } from './under-test.ts';

const TOOLS = new Map((await registeredTools()).map((tool) => [tool.definition.name, tool]));
const CUT: Fed['end'] = { ending: 'timed_out', exitCode: null };

interface Given {
  readonly sample?: string;
  readonly stdout?: string;
  readonly end?: Fed['end'];
  readonly raw?: boolean;
}

async function run(
  name: string,
  input: Record<string, unknown>,
  { sample, stdout, end, raw }: Given,
): Promise<Concluded> {
  const tool = TOOLS.get(name) ?? assert.fail();
  const found = (await samplesOf(name)).find((each) => each.name === sample);
  const call = await prepare(tool, input, {
    raw: raw ?? name === 'masscan',
    resolves: { 'web.lab.internal': '10.77.0.10' },
  });
  return concluded(tool, call, {
    stdout: [stdout === undefined ? (found?.stdout ?? Buffer.alloc(0)) : Buffer.from(stdout)],
    stderr: [found?.stderr ?? Buffer.alloc(0)],
    end: { files: found?.files ?? new Map(), ...end },
  });
}

/** What becomes of the first run's finding when the second run does not see it. */
const gone = (finding: FindingDraft | undefined, later: Concluded, earlier: Concluded): boolean =>
  isCovered(finding ?? assert.fail('not found'), later.coverage, earlier.coverage).covered;
const ofKind = ({ drafts }: Concluded, kind: string) => drafts.find((draft) => draft.kind === kind);

const port = (number: number, more = '') =>
  `<port protocol="tcp" portid="${number}"><state state="open" reason="syn-ack"/>${more}</port>`;
const HTTP = '<service name="http" product="nginx" version="1.24" conf="10"/><script id="http-title" output="Shop"/>';
const host = (address: string, inside: string, attributes = '') =>
  `<host${attributes}><status state="up" reason="user-set"/><address addr="${address}"/>${inside}</host>`;
const ports = (inside: string, closed: number) =>
  `<ports><extraports state="closed" count="${closed}"/>${inside}</ports>`;
const finished = (total: number) =>
  `<runstats><finished exit="success" elapsed="1"/><hosts up="${total}" down="0" total="${total}"/></runstats>`;

describe('the coverage of nmap', () => {
  const input = { targets: ['10.77.0.10', '10.77.0.11'], ports: '80,443', version: 5, scripts: ['http-title'] };
  const both = `<nmaprun>${host('10.77.0.10', ports(port(80, HTTP), 1))}${host('10.77.0.11', ports('', 2))}`;

  it('is everything that was asked for, as few blocks as there are', async () => {
    const { coverage } = await run('nmap', input, { stdout: `${both}${finished(2)}</nmaprun>` });
    const https = [
      { from: 80, to: 80 },
      { from: 443, to: 443 },
    ];
    const network = '10.77.0.10/31';
    assert.deepEqual(coverage, {
      areas: [
        { kinds: ['host'], method: 'answers at tcp 80,443', network },
        { kinds: ['port'], protocol: 'tcp', ports: https, network },
        { kinds: ['service'], protocol: 'tcp', ports: https, method: 'versions, intensity 5', network },
        { kinds: ['script', 'tls'], protocol: 'tcp', ports: https, method: 'scripts http-title, versions 5', network },
        { kinds: ['script'], ports: [], method: 'scripts http-title, versions 5', network },
      ],
      missing: [],
    });
  });

  it('has the ports that stand behind a name', async () => {
    const { coverage } = await run(
      'nmap',
      { targets: ['10.77.0.10'], ports: 'top1000' },
      {
        stdout: `<nmaprun>${host('10.77.0.10', ports(port(80), 999))}${finished(1)}</nmaprun>`,
      },
    );
    assert.equal(countPorts(coverage.areas.find(({ kinds }) => kinds[0] === 'port')?.ports ?? []), 1000);
  });

  it('lets a port go that was looked at again, and none that was not', async () => {
    const before = await run('nmap', input, { stdout: `${both}${finished(2)}</nmaprun>` });
    const http = ofKind(before, 'port');
    const closed = `<nmaprun>${host('10.77.0.10', ports('', 1))}${finished(1)}</nmaprun>`;
    const only = (asked: string) => run('nmap', { targets: ['10.77.0.10'], ports: asked }, { stdout: closed });
    assert.equal(gone(http, await only('80'), before), true);
    assert.equal(gone(http, await only('443'), before), false);
    assert.equal(gone(ofKind(before, 'service'), await only('80'), before), false, 'no versions were asked for');
    assert.equal(gone(ofKind(before, 'script'), await only('80'), before), false, 'no scripts were asked for');
    assert.equal(gone(ofKind(before, 'host'), await only('80'), before), false, 'it may answer at other ports');
    const unversioned = await run(
      'nmap',
      { ...input, targets: ['10.77.0.10'], version: 'off' },
      {
        stdout: `<nmaprun>${host('10.77.0.10', ports('', 2))}${finished(1)}</nmaprun>`,
      },
    );
    assert.equal(gone(ofKind(before, 'script'), unversioned, before), false, 'version detection has its own scripts');
    const again = await run('nmap', input, {
      stdout: `<nmaprun>${host('10.77.0.10', ports('', 2))}${host('10.77.0.11', ports('', 2))}${finished(2)}</nmaprun>`,
    });
    for (const kind of ['host', 'port', 'service', 'script'])
      assert.equal(gone(ofKind(before, kind), again, before), true, kind);
  });

  it('is the hosts that ended, of a scan that was cut short', async () => {
    const { coverage } = await run('nmap', input, { stdout: both.slice(0, both.lastIndexOf('<extraports')), end: CUT });
    assert.deepEqual([...new Set(coverage.areas.map(({ network }) => network))], ['10.77.0.10']);
    assert.deepEqual(coverage.missing, ['1 of 2 addresses were looked at to the end.']);
  });

  it('is nothing of a host that was given up, whatever nmap says of it', async () => {
    const late = host('10.77.0.10', ports(port(80), 1), ' timedout="true"');
    const { coverage } = await run(
      'nmap',
      { ...input, targets: ['10.77.0.10'] },
      {
        stdout: `<nmaprun>${late}${finished(1)}</nmaprun>`,
      },
    );
    assert.deepEqual(coverage.areas, []);
    assert.match(coverage.missing[0] ?? '', /Given up after 300 s: 10\.77\.0\.10/);
  });

  it('is every address of a ping scan, the silent ones too, by the way that it asked', async () => {
    const ping = { targets: ['10.77.0.0/28'], scan: 'ping' };
    const report = `<nmaprun><host><status state="up" reason="syn-ack"/><address addr="10.77.0.5"/></host><runstats><finished exit="success"/><hosts up="1" down="15" total="16"/></runstats></nmaprun>`;
    const silent = report.replace(/<host>.*<\/host>/, '').replace('up="1" down="15"', 'up="0" down="16"');
    const [up, down] = [await run('nmap', ping, { stdout: report }), await run('nmap', ping, { stdout: silent })];
    assert.equal(gone(ofKind(up, 'host'), down, up), true);
    assert.equal(gone(ofKind(up, 'host'), await run('nmap', ping, { stdout: silent, raw: true }), up), false);
    assert.equal(gone(ofKind(up, 'host'), await run('nmap', ping, { stdout: '<nmaprun>', end: CUT }), up), false);
  });

  it('stays small for an output of scattered hosts', async () => {
    const every = Array.from({ length: 512 }, (_, index) =>
      host(`10.77.${index >> 7}.${(index % 128) * 2}`, ports('', 1000)),
    );
    const targets = ['10.77.0.0/24', '10.77.1.0/24', '10.77.2.0/24', '10.77.3.0/24'];
    const { coverage } = await run(
      'nmap',
      { targets, ports: 'top1000', version: 1 },
      {
        stdout: `<nmaprun>${every.join('')}`,
        end: CUT,
      },
    );
    assert.ok(JSON.stringify(coverage).length < 4_000_000);
    assert.match(coverage.missing.join(' '), /512 of 1024 .* More addresses were looked at/);
  });
});

describe('the coverage of the other tools', () => {
  it('masscan lets go only what masscan found, and nothing when it was cut short', async () => {
    const input = { cidrs: ['10.98.0.10/31'], ports: '8080-8081' };
    const found = await run('masscan', input, { sample: 'found' });
    const nothing = await run('masscan', input, { sample: 'nothing' });
    assert.equal(gone(found.drafts[0], nothing, found), true);
    assert.match(nothing.coverage.missing.join(), /lost/);
    const nmap = await run(
      'nmap',
      { targets: ['10.98.0.11'], ports: '8080-8081' },
      {
        stdout: `<nmaprun>${host('10.98.0.11', ports(port(8080), 1))}${finished(1)}</nmaprun>`,
      },
    );
    assert.equal(gone(ofKind(nmap, 'port'), nothing, nmap), false);
    assert.deepEqual((await run('masscan', input, { sample: 'nothing', end: CUT })).coverage.areas, []);
  });

  it('gobuster lets go only what the same words would have found', async () => {
    const input = { mode: 'dir', url: { scheme: 'http', host: 'web.lab.internal' }, wordlist: 'dirb/small.txt' };
    const empty = '===\n2026/11/22 13:42:04 Finished\n===\n';
    const before = await run('gobuster', input, { sample: 'dir' });
    const later = (more: object) => run('gobuster', { ...input, ...more }, { stdout: empty });
    const [path] = before.drafts;
    assert.equal(gone(path, await later({}), before), true);
    for (const more of [
      { wordlist: 'dirb/big.txt' },
      { extensions: ['php'] },
      { statusCodes: [200] },
      { url: { scheme: 'http', host: 'web.lab.internal', port: 8081 } },
    ]) {
      assert.equal(gone(path, await later(more), before), false, JSON.stringify(more));
    }
    assert.deepEqual((await run('gobuster', input, { sample: 'lost' })).coverage.areas, []);
  });

  it('dig lets a record go when the same server says that it is not there, never when it refuses', async () => {
    const ask = { name: 'web.lab.internal', type: 'A', server: '10.77.0.10' };
    const before = await run('dig', ask, { sample: 'address' });
    const record = ofKind(before, 'dns_record');
    assert.equal(gone(record, await run('dig', ask, { sample: 'nxdomain' }), before), true);
    assert.equal(
      gone(record, await run('dig', { ...ask, server: '10.77.0.11' }, { sample: 'nxdomain' }), before),
      false,
    );
    assert.equal(gone(record, await run('dig', { ...ask, type: 'AAAA' }, { sample: 'nxdomain' }), before), false);
    const refused = await run('dig', ask, { sample: 'refused' });
    assert.equal(gone(record, refused, before), false);
    assert.match(refused.coverage.missing.join(), /refused/);
    const referral = `- type: MESSAGE\n  message:\n    response_message_data:\n      status: NOERROR\n      flags: qr\n      AUTHORITY_SECTION:\n        - 'lab.internal. 60 IN NS ns.other.internal.'\n`;
    assert.deepEqual((await run('dig', ask, { stdout: referral })).coverage.areas, []);
  });

  it('dig lets a zone transfer go that is refused now, and no record with it', async () => {
    const ask = { name: 'lab.internal', type: 'AXFR', server: '10.77.0.10' };
    const before = await run('dig', ask, { sample: 'transfer' });
    const refused = await run('dig', ask, { sample: 'refused' });
    assert.equal(gone(ofKind(before, 'note'), refused, before), true);
    assert.equal(gone(ofKind(before, 'dns_record'), refused, before), false);
  });

  it('hydra says which guesses it made without telling them, and stops covering where it stopped', async () => {
    const page = { host: '10.77.0.10', service: 'http-get', path: '/private/', port: 18_899, users: ['root', 'admin'] };
    const input = { ...page, passwords: ['sun shine', 'x'] };
    const found = await run('hydra', input, { sample: 'found' });
    const none = await run('hydra', { ...input, passwords: ['x', 'sun shine'] }, { sample: 'none' });
    assert.equal(gone(found.drafts[0], none, found), true);
    const other = await run('hydra', { ...input, passwords: ['x'] }, { sample: 'none' });
    assert.equal(gone(found.drafts[0], other, found), false);
    assert.doesNotMatch(JSON.stringify([found.coverage, none.coverage, other.coverage]), /sun shine|"x"/);
    const first = await run('hydra', { ...input, stopOnFirst: true }, { sample: 'found' });
    assert.deepEqual(
      first.coverage.areas.map(({ kinds }) => kinds),
      [['note']],
    );
    assert.match(first.coverage.missing.join(), /stopped at the first/);
    for (const sample of ['silent', 'unclear', 'limited', 'unreachable']) {
      assert.deepEqual((await run('hydra', input, { sample })).coverage.areas, [], sample);
    }
  });

  it('sqlmap lets an injection go only when the same test was done to its end', async () => {
    const url = { scheme: 'http', host: '10.77.0.10', port: 8081, path: '/item.php?id=1' };
    const input = { url, param: 'id' };
    const before = await run('sqlmap', input, { sample: 'tables' });
    const injection = ofKind(before, 'injection');
    assert.equal(gone(injection, await run('sqlmap', input, { sample: 'negative' }), before), true);
    assert.equal(
      gone(injection, await run('sqlmap', { ...input, technique: 'T' }, { sample: 'negative' }), before),
      false,
    );
    assert.equal(gone(ofKind(before, 'note'), await run('sqlmap', input, { sample: 'negative' }), before), false);
    for (const sample of ['lost', 'filtered', 'forbidden', 'missing', 'unreachable']) {
      assert.deepEqual((await run('sqlmap', input, { sample })).coverage.areas, [], sample);
    }
  });
});
