import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { LayerName } from '../../schemas/layer.ts';
import { startBridge } from './bridge.ts';
import { start, until } from './command.ts';
import { type Lab, startLab } from './lab.ts';
import { ATTACKER, DENIED_HOST, PORTS, TARGET } from './layout.ts';

/** The real gateway, running inside a lab. */
export interface LabGateway {
  /** `http://127.0.0.1:N`, usable from here. */
  readonly url: string;
  /** The first API key. */
  readonly key: string;
  /** The port on which it listens inside its namespace. */
  readonly port: number;
  /** The lines of its log. */
  log(): readonly string[];
  stop(): Promise<void>;
}

/** What one gateway of a lab is to be like; nothing said: the usual one. */
export interface GatewayWishes {
  /** Tells the gateways of one lab apart, 0 to 4: each has a user and directories of its own. */
  readonly number?: number;
  /** Port on this machine's loopback; 0 takes a free one. */
  readonly localPort?: number;
  /** Layers that it must not use. */
  readonly disable?: readonly LayerName[];
  /** Prepares control groups for it, as `sallyport up` does for root; they go with the lab. */
  readonly cgroups?: boolean;
  /** Lets it open /dev/net/tun, which every user may on ordinary machines; `whyNoTun` says where it cannot be had. */
  readonly tun?: boolean;
  /** Programs of the machine by their path, and the file that it finds there instead. */
  readonly standIns?: Readonly<Record<string, string>>;
}

const SERVER = fileURLToPath(new URL('../../src/server.ts', import.meta.url));
const ENTER = fileURLToPath(new URL('../../deploy/enter.sh', import.meta.url));
/** Beside those of the test files that were started as root (test/fixtures/drop-root.ts). */
const FIRST_UID = 64_900;
const UIDS = 100;
const LIST_DIRECTORIES = ['/usr/share/dirb/wordlists', '/usr/share/nmap/nselib/data', '/usr/share/sqlmap/data/txt'];
const TUN = '/dev/net/tun';

// In a mount namespace of its own. Not `ip netns exec`: that covers /sys, and with it the control groups.
const SHOW = `resolver=$1; dev=$2; shift 2
mount --bind "$resolver" /etc/resolv.conf || exit 1
if [ -n "$dev" ]; then
  mount -t tmpfs -o mode=755 none "$dev" && mknod -m 666 "$dev/tun" c 10 200 && mount --bind "$dev/tun" ${TUN} || exit 1
fi
while [ "$1" != -- ]; do
  mount --bind "$2" "$1" || exit 1
  shift 2
done
shift
exec "$@"`;

/** A lab with the gateway in it. */
export interface LabWithGateway {
  readonly lab: Lab;
  readonly gateway: LabGateway;
  stop(): Promise<void>;
}

/** Brings up a lab and the gateway in it; nothing of either is left when the gateway does not start. */
export async function startLabWithGateway(wishes: GatewayWishes = {}): Promise<LabWithGateway> {
  const lab = await startLab();
  try {
    const gateway = await startGateway(lab, wishes);
    const stop = async (): Promise<void> => {
      await gateway.stop();
      await lab.stop();
    };
    return { lab, gateway, stop };
  } catch (error) {
    await lab.stop();
    throw error;
  }
}

/** Why no gateway of a lab can be given /dev/net/tun here; undefined when one can. */
export function whyNoTun(): string | undefined {
  return existsSync(TUN) ? undefined : `this machine has no ${TUN}`;
}

/** Starts a gateway in the attacker's namespace and returns when it is ready. */
export async function startGateway(lab: Lab, wishes: GatewayWishes = {}): Promise<LabGateway> {
  const { number = 0, localPort = 0 } = wishes;
  const place = (name: string): string => join(lab.directory, `${name}-${number}`);
  const [dataDir, config, log] = [place('data'), place('sallyport.yaml'), place('gateway.log')];
  writeFileSync(config, stringify(configuration(lab, wishes.disable ?? [])));
  // What an earlier one of the same number left there would be taken for this one's.
  rmSync(dataDir, { recursive: true, force: true });
  rmSync(log, { force: true });
  const env = {
    SALLYPORT_CONFIG: config,
    SALLYPORT_HEALTH_MAX_EVENT_LOOP_LAG_MS: '60000',
    SALLYPORT_DATA_DIR: dataDir,
    SALLYPORT_PORT: '0',
    SALLYPORT_USER: labUser(number),
  };
  const child = start({ argv: command(lab, wishes), log, env });
  const address = join(dataDir, 'address');
  await until(`the gateway to be ready (its log: ${log})`, () => {
    if (child.exitCode !== null) throw new Error(`the gateway ended: ${readFileSync(log, 'utf8').slice(-4000)}`);
    return existsSync(address);
  });
  const port = Number(/:(\d+)\s*$/.exec(readFileSync(address, 'utf8'))?.[1]);
  const bridge = await startBridge(lab, port, localPort);
  return {
    url: bridge.url,
    key: readFileSync(join(dataDir, 'first-key'), 'utf8').trim(),
    port,
    log: () => readFileSync(log, 'utf8').split('\n').filter(Boolean),
    stop: async () => {
      await bridge.close();
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

/** Every element replaces itself by the next, so that the process id is the gateway's in the end. */
function command(lab: Lab, wishes: GatewayWishes): string[] {
  const { number = 0, tun = false, cgroups = false, standIns = {}, disable = [] } = wishes;
  const dev = tun ? join(lab.directory, `dev-${number}`) : '';
  if (tun) mkdirSync(dev, { recursive: true });
  const ownMounts = ['unshare', '--mount', '--propagation', 'private'];
  const shown = [`/etc/netns/${lab.attacker}/resolv.conf`, dev, ...Object.entries(standIns).flat(), '--'];
  // As `sallyport up` does it for root: another user, with NET_RAW alone, since the configuration has raw scans. Where
  // nothing would take it from the tools the gateway refuses to start with it.
  const raw = disable.includes('L1') && disable.includes('L2') ? [] : ['--keep-raw'];
  const entry = ['sh', ENTER, ...raw, '--prepare', cgroups ? 'all' : 'data', '--'];
  const inside = ['nsenter', `--net=/run/netns/${lab.attacker}`, ...ownMounts, 'sh', '-c', SHOW, 'sh', ...shown];
  return [...inside, ...entry, process.execPath, '--disable-sigusr1', SERVER];
}

/** Gateways beside each other must not share the user whose processes are counted and signalled. */
function labUser(number: number): string {
  const uid = FIRST_UID + UIDS * number + (process.pid % UIDS);
  return `${uid}:${uid}`;
}

function configuration(lab: Lab, disable: readonly LayerName[]): Record<string, unknown> {
  return {
    policy: {
      risk: 'exploit',
      scope: {
        allow: ['10.77.0.0/24', 'fd77::/64', 'lab.internal', '*.lab.internal', '*.hostile.test', '*.flip.test'],
        deny: [DENIED_HOST],
      },
      denyPorts: [String(PORTS.denied)],
    },
    resolver: { servers: [`${TARGET}:${PORTS.dns}`] },
    execution: {
      disable: [...disable],
      raw: { enabled: true, interface: lab.link.interface, adapterIp: ATTACKER, routerMac: lab.link.mac },
    },
    wordlists: { directories: [lab.lists, ...LIST_DIRECTORIES.filter((directory) => existsSync(directory))] },
    rateLimit: { addressPerMinute: 100_000, principalPerMinute: 100_000, authFailuresPerMinute: 1000 },
  };
}
