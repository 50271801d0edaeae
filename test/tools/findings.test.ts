/*
 * The findings of recorded runs. Attacks on them: a target that words a title like a verdict (severity by text), one
 * that opens every door so that each guess is a "credential", a password that reaches a draft or can be guessed from
 * the coverage, and an output that breaks off and claims by its silence that things are gone.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fingerprintOf } from '../../src/core/findings/fingerprint.ts';
import type { FindingDraft } from '../../src/core/findings/types.ts';
import { ratingOfScript } from '../../src/tools/nmap/severity.ts';
import { concluded, lineOf } from './drafts.ts';
import { type Fed, prepare, registeredTools, samplesOf } from './under-test.ts';

const TOOLS = new Map((await registeredTools()).map((tool) => [tool.definition.name, tool]));
const RESOLVES = { 'web.lab.internal': '10.77.0.10' };

/** What a call makes of a recorded output in which another address stood. */
async function of(recorded: `${string}/${string}`, input: Record<string, unknown>, more: Partial<Fed> = {}) {
  const [name = '', sample] = recorded.split('/');
  const tool = TOOLS.get(name) ?? assert.fail();
  const found = (await samplesOf(name)).find((each) => each.name === sample) ?? assert.fail();
  const call = await prepare(tool, input, { raw: name === 'masscan', resolves: RESOLVES });
  const moved = (bytes: Buffer) =>
    Buffer.from(bytes.toString('latin1').replaceAll(/127\.0\.0\.1|10\.98\.0\.11/g, '10.77.0.10'), 'latin1');
  const { end, ...streams } = more;
  return concluded(tool, call, {
    stdout: [moved(found.stdout)],
    stderr: [found.stderr],
    ...streams,
    end: { files: found.files, ...end },
  });
}

const rated = ({ severity, confidence }: FindingDraft) => `${severity} ${confidence}`;
const byLine = (drafts: readonly FindingDraft[]) => new Map(drafts.map((draft) => [lineOf(draft), draft]));

describe('the findings of nmap', () => {
  const input = { targets: ['web.lab.internal'], ports: '9999,18080', version: 5, scripts: ['http-title'] };

  it('are host, open ports, identified services and scripts, by the name that was asked for', async () => {
    const { drafts, live } = await of('nmap/services', input);
    assert.deepEqual(drafts.map(lineOf), [
      'host 10.77.0.10',
      'port 10.77.0.10 18080/tcp',
      'service 10.77.0.10 18080/tcp',
      'script 10.77.0.10 18080/tcp http-title',
      'script 10.77.0.10 18080/tcp http-headers',
    ]);
    assert.ok(drafts.every(({ target }) => target === 'web.lab.internal'));
    assert.deepEqual(drafts[2]?.attributes, {
      name: 'http',
      product: 'SimpleHTTPServer',
      version: '0.6',
      extraInfo: 'Python 3.11.7',
      tunnel: '',
    });
    assert.deepEqual(live, drafts);
  });

  it('are about the same thing whether a host was asked for by name or by address', async () => {
    const byName = await of('nmap/services', input);
    const byAddress = await of('nmap/services', { ...input, targets: ['10.77.0.10'] });
    assert.deepEqual(byName.drafts.map(fingerprintOf), byAddress.drafts.map(fingerprintOf));
    assert.deepEqual(
      byName.drafts.map(({ target: _target, ...rest }) => rest),
      byAddress.drafts.map(({ target: _target, ...rest }) => rest),
    );
  });

  it('hold no clock of the target where a change would show', async () => {
    const { drafts } = await of('nmap/services', input);
    const headers = byLine(drafts).get('script 10.77.0.10 18080/tcp http-headers');
    assert.match(headers?.evidence ?? '', /Date: /);
    assert.doesNotMatch(JSON.stringify([headers?.title, headers?.attributes]), /Date|GMT/);
  });

  it('do not call a host up because nmap was told not to ask', async () => {
    const silent = '<nmaprun><host><status state="up" reason="user-set"/><address addr="10.77.0.10"/></host></nmaprun>';
    const { drafts } = await of('nmap/services', input, { stdout: [Buffer.from(silent)] });
    assert.deepEqual(drafts, []);
  });

  it('rate a verdict only from a script that gives one', () => {
    const output = '\n  VULNERABLE:\n  Heartbleed\n    State: VULNERABLE\n    Risk factor: High';
    assert.equal(ratingOfScript({ id: 'ssl-heartbleed', output }).severity, 'high');
    assert.equal(
      ratingOfScript({ id: 'ssl-heartbleed', output: output.replace('State: V', 'State: NOT V') }).severity,
      'info',
    );
    assert.deepEqual(
      ratingOfScript({ id: 'ssl-poodle', output: '    State: LIKELY VULNERABLE' }).confidence,
      'tentative',
    );
    for (const id of ['http-title', 'banner', 'http-headers', 'toString']) {
      assert.deepEqual(ratingOfScript({ id, output }).severity, 'info', id);
    }
  });

  it('keep hostile banners as data', async () => {
    const { drafts, shown } = await of('nmap/hostile-banners', { targets: ['10.77.0.10'] });
    assert.ok(drafts.some(({ kind }) => kind === 'service' || kind === 'script'));
    assert.ok(drafts.every(({ severity }) => severity === 'info' || severity === 'low'));
    assert.doesNotMatch(shown, /\\u001b/);
  });

  it('rate logins in clear text, outside of TLS and only when they answered as that', async () => {
    const port = (number: number, service: string) =>
      `<port protocol="tcp" portid="${number}"><state state="open" reason="syn-ack"/><service ${service}/></port>`;
    const report = `<nmaprun><host><address addr="10.77.0.10"/><ports>${port(21, 'name="ftp" conf="10"')}${port(990, 'name="ftp" tunnel="ssl" conf="10"')}${port(23, 'name="telnet" conf="3"')}</ports></host></nmaprun>`;
    const { drafts } = await of('nmap/services', input, { stdout: [Buffer.from(report)] });
    const lines = drafts.filter(({ kind }) => kind === 'service').map((draft) => `${lineOf(draft)} ${rated(draft)}`);
    assert.deepEqual(lines, ['service 10.77.0.10 21/tcp low firm', 'service 10.77.0.10 990/tcp info firm']);
  });
});

