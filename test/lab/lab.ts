import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeCgroups } from './cgroups.ts';
import { run } from './command.ts';
import { PASSWORD } from './layout.ts';
import { keyOfPlace, makeNetwork, type Place, readCounters, removeNetwork, targetMac } from './network.ts';
import { forget, type LabRecord, orphans, remember, startTimeOf } from './record.ts';
import { hashed, type LabPaths, makeFiles, startServices } from './services.ts';

/** The logs of the lab's services. */
export type LogName = 'nginx' | 'loopback' | 'sshd' | 'vsftpd' | 'dnsmasq' | 'hostile' | 'php';

const LOG_FILES: Readonly<Record<LogName, string>> = {
  nginx: 'nginx.log',
  loopback: 'loopback.log',
  sshd: 'sshd.log',
  vsftpd: 'vsftpd.log',
  dnsmasq: 'dnsmasq.out',
  hostile: 'hostile.out',
  php: 'php.out',
};

/** Two sealed network namespaces with real services in one and room for the gateway in the other. */
export interface Lab {
  /** Namespace of the gateway and of its tools. */
  readonly attacker: string;
  /** Namespace of the services. */
  readonly target: string;
  /** A directory that is removed with the lab. */
  readonly directory: string;
  /** The lab's own word lists. */
  readonly lists: string;
  /** Files that lead out of the scope, for attacks that name a file. */
  readonly traps: string;
  /** A local account that sshd and vsftpd accept. */
  readonly user: { readonly name: string; readonly password: string };
  /** For tools that make their own frames. */
  readonly link: { readonly interface: string; readonly mac: string };
  /** Packets that came to a place on the target's side, counted there. */
  arrived(place: Place): Promise<number>;
  /** Packets that processes other than root's sent towards a place, counted on the attacker's side. */
  sentByTools(place: Place): Promise<number>;
  /** Packets that have come to each address of the target's side so far. */
  arrivals(): Promise<ReadonlyMap<string, number>>;
  /** The lines of a service's log. */
  log(name: LogName): readonly string[];
  /** Ends every process of the lab and removes all that it made. */
  stop(): Promise<void>;
}

/** Brings a lab up; needs what `whyNoLab` asks for. Labs of owners that died are removed first. */
export async function startLab(): Promise<Lab> {
  await sweep();
  const record = newRecord();
  remember(record);
  try {
    // The lab's user must reach its home directory, or its login fails.
    chmodSync(record.directory, 0o755);
    const paths = makeFiles(record.directory);
    await makeNetwork(record);
    await addUser(record);
    await startServices(record, paths);
    return await describe(record, paths);
  } catch (error) {
    await remove(record);
    throw error;
  }
}

/** Removes what labs have left whose owner died. Returns their number. */
export async function sweep(): Promise<number> {
  const left = orphans();
  for (const record of left) await remove(record);
  return left.length;
}

function newRecord(): LabRecord {
  const id = `${process.pid.toString(36)}${randomBytes(2).toString('hex')}`;
  return {
    id,
    pid: process.pid,
    startedAt: startTimeOf(process.pid) ?? '',
    directory: mkdtempSync(join(tmpdir(), 'sallyport-lab-')),
    attacker: `splab-${id}-a`,
    target: `splab-${id}-t`,
    user: `splab-${id}`,
  };
}

async function addUser(record: LabRecord): Promise<void> {
  const home = join(record.directory, 'home');
  const hash = await hashed('-6');
  const options = ['--no-create-home', '--home-dir', home, '--shell', '/bin/sh', '--no-user-group', '--password', hash];
  await retried(() => run('useradd', [...options, record.user]));
}

// Labs that start together meet at the lock of /etc/passwd, which the programs do not always wait for.
async function retried(act: () => Promise<unknown>): Promise<void> {
  for (let left = 5; ; left -= 1) {
    try {
      await act();
      return;
    } catch (error) {
      if (left === 0) throw error;
    }
  }
}

async function describe(record: LabRecord, paths: LabPaths): Promise<Lab> {
  return {
    attacker: record.attacker,
    target: record.target,
    directory: record.directory,
    lists: paths.lists,
    traps: join(record.directory, 'traps'),
    user: { name: record.user, password: PASSWORD },
    link: { interface: 'va', mac: await targetMac(record.target) },
    arrived: async (place) => (await readCounters(record.target)).get(keyOfPlace(place)) ?? 0,
    sentByTools: async (place) => (await readCounters(record.attacker)).get(keyOfPlace(place)) ?? 0,
    arrivals: () => readCounters(record.target),
    log: (name) => readLines(join(paths.log, LOG_FILES[name])),
    stop: () => remove(record),
  };
}

function readLines(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean);
  } catch {
    // Not written yet: nobody has come.
    return [];
  }
}

async function remove(record: LabRecord): Promise<void> {
  await removeNetwork(record);
  await retried(async () => {
    // Two labs may sweep the same orphan: whoever comes second finds no account.
    if (readFileSync('/etc/passwd', 'utf8').includes(`\n${record.user}:`)) await run('userdel', [record.user]);
  });
  for (const name of dataDirectories(record)) await removeCgroups(realpathSync(join(record.directory, name)));
  rmSync(record.directory, { recursive: true, force: true });
  forget(record);
}

function dataDirectories({ directory }: LabRecord): readonly string[] {
  return existsSync(directory) ? readdirSync(directory).filter((name) => name.startsWith('data-')) : [];
}
