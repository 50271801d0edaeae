import { existsSync, rmdirSync } from 'node:fs';
import { SallyportError } from '../errors.ts';
import {
  groupNames,
  isGroup,
  isWritable,
  makeGroup,
  processesIn,
  readControl,
  tryControl,
  writeControl,
} from './cgroup-file.ts';
import {
  baseOf,
  CONTROLLERS,
  type Controller,
  findHierarchies,
  GATEWAY_GROUP,
  type Hierarchy,
} from './cgroup-paths.ts';
import { type CgroupLimits, type GroupPart, limitGroup, type RunCgroup, runCgroup } from './cgroup-run.ts';
import { processPlace } from './proc.ts';

/** What `create` takes and gives. */
export type { CgroupLimits, RunCgroup } from './cgroup-run.ts';

const RUN_ID = /^[A-Za-z0-9_-]{1,64}$/;
/** `run-<start of the gateway, ticks since boot>-<its pid>-<run id>`: the first two name one life of one gateway. */
const RUN_GROUP = /^run-(\d+)-(\d+)-[A-Za-z0-9_-]{1,64}$/;

/** Which version limits something here. */
export type LimitedBy = 'v2' | 'v1' | 'none';

/** Where to read our place; the defaults are those of the running process. */
export interface CgroupOptions {
  readonly selfCgroupFile?: string;
  readonly mountinfoFile?: string;
}

/** Control groups for runs, below a group that was handed to this process (layer 4). */
export interface Cgroups {
  /** What works here; `kill` is the atomic cgroup.kill of version 2 (Linux 5.14). */
  readonly what: { readonly kill: boolean } & { readonly [name in Controller]: LimitedBy };
  /**
   * Ends and removes what gateways that no longer live left behind; answers how many processes were ended. Throws
   * ERR_EXEC_CONFINEMENT, after the others, when a group could not be emptied.
   */
  leftovers(): Promise<number>;
  /**
   * Makes the limited, empty group of one run. Throws ERR_EXEC_CONFINEMENT, and leaves nothing behind, for a run id
   * with other characters than `A-Za-z0-9_-`, for a limit that is no whole number above zero, and when any part of the
   * group could not be made or limited.
   */
  create(runId: string, limits: CgroupLimits): RunCgroup;
}

/**
 * Finds the groups that this process may divide: those that `deploy/cgroups.sh` or a service manager prepared (our own
 * is named `gateway` and its parent is ours), or a version 2 group of our own with nobody else in it (systemd
 * `Delegate=yes`), which is then divided. Undefined when there is none (cgroups(7), Documentation/admin-guide/cgroup-v2).
 *
 * What it does not stop by itself: a tool has the gateway's uid, so it may write to the same groups: raise its limits,
 * leave its group, or move the gateway into one. Landlock (layer 2) or the mount namespace (layer 3) keep /sys/fs/cgroup
 * out of its reach; without one of them these groups limit mistakes, not attacks.
 */
export async function openCgroups(options: CgroupOptions = {}): Promise<Cgroups | undefined> {
  const selfCgroup = readControl(options.selfCgroupFile ?? '/proc/self/cgroup') ?? '';
  const mountinfo = readControl(options.mountinfoFile ?? '/proc/self/mountinfo') ?? '';
  const bases = findHierarchies(selfCgroup, mountinfo).flatMap((hierarchy) => openBase(hierarchy));
  if (bases.length === 0) return undefined;
  return {
    what: whatWorks(bases),
    leftovers: () => endLeftovers(bases),
    create: (runId, limits) => createGroup(bases, runId, limits),
  };
}

function openBase(hierarchy: Hierarchy): readonly GroupPart[] {
  const { own, version } = hierarchy;
  if (!isGroup(own, version)) return [];
  const path = handedOver(hierarchy) ?? (version === 2 ? divideOwn(own) : undefined);
  if (path === undefined) return [];
  if (version === 1) return [{ version, path, controllers: hierarchy.controllers }];
  return [{ version, path, controllers: enableControllers(path) }];
}

/** The base that somebody prepared for us. */
function handedOver({ own, version }: Hierarchy): string | undefined {
  const base = baseOf(own);
  if (base === undefined || !isGroup(base, version) || !isWritable(base)) return undefined;
  // Version 2 lets a process move only if the mover may write to the common ancestor of both groups.
  return version === 1 || isWritable(`${base}/cgroup.procs`) ? base : undefined;
}

