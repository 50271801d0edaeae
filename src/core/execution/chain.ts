import { realpathSync } from 'node:fs';
import { bwrapPrefix } from './bwrap.ts';
import type { Cgroups } from './cgroup.ts';
import { type Confiner, confinerPrefix, privilegePrefix } from './confinement.ts';
import { egressArgv, egressFor, type EgressHost, type EgressPrograms } from './egress.ts';
import type { Launcher } from './launcher.ts';
import { type ResourceLimits, resourceLimits } from './limits.ts';
import type { Command, PortRange, ToolNeeds } from './types.ts';

/** What this machine offers for confinement; what is missing or switched off is undefined. */
export interface Means {
  /** util-linux: layer 1 where the launcher is not there. */
  readonly confiner?: Confiner | undefined;
  /** The native programs: layers 1 and 2, the lifeline, and what layers 4 and 5 stand on. */
  readonly launcher?: Launcher | undefined;
  /** Path of bubblewrap. */
  readonly bwrap?: string | undefined;
  readonly cgroups?: Cgroups | undefined;
  /** Programs of layer 5, and what the machine lets them do. */
  readonly egress?: (EgressPrograms & EgressHost) | undefined;
  /** Processes of our user id that a tool outside a user namespace may not exceed; counts everything of that user. */
  readonly userProcesses: number;
}

/** One command and what was prepared for it. */
export interface ChainRequest {
  readonly command: Command;
  readonly scratch: string;
  /** Absolute cgroup.procs files that the tree enters. */
  readonly cgroupProcs: readonly string[];
  /** File with the nft rules, where layer 5 applies to this command. */
  readonly egressRules: string | undefined;
}

type Places = Required<Pick<ToolNeeds, 'read' | 'execute'>>;

/** Processes and threads of one tool where they are counted for it alone. */
const PROCESSES = 512;
/** ELF interpreters, which execve(2) needs to be executable like the program itself. */
const LOADERS = ['/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-aarch64.so.1'] as const;
/** The C library's and loader's own files, and the time zone: what every dynamic program reads. */
const BASE_READS = ['/usr/lib', '/lib', '/lib64', '/etc/ld.so.cache', '/etc/localtime', '/usr/share/zoneinfo'] as const;
/** Port ranges given to Landlock; a scan of scattered ports beyond that is not limited by port in layer 2. */
const MOST_PORTS = 4096;

/** Whether the file system layer applies: a user namespace has no raw packets on the machine's network. */
export function hasOwnFileSystem(means: Means, command: Command): boolean {
  return means.bwrap !== undefined && command.capability !== 'raw';
}

/** Every program that may stand before the tool, absolute paths. */
export function chainPrograms({ launcher, confiner, bwrap, egress }: Means): readonly string[] {
  return [
    ...(launcher === undefined ? [] : [launcher.supervisor, launcher.launcher]),
    ...(launcher === undefined && confiner !== undefined ? [confiner.prlimit, confiner.setpriv] : []),
    ...(bwrap === undefined ? [] : [bwrap]),
    ...(launcher === undefined || egress === undefined ? [] : [launcher.egress, egress.slirp, egress.nft]),
  ];
}

/** The nft rules of a run behind layer 5; undefined where it does not apply. */
export function egressRulesOf({ egress }: Means, command: Pick<Command, 'reach'>): string | undefined {
  if (egress === undefined) return undefined;
  const decision = egressFor(command, egress);
  return decision.applies ? decision.rules : undefined;
}

