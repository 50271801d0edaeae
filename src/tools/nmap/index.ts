import { countPorts, parsePorts } from '../../core/targets/ports.ts';
import { reachOf } from '../../core/execution/reach.ts';
import type { Reach } from '../../core/execution/types.ts';
import type { PinnedTargets, TargetClaim } from '../../core/targets/types.ts';
import { defineTool, type RiskRaise, type ToolContext } from '../../core/tool/definition.ts';
import { buildArgv, isRaw } from './argv.ts';
import { coverageOfNmap } from './coverage.ts';
import { estimateNmap, spentByNmap } from './estimate.ts';
import { draftsOfNmap } from './findings.ts';
import { type NmapInput, NmapInputSchema, portsOf, UNPACED_PORTS } from './input.ts';
import { NmapResultSchema } from './output.ts';
import { parseNmap } from './parse.ts';
import { riskOfScript, VETTED_SCRIPTS } from './scripts.ts';

function check(input: NmapInput): readonly string[] {
  const read = parsePorts(input.ports ?? 'top100');
  const faults = read.ok ? [] : [`ports: ${read.fault}`];
  if (read.ok && countPorts(read.value) > UNPACED_PORTS && input.maxRate === undefined) {
    faults.push(`more than ${UNPACED_PORTS} ports need maxRate`);
  }
  const isMore = input.ports !== undefined || input.version !== 'off' || input.os || input.scripts.length > 0;
  if (input.scan === 'ping' && isMore) faults.push('a ping scan takes no ports, version, os or scripts');
  return faults;
}

function targets(input: NmapInput): readonly TargetClaim[] {
  return input.targets.map((value) => ({ role: 'targets', kind: 'host-or-network', value, ports: portsOf(input) }));
}

function reach(input: NmapInput, pinned: PinnedTargets, context: ToolContext): Reach {
  if (!isRaw(input, context)) return reachOf(targets(input), pinned);
  // A ping scan with raw packets also asks by ICMP echo and timestamp.
  const asked = reachOf(targets(input), pinned, input.scan === 'ping' ? ['tcp', 'icmp'] : undefined);
  // Behind a translated network the translator answers for everybody: measured, every host is up for a ping scan with
  // raw packets, and a closed UDP port looks filtered.
  if (!input.os) return input.scan === 'ping' || input.scan === 'udp' ? { ...asked, ownNetwork: true } : asked;
  // OS detection sends to closed ports of its own choice and reads what the target's network stack makes of it: behind
  // a translated network it would name the translator.
  const endpoints = reachOf(targets(input), pinned, ['icmp']).endpoints.flatMap(({ network }) =>
    (['tcp', 'udp', 'icmp'] as const).map((protocol) => ({ network, protocol })),
  );
  return { endpoints, ownNetwork: true };
}

function raises(input: NmapInput): readonly RiskRaise[] {
  const found: RiskRaise[] = [];
  if (input.scan === 'udp') found.push({ risk: 'intrusive', option: 'scan', why: 'UDP probes disturb weak devices' });
  if (input.os) found.push({ risk: 'intrusive', option: 'os', why: 'OS detection sends malformed packets' });
  for (const name of input.scripts) {
    const risk = riskOfScript(name);
    if (risk !== 'active' && risk !== 'observe') found.push({ risk, option: 'scripts', why: `script ${name}` });
  }
  return found;
}

function degrades(input: NmapInput, context: ToolContext): readonly string[] {
  if (context.raw) return [];
  const said: string[] = [];
  if (input.scan === 'syn')
    said.push('No raw packets here: a connect scan (-sT) was done instead of a SYN scan (-sS).');
  if (input.scan === 'ping')
    said.push('No raw packets here: hosts were looked for by TCP connections to ports 80 and 443 only.');
  if (input.os) said.push('No raw packets here: OS detection was left out.');
  return said;
}

const TAIL =
  '--max-retries 2 --host-timeout 300s --stats-every 1s --no-stylesheet --datadir /usr/share/nmap -oX - --'.split(' ');

