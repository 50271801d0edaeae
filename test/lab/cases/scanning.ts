import assert from 'node:assert/strict';
import type { RunResult } from '../../../schemas/run.ts';
import { HOSTILE, INJECTION, PORTS, SECOND, TARGET } from '../layout.ts';
import type { ToolCase } from './case.ts';

interface NmapPort {
  readonly port: number;
  readonly state: string;
  readonly reason: string;
  readonly service: { readonly product: string; readonly version: string } | null;
  readonly scripts: readonly { readonly id: string; readonly output: string }[];
}

const nmapPorts = (run: RunResult): readonly NmapPort[] =>
  (run.result as { hosts: { ports: NmapPort[] }[] }).hosts.flatMap((host) => host.ports);
const states = (run: RunResult): Readonly<Record<number, string>> =>
  Object.fromEntries(nmapPorts(run).map(({ port, state }) => [port, state]));

/** What nmap, masscan and gobuster find out in the lab. */
export const SCANNING_CASES: readonly ToolCase[] = [
  {
    tool: 'nmap',
    name: 'names the services and their versions',
    input: () => ({ targets: [TARGET], ports: '21,22,53,80,8081,9999', version: 7 }),
    check: (run) => {
      const products = new Map(nmapPorts(run).map(({ port, service }) => [port, service]));
      const expected = { 21: /vsftpd/, 22: /OpenSSH/, 53: /dnsmasq/, 80: /nginx/, 8081: /PHP cli server/ };
      for (const [port, product] of Object.entries(expected)) {
        assert.match(products.get(Number(port))?.product ?? '', product);
        assert.notEqual(products.get(Number(port))?.version, '');
      }
      assert.equal(states(run)[PORTS.closed], 'closed');
    },
  },
  {
    tool: 'nmap',
    name: 'tells filtered, open and closed apart',
    input: () => ({ targets: ['web.lab.internal'], ports: '80,8443,9999' }),
    check: (run) => {
      assert.deepEqual(states(run), { 80: 'open', 8443: 'filtered', 9999: 'closed' });
      assert.deepEqual(run.targets[0]?.addresses, [TARGET]);
    },
    mcp: true,
  },
  {
    tool: 'nmap',
    name: 'counts the hosts that are up',
    input: () => ({ targets: ['10.77.0.0/28'], scan: 'ping' }),
    check: (run) => assert.equal((run.result as { stats: { hostsUp: number } }).stats.hostsUp, 3),
  },
  {
    tool: 'nmap',
    name: 'scans half-open with raw packets, and only then with the capability for them',
    input: () => ({ targets: [TARGET], ports: '22,80', scan: 'syn' }),
    check: (run) => {
      assert.deepEqual(states(run), { 22: 'open', 80: 'open' });
      assert.ok(run.argv.includes('-sS') && run.layers.includes('raw'), `${run.argv.join(' ')} ${run.layers.join()}`);
      assert.deepEqual(run.degraded, []);
    },
  },
  {
    tool: 'nmap',
    name: 'runs scripts that find pages and the host key',
    input: () => ({ targets: [TARGET], ports: '22,80', scripts: ['http-title', 'ssh-hostkey', 'http-enum'] }),
    check: (run) => {
      const output = new Map(nmapPorts(run).flatMap(({ scripts }) => scripts.map(({ id, output }) => [id, output])));
      for (const path of ['/admin/', '/backup/', '/private/']) assert.ok(output.get('http-enum')?.includes(path), path);
      assert.match(output.get('http-title') ?? '', /lab web/);
      assert.match(output.get('ssh-hostkey') ?? '', /ED25519/);
    },
  },
  {
    tool: 'nmap',
    name: 'hands a hostile banner on as bounded text without terminal escapes',
    input: () => ({
      targets: [SECOND],
      ports: `${HOSTILE.escapes},${HOSTILE.huge}`,
      version: 0,
      scripts: ['banner'],
    }),
    check: (run) => {
      const text = JSON.stringify(run.result);
      assert.ok(nmapPorts(run)[0]?.scripts[0]?.output.replaceAll('\n', '').includes(INJECTION));
      assert.ok(!text.includes('\\u001b') && !text.includes('\u202e') && !text.includes('\\u0000'));
      assert.ok(text.length < 50_000, `${text.length} characters`);
    },
  },
  {
    tool: 'masscan',
    name: 'finds the open ports of a network',
    input: () => ({ cidrs: ['10.77.0.10/31'], ports: '21,22,53,80,8081,8443,9999', rate: 20 }),
    check: (run) => {
      const { hosts } = run.result as { hosts: { address: string; ports: { port: number }[] }[] };
      const open = hosts.find(({ address }) => address === TARGET)?.ports.map(({ port }) => port) ?? [];
      // masscan begins to send before it listens: now and then it misses the answer to its first packet.
      assert.ok(open.length >= 4, open.join());
      for (const port of open) assert.ok([21, 22, 53, 80, 8081].includes(port), String(port));
    },
    mcp: true,
  },
  {
    tool: 'gobuster',
    name: 'finds the paths and where they point',
    input: () => ({
      mode: 'dir',
      url: { scheme: 'http', host: 'web.lab.internal' },
      wordlist: 'lists/lab-web.txt',
      delayMs: 0,
    }),
    check: (run) => {
      const { paths } = run.result as { paths: { path: string; status: number }[] };
      assert.deepEqual(paths.map(({ path, status }) => `${path} ${status}`).sort(), [
        '/.env 200',
        '/admin 301',
        '/backup 301',
        '/private 401',
      ]);
    },
    mcp: true,
  },
  {
    tool: 'gobuster',
    name: 'finds the names of a zone',
    input: () => ({ mode: 'dns', domain: 'lab.internal', wordlist: 'lists/lab-dns.txt', delayMs: 0 }),
    check: (run) => {
      const { names } = run.result as { names: { name: string; addresses: string[] }[] };
      assert.deepEqual(names.map(({ name, addresses }) => `${name} ${addresses.join()}`).sort(), [
        `db.lab.internal ${SECOND}`,
        `web.lab.internal ${TARGET}`,
      ]);
    },
  },
];
