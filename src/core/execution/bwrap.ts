import { readlinkSync } from 'node:fs';
import { posix } from 'node:path';

/** What one tool sees of the machine in layer 3. All paths are absolute. */
export interface BwrapRequest {
  /** bubblewrap itself. */
  readonly bwrap: string;
  /** The working directory, at the same path inside: the only place that can be written. */
  readonly scratch: string;
  /** Files and directories that can be read; what does not exist is left out. */
  readonly read: readonly string[];
  /** Programs and interpreters that can be executed. */
  readonly execute: readonly string[];
  /** Directory of the launcher, where it is the next element of the chain. */
  readonly launcher: string | undefined;
  /** Target of a symbolic link, undefined for anything else; by default what readlink(2) says. */
  readonly linkOf?: (path: string) => string | undefined;
}

/** The devices that programs cannot do without; /dev/shm, terminals and disks are not among them. */
const DEVICES = ['/dev/null', '/dev/zero', '/dev/random', '/dev/urandom'] as const;
/** Links followed in one path before it is given up; as many as the kernel follows (path_resolution(7)). */
const MOST_LINKS = 40;

/**
 * The argument vector up to and with the `--` behind which the next program of the chain stands (bwrap(1), 0.8 or
 * newer). What follows runs as the same user in user, PID, IPC, UTS and cgroup namespaces of its own, on a root made of
 * the named paths alone; the network is shared, descriptors and environment are passed on.
 */
export function bwrapPrefix(request: BwrapRequest): readonly string[] {
  return [request.bwrap, ...namespaceOptions(), ...rootOptions(request), '--'];
}

// No --new-session: the chain already leads a session without a terminal, so there is no input to push into one, and a
// second session would take the tool out of the process group that TERM is sent to.
function namespaceOptions(): readonly string[] {
  return [
    // Attack: a gateway that is killed hard must not leave a scan behind.
    '--die-with-parent',
    '--unshare-user',
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--unshare-cgroup-try',
    // Attack: a further user namespace gives every capability back, and with it mounts and half the kernel's old holes.
    '--disable-userns',
    '--assert-userns-disabled',
    // The machine's own name is nothing that a target should read in a greeting.
    '--hostname',
    'localhost',
    '--cap-drop',
    'ALL',
  ];
}

function rootOptions(request: BwrapRequest): readonly string[] {
  const { scratch, read, execute, launcher, linkOf = readLink } = request;
  const links = new Map<string, string>();
  const reads = [...read, ...execute, ...(launcher === undefined ? [] : [launcher])].filter(
    // Attack: /proc/self of here is the gateway's; inside there is a /proc of the namespace's own.
    (path) => path !== '/proc' && !isWithin(path, '/proc'),
  );
  const binds = outermost(reads.map((path) => followed(path, links, linkOf)));
  const home = followed(scratch, links, linkOf);
  return [
    // Inside a bound directory the link is there already.
    ...[...links].filter(([path]) => !binds.some((bind) => isWithin(path, bind))).flatMap(linkOptions),
    ...binds.flatMap((path) => ['--ro-bind-try', path, path]),
    // Attack: the /proc of the machine shows every process with its arguments, and through environ and mem their secrets.
    '--proc',
    '/proc',
    ...DEVICES.flatMap((path) => ['--dev-bind', path, path]),
    // Last of the mounts: nothing that is read may cover it.
    '--bind',
    home,
    home,
    // Attack: the root is memory without a limit, which a tool could fill past its own caps.
    '--remount-ro',
    '/',
    '--chdir',
    scratch,
  ];
}

function linkOptions([path, target]: readonly [string, string]): readonly string[] {
  return ['--symlink', target, path];
}

/** The path without symbolic links; those that were followed are noted, so that the given spelling works inside too. */
function followed(path: string, links: Map<string, string>, linkOf: (path: string) => string | undefined): string {
  const rest = path.split('/').filter(Boolean);
  let real = '/';
  for (let left = MOST_LINKS, name = rest.shift(); name !== undefined; name = rest.shift()) {
    const next = posix.join(real, name);
    const target = left > 0 ? linkOf(next) : undefined;
    if (target === undefined) {
      real = next;
      continue;
    }
    left -= 1;
    links.set(next, target);
    rest.unshift(...posix.resolve(real, target).split('/').filter(Boolean));
    real = '/';
  }
  return real;
}

/** The paths that lie in no other one, in order: a mount of a parent would hide what was mounted before it. */
function outermost(paths: readonly string[]): readonly string[] {
  const different = [...new Set(paths)].sort();
  return different.filter((path) => !different.some((other) => other !== path && isWithin(path, other)));
}

function isWithin(path: string, directory: string): boolean {
  return path.startsWith(directory === '/' ? '/' : `${directory}/`);
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // no link, or not there: bwrap looks at it again
  }
}