describe('the findings of masscan', () => {
  it('are ports, the same facts that nmap finds', async () => {
    const { drafts, live } = await of('masscan/found', { cidrs: ['10.77.0.10', '10.98.0.10'], ports: '8080-8081' });
    assert.equal(drafts.length, 4);
    assert.deepEqual(new Set(live.map(fingerprintOf)), new Set(drafts.map(fingerprintOf)));
    const report = `<nmaprun><host><address addr="10.77.0.10"/><ports><port protocol="tcp" portid="8080"><state state="open" reason="syn-ack"/></port></ports></host></nmaprun>`;
    const nmap = await of('nmap/services', { targets: ['10.77.0.10'] }, { stdout: [Buffer.from(report)] });
    const [mine, other] = [drafts, nmap.drafts].map((all) => byLine(all).get('port 10.77.0.10 8080/tcp'));
    const { evidence: _mine, ...fact } = mine ?? assert.fail();
    const { evidence: _other, ...same } = other ?? assert.fail();
    assert.deepEqual(fact, same);
  });
});

describe('the findings of gobuster', () => {
  const url = { scheme: 'http', host: '10.77.0.10', port: 8081, path: '/app/' };
  const input = { mode: 'dir', url, wordlist: 'dirb/small.txt' };

  it('are paths below the URL, and what should be nobody’s is rated', async () => {
    const { drafts, live } = await of('gobuster/dir', input);
    assert.deepEqual(live, drafts);
    const found = byLine(drafts);
    assert.deepEqual(found.get('path 10.77.0.10 8081/tcp /app/moved')?.attributes, {
      status: 302,
      redirect: 'http://10.0.0.1/evil',
    });
    assert.equal(rated(found.get('path 10.77.0.10 8081/tcp /app/.env') ?? assert.fail()), 'medium tentative');
    assert.equal(rated(found.get('path 10.77.0.10 8081/tcp /app/private') ?? assert.fail()), 'info firm');
    assert.equal(new Set(drafts.map(({ target }) => target)).size, 1);
  });

  it('of two sites at one address are different facts', async () => {
    const byName = await of('gobuster/dir', { ...input, url: { ...url, host: 'web.lab.internal' } });
    const byAddress = await of('gobuster/dir', input);
    assert.ok(byName.drafts.every(({ address }) => address === undefined));
    const prints = new Set(byAddress.drafts.map(fingerprintOf));
    assert.ok(byName.drafts.every((draft) => !prints.has(fingerprintOf(draft))));
  });

  it('are records of a zone, as dig states them', async () => {
    const zone = { mode: 'dns', domain: 'lab.internal', resolver: '10.77.0.10', wordlist: 'nmap/vhosts-full.lst' };
    const { drafts, live } = await of('gobuster/dns', zone);
    assert.deepEqual(live, drafts);
    const found = byLine(drafts);
    assert.deepEqual(found.get('dns_record lab.internal db.lab.internal A')?.attributes, {
      name: 'db.lab.internal',
      type: 'A',
      values: ['10.77.0.11'],
    });
    assert.deepEqual(found.get('dns_record lab.internal db.lab.internal AAAA')?.attributes?.['values'], ['fd00::11']);
  });
});

