import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import { after, describe, it } from 'node:test';
import nmap from '../../src/tools/nmap/index.ts';
import type { NmapResult } from '../../src/tools/nmap/output.ts';
import { golden } from './golden.ts';
import { assertFits, loopbackRunner, missing } from './loopback-run.ts';
import { type Fed, feed, prepare, registered } from './under-test.ts';

const TOOL = registered(nmap);
const LAB = { resolves: { 'web.lab.internal': '10.77.0.10', 'www.lab.internal': '10.77.0.10' } };
const scan = (input: Record<string, unknown>, raw = false) =>
  prepare(TOOL, { targets: ['10.77.0.10'], ...input }, { ...LAB, raw });
const argvOf = async (input: Record<string, unknown>, raw = false) => (await scan(input, raw)).argv.join(' ');
const degradedOf = async (input: Record<string, unknown>, raw = false) => {
  const { input: full, context } = await scan(input, raw);
  return nmap.degrades?.(full, context) ?? [];
};
const riskOf = async (input: Record<string, unknown>) =>
  (nmap.raises?.((await scan(input, true)).input) ?? []).map(({ risk, option }) => `${option}: ${risk}`);

async function read(stdout: string | Buffer, fed: Partial<Fed> & { readonly targets?: readonly string[] } = {}) {
  const { targets = ['web.lab.internal'], ...more } = fed;
  const outcome = feed(TOOL, await scan({ targets }), { stdout: [Buffer.from(stdout)], ...more });
  return { ...outcome, result: outcome.result as NmapResult };
}

describe('the argv of nmap', () => {
  it('scans half-open only with raw packets, and otherwise connects and says so', async () => {
    assert.match(await argvOf({ scan: 'syn' }, true), /^-n -Pn --privileged -sS -p /);
    assert.match(await argvOf({ scan: 'syn' }), /^-n -Pn -sT --unprivileged -p /);
    assert.equal((await degradedOf({ scan: 'syn' })).length, 1);
    assert.deepEqual(await degradedOf({ scan: 'syn' }, true), []);
    assert.deepEqual(await degradedOf({ scan: 'connect' }), []);
  });

  it('never gives a connect scan the right to raw packets', async () => {
    const { input, context } = await scan({ scan: 'connect' }, true);
    assert.equal(nmap.needsRaw?.(input, context), false);
    assert.match(await argvOf({ scan: 'connect' }, true), /--unprivileged/);
  });

  it('leaves operating-system detection out without raw packets and says so', async () => {
    assert.doesNotMatch(await argvOf({ os: true }), / -O /);
    assert.equal((await degradedOf({ os: true })).length, 1);
    assert.match(await argvOf({ os: true }, true), /-sT --privileged .* -O /);
  });

  it('refuses UDP without raw packets by a code that opens no circuit', async () => {
    await assert.rejects(scan({ scan: 'udp' }), { code: 'ERR_INPUT_INVALID' });
    assert.match(await argvOf({ scan: 'udp', ports: '53' }, true), /--privileged -sU -p 53 /);
  });

  it('speaks IPv6 with -6 and refuses both versions in one run', async () => {
    const { policyUnderTest } = await import('../core/targets/policy-under-test.ts');
    const scope = { scope: { allow: ['10.0.0.0/8', 'fd00::/8'], deny: [] } };
    const pin = async (targets: string[]) => {
      const { input } = TOOL.validate({ targets, ports: '80' }, undefined);
      const pinned = await policyUnderTest(scope).policy.pin(nmap.targets(input), nmap.limits);
      return nmap.argv(input, pinned, (await scan({})).context);
    };
    assert.equal((await pin(['fd00::1', 'fd00:0:0::/120']))[0], '-6');
    assert.deepEqual((await pin(['fd00::1'])).slice(-2), ['--', 'fd00::1']);
    await assert.rejects(pin(['fd00::1', '10.77.0.10']), { code: 'ERR_INPUT_INVALID' });
  });

  it('wants a rate for very many ports, however they are written (D10)', async () => {
    for (const ports of ['all', '1-65535', '1-30000,40000-65535', 'top100,all']) {
      await assert.rejects(scan({ ports }), { code: 'ERR_INPUT_INVALID' }, ports);
      assert.match(await argvOf({ ports, maxRate: 100 }), /--max-rate 100 /);
    }
  });

  it('refuses what has no meaning with a ping scan', async () => {
    for (const more of [{ ports: '80' }, { version: 3 }, { os: true }, { scripts: ['banner'] }]) {
      await assert.rejects(scan({ scan: 'ping', ...more }), { code: 'ERR_INPUT_INVALID' });
    }
  });

  it('has the ports of a ping scan judged too', async () => {
    const { input } = await scan({ scan: 'ping' });
    assert.deepEqual(
      nmap.targets(input)[0]?.ports?.map(({ from }) => from),
      [80, 443],
    );
  });

  it('takes no option by another name: evasion, files, rates, free text (D10, D14, D16)', async () => {
    for (const more of [
      { extra_args: '-oN x' },
      { decoys: ['8.8.8.8'] },
      { ports: '-p-' },
      { ports: 'T:80' },
      { ports: '80 -oN x' },
      { timing: 5 },
      { version: 10 },
      { maxRate: 100_000_000 },
      { maxRate: '100' },
      { scripts: ['http-*'] },
      { scripts: ['safe'] },
      { scripts: ['/tmp/x.nse'] },
      { scripts: ['dns-brute'] },
      { targets: ['10.77.0.10-20'] },
      { targets: ['-iL'] },
      { targets: [] },
    ]) {
      await assert.rejects(scan(more), { code: /^ERR_(INPUT|TARGET)_INVALID$/ }, JSON.stringify(more));
    }
  });
});