/** nmap 7.93: hosts, ports, services and vetted scripts. */
export default defineTool({
  name: 'nmap',
  title: 'Which hosts, ports and services are there?',
  description:
    'Port scan with nmap: which of the given hosts are up, which ports are open, closed or filtered, which service and version answers, what vetted NSE scripts say, and a guess of the operating system. Names are resolved once and scanned by address. Start with `ports: "top100"` or with few ports; a scan of many ports takes minutes. It does no evasion, spoofing, decoys or fragments, takes no options of nmap as text, and never scans outside the permitted scope. A port that is not listed and not counted in otherPorts was not looked at.',
  binary: 'nmap',
  requires: ['/usr/share/nmap/nmap-services', '/usr/share/nmap/scripts/script.db'],
  debianPackage: 'nmap',
  risk: 'active',
  raw: 'optional',
  timeoutMs: 600_000,
  maxTimeoutMs: 3_600_000,
  concurrency: 2,
  maxConcurrency: 5,
  limits: { maxAddresses: 1024, maxPorts: 65_535 },
  input: NmapInputSchema,
  output: NmapResultSchema,
  check,
  targets,
  raises,
  degrades,
  needsRaw: isRaw,
  needs: {
    read: [
      // Its probes, service names, fingerprints and the scripts; --datadir names this directory alone.
      '/usr/share/nmap',
      // Where Debian's libblas.so.3, which nmap is linked to, points.
      '/etc/alternatives',
      // Raw packets: names and addresses of the machine's interfaces (dev, if_inet6). The kernel makes these files anew
      // at every look, so that only the directory can be named.
      '/proc/net',
    ],
    // Raw packets: answers that the kernel does not hand on are read from the wire.
    sockets: ['packet'],
  },
  reach,
  estimate: estimateNmap,
  spent: spentByNmap,
  grammar: {
    options: {
      '-6': 'flag',
      '-n': 'flag',
      '-Pn': 'flag',
      '-sn': 'flag',
      '-sT': 'flag',
      '-sS': 'flag',
      '-sU': 'flag',
      '-sV': 'flag',
      '-O': 'flag',
      '--privileged': 'flag',
      '--unprivileged': 'flag',
      '-p': 'ports',
      '--version-intensity': /^[0-9]$/,
      '--script': VETTED_SCRIPTS,
      '--max-rate': 'integer',
      '--max-retries': /^2$/,
      '--host-timeout': /^[1-9][0-9]{0,2}s$/,
      '--stats-every': /^1s$/,
      '--no-stylesheet': 'flag',
      '--datadir': /^\/usr\/share\/nmap$/,
      '-oX': /^-$/,
    },
    attached: { '-T': /^[2-4]$/ },
    operands: 'network',
    terminator: true,
  },
  argv: buildArgv,
  parse: parseNmap,
  findings: ({ result, pinned }) => draftsOfNmap(result.hosts, pinned),
  coverage: coverageOfNmap,
  probe: { argv: ['--version'], version: /Nmap version (\d[\w.]*)/ },
  presets: [
    { name: 'quick', title: 'The 100 most common TCP ports', input: { ports: 'top100', timing: 4 } },
    {
      name: 'standard',
      title: 'The 1000 most common TCP ports with versions',
      input: { ports: 'top1000', version: 5 },
    },
    {
      name: 'thorough',
      title: 'Every TCP port with versions',
      input: { ports: 'all', version: 7, timing: 4, maxRate: 1000 },
    },
    { name: 'discovery', title: 'Which hosts are up', input: { scan: 'ping' } },
    { name: 'version', title: 'Versions behind the 100 most common ports', input: { ports: 'top100', version: 7 } },
    {
      name: 'web',
      title: 'Web servers and what they say of themselves',
      input: {
        ports: '80,443,3000,5000,8000,8008,8080,8081,8443,8888,9000,9090',
        version: 5,
        scripts: ['http-title', 'http-headers', 'http-methods', 'http-robots.txt', 'ssl-cert'],
      },
    },
  ],
  examples: [
    {
      title: 'versions on a few ports of a lab host',
      input: { targets: ['10.77.0.10'], ports: '21,22,53,80,8081,9999', version: 5 },
      argv: [
        '-n',
        '-Pn',
        '-sT',
        '--unprivileged',
        '-p',
        '21-22,53,80,8081,9999',
        '-sV',
        '--version-intensity',
        '5',
        '-T3',
        '--max-rate',
        '500',
        ...TAIL,
        '10.77.0.10',
      ],
    },
    {
      title: 'a name and a network, half-open, with scripts',
      input: {
        targets: ['web.lab.internal', '10.77.0.0/28'],
        ports: '80',
        scan: 'syn',
        scripts: ['http-title', 'http-enum'],
        maxRate: 100,
      },
      resolves: { 'web.lab.internal': '10.77.0.10' },
      raw: true,
      argv: [
        '-n',
        '-Pn',
        '--privileged',
        '-sS',
        '-p',
        '80',
        '--script',
        'http-title,http-enum',
        '-T3',
        '--max-rate',
        '100',
        ...TAIL,
        '10.77.0.10',
        '10.77.0.0/28',
      ],
    },
    {
      title: 'which hosts are up',
      input: { targets: ['10.77.0.0/28'], scan: 'ping' },
      argv: ['-n', '-sn', '--unprivileged', '-T3', '--max-rate', '500', ...TAIL, '10.77.0.0/28'],
    },
  ],
});