describe('the findings of dig', () => {
  const ask = (type: string, name = 'web.lab.internal') => ({ name, type, server: '10.77.0.10' });

  it('are one for each name and type, whatever the order of the records', async () => {
    const { drafts, live } = await of('dig/address', ask('A'));
    assert.deepEqual(live, drafts);
    assert.ok(drafts.length > 0 && drafts.every(({ kind }) => kind === 'dns_record'));
    const two = (a: string, b: string) =>
      `- type: MESSAGE\n  message:\n    response_message_data:\n      status: NOERROR\n      ANSWER_SECTION:\n        - 'Web.lab.internal. 60 IN A ${a}'\n        - 'web.lab.internal. 59 IN A ${b}'\n`;
    const [here, there] = await Promise.all(
      [two('10.0.0.1', '10.0.0.2'), two('10.0.0.2', '10.0.0.1')].map((text) =>
        of('dig/address', ask('A'), { stdout: [Buffer.from(text)] }),
      ),
    );
    assert.deepEqual(here?.drafts[0]?.attributes, there?.drafts[0]?.attributes);
    assert.deepEqual([here?.drafts.length, here?.drafts[0]?.key], [1, 'web.lab.internal A']);
  });

  it('name a zone that is given away, and what was answered without records', async () => {
    const { drafts } = await of('dig/transfer', ask('AXFR', 'lab.internal'));
    const transfer = drafts.find(({ kind }) => kind === 'note') ?? assert.fail();
    assert.equal(lineOf(transfer), 'note 10.77.0.10 53/tcp transfer lab.internal');
    assert.equal(rated(transfer), 'medium confirmed');
    const none = await of('dig/nxdomain', ask('A', 'nope.lab.internal'));
    assert.deepEqual(
      none.drafts.map(({ kind, title }) => `${kind} ${title}`),
      ['note The name does not exist'],
    );
  });
});

describe('the findings of hydra', () => {
  const page = { host: '10.77.0.10', service: 'http-get', path: '/private/', port: 18_899 };
  const guesses = { users: ['root', 'admin'], passwords: ['sun shine', 'x'] };

  it('are logins with a reference in place of the password, told at once', async () => {
    const { drafts, live, kept, shown } = await of('hydra/found', { ...page, ...guesses });
    assert.deepEqual(drafts.map(lineOf), ['credential 10.77.0.10 18899/tcp http-get /private/ admin']);
    assert.deepEqual(live, drafts);
    assert.deepEqual(kept, ['sun shine']);
    assert.doesNotMatch(shown, /sun shine/);
    assert.match(drafts[0]?.references?.[0] ?? '', /^secret/);
    assert.equal(rated(drafts[0] ?? assert.fail()), 'high confirmed');
  });

  it('are no logins where every password is let in, not even while it runs', async () => {
    const { drafts, live, kept } = await of('hydra/open', { ...page, ...guesses });
    assert.deepEqual(
      drafts.map(({ kind, severity }) => `${kind} ${severity}`),
      ['note info'],
    );
    assert.deepEqual([live, kept], [[], []]);
  });

  it('rate a superuser’s shell above the rest, and a service without passwords too', async () => {
    const out = (login: string) =>
      new Map([
        [
          'out.json',
          Buffer.from(`{"port": 22, "service": "ssh", "host": "h", "login": "${login}", "password": "q1w2"}\n`),
        ],
      ]);
    const ssh = { host: '10.77.0.10', service: 'ssh', ...guesses };
    const severityOf = async (login: string) =>
      (await of('hydra/none', ssh, { end: { files: out(login) } })).drafts.map(({ severity }) => severity);
    assert.deepEqual([await severityOf('root'), await severityOf('labuser')], [['critical'], ['high']]);
    const redis = await of('hydra/no-password', { host: '10.77.0.10', service: 'redis', passwords: ['x'] });
    assert.deepEqual(redis.drafts.map(rated), ['high confirmed']);
  });
});

describe('the findings of sqlmap', () => {
  const input = {
    url: { scheme: 'http', host: '10.77.0.10', port: 8081, path: '/item.php?id=1' },
    param: 'id',
    action: 'tables',
  };

  it('are the injection and what was read through it', async () => {
    const { drafts, live } = await of('sqlmap/tables', input);
    assert.deepEqual(drafts.map(lineOf), [
      'injection 10.77.0.10 8081/tcp GET id',
      'note 10.77.0.10 8081/tcp dbms',
      'note 10.77.0.10 8081/tcp technology',
      'note 10.77.0.10 8081/tcp table <current>.items',
      'note 10.77.0.10 8081/tcp table <current>.users',
    ]);
    assert.deepEqual(drafts[0]?.references, ['CWE-89']);
    assert.equal(rated(drafts[0]), 'high confirmed');
    assert.deepEqual(
      live.map((draft) => `${fingerprintOf(draft)} ${draft.confidence}`),
      [`${fingerprintOf(drafts[0])} tentative`],
    );
  });

  it('change nothing between two runs but the payload, which is evidence', async () => {
    const [one, two] = await Promise.all(['tables', 'banner'].map((sample) => of(`sqlmap/${sample}`, input)));
    const { evidence: first, ...here } = one?.drafts[0] ?? assert.fail();
    const { evidence: second, ...there } = two?.drafts[0] ?? assert.fail();
    assert.deepEqual(here, there);
    assert.notEqual(first, second);
  });

  it('are critical where whole statements can be added', async () => {
    const log = (await samplesOf('sqlmap')).find(({ name }) => name === 'tables')?.files.get('o/10.77.0.10/log');
    const stacked = log?.toString().replace('UNION query', 'stacked queries') ?? assert.fail();
    const files = new Map([['o/10.77.0.10/log', Buffer.from(stacked)]]);
    const { drafts } = await of('sqlmap/tables', input, { end: { files } });
    assert.equal(drafts[0]?.severity, 'critical');
  });
});