/** The whole argument vector, first element the program, that runs the command in every layer that the means allow. */
export function chainArgv(means: Means, request: ChainRequest): readonly string[] {
  const { command } = request;
  const tool = [realpathSync(command.binary), ...command.argv];
  const wrapped = hasOwnFileSystem(means, command);
  // In a user namespace of its own the kernel counts the processes of that namespace alone.
  const limits = resourceLimits(command, wrapped ? PROCESSES : means.userProcesses);
  const seen = placesOf(command);
  if (means.launcher === undefined) return utilLinuxChain(means, { ...request, limits, seen, tool, wrapped });
  return [
    means.launcher.supervisor,
    ...request.cgroupProcs.map((path) => `cgroup=${path}`),
    `caps=${command.capability === 'raw' ? 'net_raw' : 'none'}`,
    // TERM is for the tool: bubblewrap would die of it and take the tool along before its grace is over.
    ...(wrapped ? ['shield=1'] : []),
    '--',
    ...egressPrefix(means, request),
    ...fileSystemPrefix(means, { ...request, seen, wrapped, helpers: [] }),
    ...launcherPrefix(means.launcher, { command, limits, seen, scratch: request.scratch }),
    ...tool,
  ];
}

interface UtilLinuxRequest extends ChainRequest {
  readonly limits: ResourceLimits;
  readonly seen: Places;
  readonly tool: readonly string[];
  readonly wrapped: boolean;
}

/** Without the native programs: the limits stand inside the namespace, where processes are counted for it alone. */
function utilLinuxChain(means: Means, request: UtilLinuxRequest): readonly string[] {
  const { confiner } = means;
  const helpers = confiner === undefined ? [] : [confiner.prlimit, confiner.setpriv];
  return [
    ...(confiner === undefined || !request.wrapped ? [] : privilegePrefix(confiner, 'none')),
    ...fileSystemPrefix(means, { ...request, helpers }),
    ...(confiner === undefined ? [] : confinerPrefix(confiner, request.limits, request.command.capability)),
    ...request.tool,
  ];
}

interface FileSystemRequest {
  readonly seen: Places;
  readonly scratch: string;
  readonly wrapped: boolean;
  /** Programs of the chain itself that have to be there inside. */
  readonly helpers: readonly string[];
}

function fileSystemPrefix(means: Means, { seen, scratch, wrapped, helpers }: FileSystemRequest): readonly string[] {
  if (!wrapped || means.bwrap === undefined) return [];
  const { read, execute } = seen;
  const launcher = means.launcher?.directory;
  return bwrapPrefix({ bwrap: means.bwrap, scratch, read, execute: [...execute, ...helpers], launcher });
}

function egressPrefix({ egress }: Means, { command, egressRules }: ChainRequest): readonly string[] {
  if (egressRules === undefined || egress === undefined) return [];
  return egressArgv(egress, egressRules, command.capability === 'raw');
}

interface LauncherRequest {
  readonly command: Command;
  readonly limits: ResourceLimits;
  readonly seen: Places;
  readonly scratch: string;
}

function launcherPrefix(launcher: Launcher, { command, limits, seen, scratch }: LauncherRequest): readonly string[] {
  const sockets = (command.needs.sockets ?? []).filter((family) => family !== 'packet' || command.capability === 'raw');
  return [
    launcher.launcher,
    ...Object.entries(limits).map(([name, value]) => `${name}=${value}`),
    `caps=${command.capability === 'raw' ? 'net_raw' : 'none'}`,
    ...seen.read.map((path) => `read=${path}`),
    ...seen.execute.map((path) => `execute=${path}`),
    `write=${scratch}`,
    `connect=${connectPorts(command)}`,
    ...sockets.map((family) => `socket=${family}`),
    '--',
  ];
}

function placesOf(command: Command): Places {
  const { read = [], execute = [] } = command.needs;
  return {
    read: [...BASE_READS, ...read],
    execute: [realpathSync(command.binary), ...LOADERS, ...execute],
  };
}

/** TCP ports that may be connected to, as the launcher takes them. */
function connectPorts({ reach }: Command): string {
  const ranges: PortRange[] = [];
  for (const { protocol, ports } of reach.endpoints) {
    if (protocol !== 'tcp') continue;
    if (ports === undefined) return 'any';
    ranges.push(...ports);
  }
  const count = ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  if (count > MOST_PORTS) return 'any';
  if (count === 0) return 'none';
  return [...new Set(ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)))].join(',');
}