describe('the risk of nmap', () => {
  it('follows the options', async () => {
    assert.deepEqual(await riskOf({ scripts: ['http-title', 'ssl-cert'], version: 9 }), []);
    assert.deepEqual(await riskOf({ scripts: ['http-enum'] }), ['scripts: intrusive']);
    assert.deepEqual(await riskOf({ scripts: ['ssl-heartbleed'] }), ['scripts: intrusive']);
    assert.deepEqual(await riskOf({ scripts: ['http-shellshock'] }), ['scripts: exploit']);
    assert.deepEqual(await riskOf({ scan: 'udp', ports: '53', os: true }), ['scan: intrusive', 'os: intrusive']);
  });
});

describe('the report of nmap', () => {
  it('tells hosts, ports, services and scripts apart (D39)', async () => {
    const { result, complete, failure } = await read(golden('nmap/services.stdout'));
    assert.equal(failure, undefined);
    assert.equal(complete, true);
    const [host] = result.hosts;
    assert.equal(result.hosts.length, 1);
    assert.deepEqual(
      host?.ports.map(({ port, protocol, state }) => `${port}/${protocol} ${state}`),
      ['9999/tcp closed', '18080/tcp open'],
    );
    assert.deepEqual(host.ports[1]?.service, {
      name: 'http',
      product: 'SimpleHTTPServer',
      version: '0.6',
      extraInfo: 'Python 3.11.7',
      tunnel: '',
      confidence: 10,
    });
    assert.deepEqual(host.ports[1].scripts[0], { id: 'http-title', output: 'Directory listing for /' });
    assert.equal(result.stats.openPorts, 1);
  });

  it('names a host as the caller named it', async () => {
    const targets = ['web.lab.internal', 'www.lab.internal'];
    const report = '<nmaprun><host><address addr="10.77.0.10" addrtype="ipv4"/></host></nmaprun>';
    const { result } = await read(report, { targets });
    assert.deepEqual(result.hosts[0]?.names, ['web.lab.internal', 'www.lab.internal']);
  });

  it('is not complete when nmap gave a host up', async () => {
    const { result, complete } = await read(golden('nmap/host-timeout.stdout'));
    assert.equal(complete, false);
    assert.equal(result.hosts[0]?.timedOut, true);
    assert.equal(result.notes.length, 1);
  });

  it('keeps whole hosts and ports of a report that broke off, and no half port', async () => {
    const whole = golden('nmap/services.stdout').toString();
    const { result, complete } = await read(whole.slice(0, whole.indexOf('SimpleHTTPServer')), {
      end: { ending: 'timed_out', exitCode: null },
    });
    assert.equal(complete, false);
    assert.deepEqual(
      result.hosts[0]?.ports.map(({ port }) => port),
      [9999],
    );
  });

  it('shows hostile banners as bounded text without escapes', async () => {
    const { result, complete } = await read(golden('nmap/hostile-banners.stdout'));
    assert.equal(complete, true);
    assert.equal(result.hosts[0]?.ports.length, 4);
    const long = '<nmaprun><host><address addr="10.77.0.10"/><hostscript><script id="a" output="';
    assertFits(nmap.output, (await read(`${long}${'x'.repeat(9000)}"/></hostscript></host>`)).result);
    assert.ok(!JSON.stringify(result).includes('u001b'));
  });

  it('reads the operating system and its certainty', async () => {
    const { result } = await read(golden('nmap/os.stdout'));
    assert.equal(result.hosts[0]?.os.length, 10);
    assert.ok(result.hosts[0].os.every(({ accuracy, name }) => accuracy > 80 && name.length > 3));
  });

  it('tells progress and hosts while it runs', async () => {
    const progress = '<nmaprun><taskprogress task="Connect Scan" time="1" percent="12.50" remaining="7" etc="2"/>';
    const { events } = await read(
      `${progress}<host><status state="up"/><address addr="10.77.0.10" addrtype="ipv4"/><ports><port protocol="tcp" portid="80"><state state="open" reason="syn-ack"/></port></ports></host>`,
    );
    assert.deepEqual(events.slice(0, 2), [
      { kind: 'progress', percent: 12.5, etaSeconds: 7, message: 'Connect Scan' },
      { kind: 'finding', message: '10.77.0.10 is up, 1 open: 80/tcp' },
    ]);
    assert.deepEqual(
      events.slice(2).map((event) => (event.kind === 'finding' ? event.draft?.kind : undefined)),
      ['host', 'port'],
    );
  });

  it('says that a report too large for it was cut', async () => {
    const ports = Array.from(
      { length: 21_000 },
      (_, index) => `<port protocol="tcp" portid="${index + 1}"><state state="open"/></port>`,
    );
    const { result, complete } = await read(
      `<nmaprun><host><address addr="10.77.0.10" addrtype="ipv4"/><ports>${ports.join('')}</ports></host><runstats><finished exit="success"/></runstats></nmaprun>`,
    );
    assert.equal(complete, false);
    assert.equal(result.hosts[0]?.ports.length, 20_000);
  });

  it('stays small under a line of 100 MB', async () => {
    const [piece, before] = [Buffer.alloc(1_048_576, 'x'), process.memoryUsage().rss];
    const stdout = [Buffer.from('<nmaprun><host><script output="'), ...Array.from({ length: 100 }, () => piece)];
    const { complete } = await read('', { stdout });
    assert.equal(complete, false);
    assert.ok(process.memoryUsage().rss - before < 100 * 1024 * 1024);
  });

  it('is not complete when nmap skipped addresses, and a failure when it skipped them all', async () => {
    const report = (total: number) =>
      `<nmaprun><runstats><finished exit="success"/><hosts up="0" down="${total}" total="${total}"/></runstats></nmaprun>`;
    const targets = ['10.77.0.0/30', 'web.lab.internal'];
    const [none, some, all] = [
      await read(report(0), { targets }),
      await read(report(4), { targets }),
      await read(report(5), { targets }),
    ];
    assert.match(none.failure ?? '', /no route/);
    assert.deepEqual([some.failure, some.complete, some.result.notes.length], [undefined, false, 1]);
    assert.deepEqual([all.failure, all.complete, all.result.notes.length], [undefined, true, 0]);
  });

  it('calls a bad exit a failure in our own words', async () => {
    const stderr = [Buffer.from('You requested a scan type which requires root privileges.\nQUITTING!\n')];
    const { failure, complete } = await read('', { stderr, end: { exitCode: 1 } });
    assert.deepEqual([/raw packets/.test(failure ?? ''), complete], [true, false]);
    assert.match((await read('', { end: { exitCode: 7 } })).failure ?? '', /7/);
  });
});

