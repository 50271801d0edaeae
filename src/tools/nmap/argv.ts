import { SallyportError } from '../../core/errors.ts';
import { formatPorts } from '../../core/targets/ports.ts';
import type { PinnedTargets } from '../../core/targets/types.ts';
import type { ToolContext } from '../../core/tool/definition.ts';
import { DEFAULT_RATE, type NmapInput, portsOf } from './input.ts';

// Data files come from the system's directory only: nmap would look in its working directory and $NMAPDIR too.
// Not --noninteractive: with it nmap 7.93 never writes the progress of --stats-every. There is no terminal to read keys from.
const REPORT = '--stats-every 1s --no-stylesheet --datadir /usr/share/nmap -oX - --'.split(' ');

/** Whether this call sends packets of its own making. */
export function isRaw(input: NmapInput, context: ToolContext): boolean {
  return context.raw && (input.scan !== 'connect' || input.os);
}

/** The argument vector of nmap 7.93, without the program. Throws ERR_INPUT_INVALID for what cannot be one run. */
export function buildArgv(input: NmapInput, pinned: PinnedTargets, context: ToolContext): readonly string[] {
  const targets = pinned.all('targets');
  const isV6 = targets.some((target) => target.family === 6);
  if (isV6 && targets.some((target) => target.family === 4)) {
    throw new SallyportError('ERR_INPUT_INVALID', 'Targets are IPv4 or IPv6, not both in one run: make two calls.', {
      details: { faults: [{ path: '/targets', message: 'must all be of one IP version' }] },
    });
  }
  return [
    ...(isV6 ? ['-6'] : []),
    '-n',
    ...scanOptions(input, context),
    ...(input.scan === 'ping' ? [] : ['-p', formatPorts(portsOf(input))]),
    ...(input.version === 'off' ? [] : ['-sV', '--version-intensity', String(input.version)]),
    ...(input.os && context.raw ? ['-O'] : []),
    ...(input.scripts.length === 0 ? [] : ['--script', input.scripts.join(',')]),
    `-T${input.timing}`,
    '--max-rate',
    String(input.maxRate ?? DEFAULT_RATE),
    '--max-retries',
    '2',
    '--host-timeout',
    `${input.hostTimeoutS}s`,
    ...REPORT,
    ...targets.map((target) => (target.name === undefined ? target.canonical : target.address)),
  ];
}

function scanOptions(input: NmapInput, context: ToolContext): readonly string[] {
  const raw = isRaw(input, context);
  const mode = raw ? '--privileged' : '--unprivileged';
  if (input.scan === 'ping') return ['-sn', mode];
  if (input.scan === 'udp') return raw ? ['-Pn', mode, '-sU'] : needsRawPackets();
  if (input.scan === 'syn' && raw) return ['-Pn', mode, '-sS'];
  return ['-Pn', '-sT', mode];
}

function needsRawPackets(): never {
  // Not "unavailable": the tool works, and a caller's wish must not open its circuit.
  throw new SallyportError('ERR_INPUT_INVALID', 'A UDP scan needs raw packets, which this gateway cannot send.', {
    details: { faults: [{ path: '/scan', message: 'udp needs raw packets, which this gateway cannot send' }] },
  });
}
