import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { egressArgv } from '../../src/core/execution/egress.ts';
import { launcherPlace } from '../fixtures/launcher.ts';
import { run, runInside, startInside, until } from '../lab/command.ts';

/** The gateway's side and the target's side of the cable; `neighbour` and `far` are there and never permitted. */
export const PLACES = { gateway: '10.77.0.1', target: '10.77.0.10', neighbour: '10.77.0.11', far: '10.88.0.10' };
/** On the target: listens · refuses · drops without an answer. */
export const TCP = { open: 80, closed: 81, filtered: 8443 };
/** No user of this number exists anywhere. */
const UID = 61_000 + (process.pid % 3000);
const FIXTURE = join(import.meta.dirname, '..', 'fixtures', 'packets.c');

/** What the chain did: the tool's output, what was said on descriptor 3, and the exit code. */
export interface ChainEnd {
  readonly out: string;
  readonly status: string;
  readonly code: number | null;
}

/** How to start one chain. */
export interface ChainStart {
  readonly rules: string;
  readonly argv: readonly string[];
  readonly raw?: boolean;
  /** Instead of slirp4netns. */
  readonly slirp?: string;
  /** Mode of /dev/net/tun; 0666 on ordinary machines. */
  readonly tunMode?: '600';
}

/** Two network namespaces, and a way to run tools behind the allow-list in the first. */
export interface EgressLab {
  /** The compiled `test/fixtures/packets.c`. */
  readonly packets: string;
  readonly uid: number;
  readonly directory: string;
  behind(start: ChainStart): Promise<ChainEnd>;
  /** Runs a program as root in the gateway's namespace, without layer 5. */
  bare(argv: readonly string[]): Promise<string>;
  /** Destinations `address . port` that arrived at the target since the last call. */
  arrivals(): Promise<readonly string[]>;
  /** The same on the loopback of the gateway's own namespace. */
  onLoopback(): Promise<readonly string[]>;
  close(): Promise<void>;
}

// The private mount namespace gives the user a /dev/net/tun as ordinary machines have it.
const AS_USER = `mode=$1; dir=$2; uid=$3; shift 3
mount -t tmpfs -o mode=755 none "$dir" && mknod -m "$mode" "$dir/tun" c 10 200 && mount --bind "$dir/tun" /dev/net/tun || exit 1
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --inh-caps=-all --ambient-caps=-all --bounding-set=-all -- "$@"`;

function counters(device: string): string {
  return `table inet seen {
  set tcp4 { type ipv4_addr . inet_service; flags dynamic; size 65535; }
  set udp4 { type ipv4_addr . inet_service; flags dynamic; size 65535; }
  chain arrival {
    type filter hook prerouting priority raw; policy accept;
    iifname "${device}" update @tcp4 { ip daddr . tcp dport }
    iifname "${device}" update @udp4 { ip daddr . udp dport }
  }
  chain input { type filter hook input priority 0; policy accept; tcp dport ${TCP.filtered} drop; }
}
`;
}

/** Makes the lab; needs root, nft, slirp4netns and a C compiler, and fails without them. */
export async function makeEgressLab(): Promise<EgressLab> {
  const gateway = `seg${process.pid}`;
  const target = `set${process.pid}`;
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-egress-'));
  const packets = join(directory, 'packets');
  await run('chmod', ['755', directory]);
  await run('mkdir', [join(directory, 'dev')]);
  await run('cc', ['-O1', '-static', '-o', packets, FIXTURE]);
  for (const name of [gateway, target]) await run('ip', ['netns', 'add', name]);
  await run('ip', ['link', 'add', 'vg', 'netns', gateway, 'type', 'veth', 'peer', 'name', 'vt', 'netns', target]);
  await run(
    'ip',
    ['-n', gateway, '-batch', '-'],
    `link set lo up
address add ${PLACES.gateway}/24 dev vg
link set vg up
route add 10.88.0.0/24 via ${PLACES.target}
`,
  );
  const addresses = [PLACES.target, PLACES.neighbour, PLACES.far].map((each) => `address add ${each}/24 dev vt\n`);
  await run('ip', ['-n', target, '-batch', '-'], `link set lo up\n${addresses.join('')}link set vt up\n`);
  await run('ip', ['netns', 'exec', gateway, 'nft', '-f', '-'], counters('lo'));
  await run('ip', ['netns', 'exec', target, 'nft', '-f', '-'], counters('vt'));
  const listener = `require('node:net').createServer((s) => s.on('error', () => {}).end()).listen(${TCP.open}, '0.0.0.0')`;
  const log = join(directory, 'log');
  const server = startInside({ namespace: target, argv: [process.execPath, '-e', listener], log });
  const bare = async (argv: readonly string[]): Promise<string> => (await runInside(gateway, argv)).stdout;
  await until('the listener', async () =>
    (await bare([packets, `tcp:${PLACES.target}:${TCP.open}`])).includes('allowed'),
  );
  const close = async (): Promise<void> => {
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
    for (const name of [gateway, target]) await run('ip', ['netns', 'delete', name]);
    rmSync(directory, { recursive: true });
  };
  const arrivals = () => takeSeen(target);
  const onLoopback = () => takeSeen(gateway);
  await arrivals();
  return { packets, uid: UID, directory, bare, close, arrivals, onLoopback, behind: behind(gateway, directory) };
}

function behind(gateway: string, directory: string): EgressLab['behind'] {
  let count = 0;
  return async ({ rules, argv, raw = false, slirp = '/usr/bin/slirp4netns', tunMode }) => {
    count += 1;
    const file = join(directory, `rules-${count}`);
    writeFileSync(file, rules, { mode: 0o644 });
    const programs = { egress: launcherPlace().egress, slirp, nft: '/usr/sbin/nft' };
    const user = ['sh', '-c', AS_USER, 'sh', tunMode ?? '666', join(directory, 'dev'), String(UID)];
    const inside = ['netns', 'exec', gateway, 'unshare', '--mount', '--propagation', 'private', ...user];
    const all = [...inside, ...egressArgv(programs, file, raw), ...argv];
    const child = spawn('/usr/sbin/ip', all, {
      stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      timeout: 60_000,
      killSignal: 'SIGKILL',
    });
    const [out, status] = [textOf(child.stdio[1]), textOf(child.stdio[3] as Readable)];
    const [code] = (await once(child, 'close')) as [number | null];
    return { out: out(), status: status(), code };
  };
}

function textOf(stream: Readable | null): () => string {
  if (stream === null) throw new Error('a pipe was asked for');
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}

async function takeSeen(namespace: string): Promise<readonly string[]> {
  const seen: string[] = [];
  for (const name of ['tcp4', 'udp4']) {
    const { stdout } = await runInside(namespace, ['nft', 'list', 'set', 'inet', 'seen', name]);
    const found = stdout.matchAll(/(\d+\.\d+\.\d+\.\d+) \. ([\w-]+)/g);
    for (const [, address, port] of found) seen.push(`${name.slice(0, 3)} ${address} ${port}`);
    await runInside(namespace, ['nft', 'flush', 'set', 'inet', 'seen', name]);
  }
  return seen.toSorted();
}