describe('the real nmap', async () => {
  const skip = await missing(nmap);
  const ftp = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('220 (vsFTPd 3.0.3)\r\n');
  });
  await new Promise<void>((resolve) => void ftp.listen(0, '127.0.0.1', resolve));
  const { port } = ftp.address() as AddressInfo;
  const runner = skip === false ? await loopbackRunner(nmap, { 'web.lab.internal': '127.0.0.1' }) : undefined;
  after(async () => {
    ftp.close();
    await runner?.close();
  });

  it('takes exactly this argv and finds an open port, its service and its banner', { skip }, async () => {
    const found = await runner?.run({
      targets: ['web.lab.internal'],
      ports: `${port},1`,
      version: 2,
      scripts: ['banner'],
    });
    const { result, complete, failure } = found?.outcome ?? assert.fail();
    const [host] = (result as NmapResult).hosts;
    assert.equal(failure, undefined);
    assert.equal(complete, true);
    assert.deepEqual(host?.names, ['web.lab.internal']);
    const states = Object.fromEntries(host?.ports.map((seen) => [seen.port, seen.state]) ?? []);
    assert.deepEqual(states, { 1: 'closed', [port]: 'open' });
    assert.match(JSON.stringify(host?.ports), /vsftpd.*3\.0\.3.*banner.*220 /);
  });
});