/** Version 2 has no processes in a group that hands on controllers: ours moves into a child, if it is the only one. */
function divideOwn(own: string): string | undefined {
  const isOurs = isWritable(own) && isWritable(`${own}/cgroup.procs`);
  // Others in the group (a shell, a whole desktop session) are not ours to move, and would keep the controllers away.
  if (!isOurs || processesIn(own).some((pid) => pid !== process.pid)) return undefined;
  const gateway = `${own}/${GATEWAY_GROUP}`;
  try {
    makeGroup(gateway, 'mayExist');
    writeControl(`${gateway}/cgroup.procs`, String(process.pid));
    return own;
  } catch {
    return undefined; // a limit on groups, or a service manager that took it back: then there is no such layer here
  }
}

/** Asks for each controller and answers with those that the kernel says it hands on. */
function enableControllers(base: string): readonly Controller[] {
  for (const each of CONTROLLERS) tryControl(`${base}/cgroup.subtree_control`, `+${each}`);
  const enabled = (readControl(`${base}/cgroup.subtree_control`) ?? '').split(' ');
  return CONTROLLERS.filter((each) => enabled.includes(each));
}

function whatWorks(bases: readonly GroupPart[]): Cgroups['what'] {
  const limitedBy = (controller: Controller): LimitedBy => {
    const part = bases.find((base) => base.controllers.includes(controller));
    return part === undefined ? 'none' : `v${part.version}`;
  };
  const unified = bases.find((base) => base.version === 2);
  return {
    // The root of a tree has no cgroup.kill, the groups below it do; it can only be written, not read.
    kill: unified !== undefined && existsSync(`${unified.path}/${GATEWAY_GROUP}/cgroup.kill`),
    memory: limitedBy('memory'),
    pids: limitedBy('pids'),
    cpu: limitedBy('cpu'),
  };
}

/** The name of a group's directory in this life of this gateway. */
function groupName(runId: string): string {
  const startedAt = processPlace(process.pid)?.startedAt;
  if (startedAt === undefined) throw fault('our own start time cannot be read');
  return `run-${startedAt}-${process.pid}-${runId}`;
}

function createGroup(bases: readonly GroupPart[], runId: string, limits: CgroupLimits): RunCgroup {
  // Attack: a run id such as `../gateway`, which would limit or kill another group.
  if (!RUN_ID.test(runId)) throw fault('the run id has characters that a group may not have');
  const isUsable = Object.values(limits).every((limit) => Number.isSafeInteger(limit) && limit > 0);
  if (!isUsable) throw fault('a limit is not a whole number above zero');
  const name = groupName(runId);
  const parts: GroupPart[] = [];
  try {
    for (const base of bases) {
      const part = { ...base, path: `${base.path}/${name}` };
      makeGroup(part.path, 'fresh');
      parts.push(part);
      limitGroup(part, limits);
    }
  } catch (error) {
    for (const part of parts) rmdirSync(part.path); // fresh and empty: nothing has learnt its name yet
    throw error instanceof SallyportError ? error : fault('the group of the run could not be made', error);
  }
  return runCgroup(parts);
}

async function endLeftovers(bases: readonly GroupPart[]): Promise<number> {
  let ended = 0;
  let failure: unknown;
  for (const name of new Set(bases.flatMap((base) => groupNames(base.path)))) {
    if (!isLeftOver(name)) continue;
    const group = runCgroup(bases.map((base) => ({ ...base, path: `${base.path}/${name}` })));
    try {
      const found = group.count();
      await group.kill();
      await group.remove();
      ended += found;
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure !== undefined) throw fault('a group of an earlier start could not be ended', failure);
  return ended;
}

/** A group whose gateway is gone. One that still runs, in the same place beside us, keeps its own. */
function isLeftOver(name: string): boolean {
  const [, startedAt, pid] = RUN_GROUP.exec(name) ?? [];
  // The start time tells a gateway from a later process with its pid.
  return startedAt !== undefined && processPlace(Number(pid))?.startedAt !== startedAt;
}

function fault(message: string, cause?: unknown): SallyportError {
  return new SallyportError('ERR_EXEC_CONFINEMENT', `Control group: ${message}.`, { cause });
}
