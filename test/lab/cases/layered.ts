import { PASSWORD, PORTS, SECOND, TARGET } from '../layout.ts';

/** One call whose answer must not depend on the layers in force. */
export interface LayeredCase {
  readonly tool: string;
  /** What it finds out; it completes the sentence "the tool …". */
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** By NET_RAW: never in a user namespace (layer 3), and not at all where nothing hands the capability on. */
  readonly raw?: true;
  /** Its answer would be another one behind a translated network: never behind layer 5. */
  readonly ownNetwork?: true;
  /** What must stand in its answer, as JSON: an answer that is everywhere the same and everywhere empty proves nothing. */
  readonly shows: readonly string[];
}

const port = (number: number, state: string, reason: string): string =>
  `"port":${number},"protocol":"tcp","state":"${state}","reason":"${reason}"`;

/** All six tools, by sockets and by packets of their own. */
export const LAYERED_CASES: readonly LayeredCase[] = [
  {
    tool: 'nmap',
    name: 'connects and asks for versions',
    input: { targets: [TARGET], ports: `22,80,${PORTS.filtered},${PORTS.closed}`, version: 7 },
    shows: [
      `${port(22, 'open', 'syn-ack')},"service":{"name":"ssh","product":"OpenSSH"`,
      `${port(80, 'open', 'syn-ack')},"service":{"name":"http","product":"nginx"`,
      port(PORTS.filtered, 'filtered', 'no-response'),
      port(PORTS.closed, 'closed', 'conn-refused'),
    ],
  },
  {
    tool: 'nmap',
    name: 'scans half-open',
    input: { targets: [TARGET], ports: `22,80,${PORTS.filtered},${PORTS.closed}`, scan: 'syn' },
    raw: true,
    shows: [
      port(22, 'open', 'syn-ack'),
      port(80, 'open', 'syn-ack'),
      port(PORTS.filtered, 'filtered', 'no-response'),
      port(PORTS.closed, 'closed', 'reset'),
    ],
  },
  {
    tool: 'nmap',
    name: 'counts the hosts that are up',
    input: { targets: ['10.77.0.8/29'], scan: 'ping' },
    raw: true,
    ownNetwork: true,
    shows: ['"hostsUp":2'],
  },
  {
    tool: 'masscan',
    name: 'finds open ports',
    input: { cidrs: [TARGET], ports: `22,80,${PORTS.php},${PORTS.filtered},${PORTS.closed}`, rate: 200 },
    raw: true,
    shows: ['"port":22', '"port":80', `"port":${PORTS.php}`, '"openPorts":3'],
  },
  {
    tool: 'gobuster',
    name: 'finds paths',
    input: {
      mode: 'dir',
      url: { scheme: 'http', host: 'web.lab.internal' },
      wordlist: 'lists/lab-web.txt',
      delayMs: 0,
    },
    shows: ['"path":"/.env","status":200', '"path":"/admin","status":301', '"path":"/private","status":401'],
  },
  {
    tool: 'gobuster',
    name: 'finds names',
    input: { mode: 'dns', domain: 'lab.internal', wordlist: 'lists/lab-dns.txt', delayMs: 0 },
    shows: [
      `"name":"db.lab.internal","addresses":["${SECOND}"]`,
      `"name":"web.lab.internal","addresses":["${TARGET}"]`,
    ],
  },
  {
    tool: 'hydra',
    name: 'finds a password among guesses',
    input: {
      host: TARGET,
      service: 'http-get',
      path: '/private/',
      users: ['admin', 'guest'],
      passwords: ['letmein', PASSWORD],
    },
    shows: [`"credentials":[{"host":"${TARGET}","port":80,"service":"http-get","login":"admin"}]`],
  },
  {
    tool: 'sqlmap',
    name: 'finds the injectable parameter',
    input: {
      url: { scheme: 'http', host: TARGET, port: PORTS.php, path: '/item.php?id=1' },
      param: 'id',
      technique: 'BU',
      level: 1,
    },
    shows: ['"injectable":true', 'boolean-based blind', 'UNION query', 'SQLite'],
  },
  {
    tool: 'dig',
    name: 'asks for an address',
    input: { name: 'web.lab.internal' },
    shows: ['"status":"NOERROR"', `"type":"A","value":"${TARGET}"`, '"transport":"udp"'],
  },
  {
    tool: 'dig',
    name: 'asks for a whole zone',
    input: { name: 'lab.internal', type: 'AXFR', server: TARGET },
    shows: ['"type":"SOA"', `"type":"A","value":"${SECOND}"`, '"transport":"tcp"'],
  },
];
