import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { startBridge } from './bridge.ts';
import { startInside, until } from './command.ts';
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

const SERVER = fileURLToPath(new URL('../../src/server.ts', import.meta.url));
const LIST_DIRECTORIES = ['/usr/share/dirb/wordlists', '/usr/share/nmap/nselib/data', '/usr/share/sqlmap/data/txt'];

/** A lab with the gateway in it. */
export interface LabWithGateway {
  readonly lab: Lab;
  readonly gateway: LabGateway;
  stop(): Promise<void>;
}

/** Brings up a lab and the gateway in it; nothing of either is left when the gateway does not start. */
export async function startLabWithGateway(localPort = 0): Promise<LabWithGateway> {
  const lab = await startLab();
  try {
    const gateway = await startGateway(lab, localPort);
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

/** Starts the gateway in the attacker's namespace and returns when it is ready. */
async function startGateway(lab: Lab, localPort: number): Promise<LabGateway> {
  const dataDir = join(lab.directory, 'data');
  mkdirSync(dataDir, { mode: 0o700 });
  const config = join(lab.directory, 'sallyport.yaml');
  writeFileSync(config, stringify(configuration(lab)));
  const log = join(lab.directory, 'gateway.log');
  const child = startInside({
    namespace: lab.attacker,
    argv: [process.execPath, '--disable-sigusr1', SERVER],
    log,
    env: { SALLYPORT_CONFIG: config, SALLYPORT_DATA_DIR: dataDir, SALLYPORT_PORT: '0' },
  });
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

function configuration(lab: Lab): Record<string, unknown> {
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
      raw: { enabled: true, interface: lab.link.interface, adapterIp: ATTACKER, routerMac: lab.link.mac },
    },
    wordlists: { directories: [lab.lists, ...LIST_DIRECTORIES.filter((directory) => existsSync(directory))] },
    rateLimit: { addressPerMinute: 100_000, principalPerMinute: 100_000, authFailuresPerMinute: 1000 },
  };
}
