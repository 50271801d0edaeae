import type { ForkOptions } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { findHierarchies } from '../src/core/execution/cgroup-paths.ts';

const CGROUPS_SCRIPT = join(import.meta.dirname, '..', 'deploy', 'cgroups.sh');
/** Far from the accounts of a machine. */
const FIRST_UID = 64_300;
const UIDS = 600;

const NAME = `bench-${process.pid}`;
/** The script's name for it. */
const GROUP = `sallyport-${NAME}`;

/** Whom measured processes run as when the benchmark was started as root. */
export const BENCH_UID = FIRST_UID + (process.pid % UIDS);

/**
 * How Node is started for a measured process: as root as another user without any capability, since a gateway refuses to
 * be root, and what it is compared with must not have more rights than it. With `hasGroups` root first prepares control
 * groups for it, as the entry script does.
 */
export function startAsUser(options: readonly string[], hasGroups: boolean): ForkOptions {
  if (process.geteuid?.() !== 0) return { execArgv: [...options] };
  const user = [`--reuid=${BENCH_UID}`, `--regid=${BENCH_UID}`, '--clear-groups', '--no-new-privs'];
  const nothing = ['--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all', '--'];
  const dropped = ['setpriv', ...user, ...nothing, process.execPath, ...options];
  const line = 'sh "$0" "$1" "$2" $$ && shift 2 && exec "$@"';
  return {
    execPath: hasGroups ? 'sh' : 'setpriv',
    execArgv: hasGroups ? ['-c', line, CGROUPS_SCRIPT, String(BENCH_UID), NAME, ...dropped] : dropped.slice(1),
    env: { ...process.env, HOME: '/nonexistent', TMPDIR: '/tmp' },
  };
}

/** Removes the control groups that were prepared for a process that has ended. */
export function removeGroups(): void {
  const read = (name: string) => readFileSync(`/proc/self/${name}`, 'utf8');
  for (const { own } of findHierarchies(read('cgroup'), read('mountinfo'))) {
    // A login's groups are passed over by the script, too.
    const base = `${own.replace(/\/user\.slice\/.*$/, '')}/${GROUP}`;
    if (!existsSync(base)) continue;
    const inside = readdirSync(base, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    for (const { name } of inside) rmdirSync(`${base}/${name}`);
    rmdirSync(base);
  }
}
