import { basename, dirname } from 'node:path';

/** The controllers that a run is limited with. */
export const CONTROLLERS = ['memory', 'pids', 'cpu'] as const;
/** One of them, by the kernel's name. */
export type Controller = (typeof CONTROLLERS)[number];

/** One mounted tree of control groups and our own place in it. */
export interface Hierarchy {
  readonly version: 1 | 2;
  /** What a version 1 tree controls; empty for version 2, where each group says it itself. */
  readonly controllers: readonly Controller[];
  /** Absolute path of the group that this process is in. */
  readonly own: string;
}

interface Mount {
  readonly type: string;
  readonly root: string;
  readonly point: string;
  readonly options: readonly string[];
}

/** Name of the group that the gateway itself lives in, beside the groups of its runs. */
export const GATEWAY_GROUP = 'gateway';

/**
 * The trees that this process is in and that are mounted where it can see them, version 2 first; from the texts of
 * /proc/self/cgroup (cgroups(7)) and /proc/self/mountinfo (proc_pid_mountinfo(5)). Never throws: what cannot be read
 * without doubt is left out.
 */
export function findHierarchies(selfCgroup: string, mountinfo: string): readonly Hierarchy[] {
  const mounts = mountinfo.split('\n').flatMap((line) => readMount(line));
  const found = selfCgroup.split('\n').flatMap((line) => findHierarchy(line, mounts));
  return found.sort((one, other) => other.version - one.version);
}

/** The parent of a group named `gateway`: the base in which runs get groups; undefined for any other group. */
export function baseOf(own: string): string | undefined {
  return basename(own) === GATEWAY_GROUP ? dirname(own) : undefined;
}

function findHierarchy(line: string, mounts: readonly Mount[]): readonly Hierarchy[] {
  const [, id, names, path] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
  if (id === undefined || names === undefined || path === undefined) return [];
  const isUnified = id === '0' && names === '';
  const controllers = CONTROLLERS.filter((each) => names.split(',').includes(each));
  const [first] = controllers;
  if (!isUnified && first === undefined) return [];
  const isOurs = (mount: Mount): boolean =>
    isUnified ? mount.type === 'cgroup2' : mount.type === 'cgroup' && mount.options.includes(first ?? '');
  for (const mount of mounts) {
    const own = isOurs(mount) ? placeBelow(mount, path) : undefined;
    if (own !== undefined) return [{ version: isUnified ? 2 : 1, controllers, own }];
  }
  return [];
}

/** Where the group `path` is seen through a mount; undefined when that mount shows another part of the tree. */
function placeBelow(mount: Mount, path: string): string | undefined {
  // Outside our cgroup namespace the kernel writes `/../…`, after the removal of the group ` (deleted)`: neither is a
  // place that we may act on.
  if (path.split('/').includes('..') || path.endsWith(' (deleted)')) return undefined;
  const root = mount.root === '/' ? '' : mount.root;
  if (path !== root && !path.startsWith(`${root}/`)) return undefined;
  const rest = path.slice(root.length);
  return rest === '' || rest === '/' ? mount.point : mount.point + rest;
}

function readMount(line: string): readonly Mount[] {
  const [before, after] = line.split(' - ');
  const [, , , root, point] = before?.split(' ') ?? [];
  const [type, , options] = after?.split(' ') ?? [];
  if (root === undefined || point === undefined || type === undefined || !type.startsWith('cgroup')) return [];
  return [{ type, root: unescape(root), point: unescape(point), options: options?.split(',') ?? [] }];
}

/** The kernel writes space, tab, newline and backslash as `\040` and so on. */
function unescape(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
