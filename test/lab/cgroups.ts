import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { findHierarchies } from '../../src/core/execution/cgroup-paths.ts';
import { until } from './command.ts';

/** Removes the control groups that the entry script made for the gateway of a data directory; its processes are gone. */
export async function removeCgroups(dataDir: string): Promise<void> {
  const name = `sallyport-${createHash('sha256').update(dataDir).digest('hex').slice(0, 16)}`;
  const found = findHierarchies(
    readFileSync('/proc/self/cgroup', 'utf8'),
    readFileSync('/proc/self/mountinfo', 'utf8'),
  );
  // Below our own group, or below the root when ours is that of a login: deploy/cgroups.sh says why.
  const bases = found.map(({ own }) => join(own.replace(/\/user\.slice\/.*$/, ''), name));
  for (const base of bases) {
    // A group is busy until the kernel is done with the last process that was in it.
    await until(`the end of ${base}`, () => removeGroup(base));
  }
}

function removeGroup(group: string): boolean {
  if (!existsSync(group)) return true;
  for (const entry of readdirSync(group, { withFileTypes: true })) {
    if (entry.isDirectory()) removeGroup(join(group, entry.name));
  }
  try {
    rmdirSync(group);
    return true;
  } catch {
    return false; // still busy
  }
}
