import type { ResourceLimits } from './limits.ts';
import { findProgram } from './programs.ts';
import type { Command } from './types.ts';

/** The two programs of util-linux that make layer 1 where the launcher is not there. */
export interface Confiner {
  readonly prlimit: string;
  readonly setpriv: string;
}

/** Finds util-linux in the system's directories; undefined when it is not installed. */
export function findConfiner(directories?: readonly string[]): Confiner | undefined {
  const prlimit = findProgram('prlimit', directories);
  const setpriv = findProgram('setpriv', directories);
  return prlimit === undefined || setpriv === undefined ? undefined : { prlimit, setpriv };
}

/** What stands before the program in layer 1 by util-linux (prlimit(1), setpriv(1)). */
export function confinerPrefix(
  confiner: Confiner,
  limits: ResourceLimits,
  capability: Command['capability'],
): readonly string[] {
  return [
    confiner.prlimit,
    ...Object.entries(limits).map(([name, value]) => `--${name}=${value}`),
    '--',
    ...privilegePrefix(confiner, capability),
  ];
}

/** setpriv(1) alone: bubblewrap refuses to start with capabilities that it cannot explain. */
export function privilegePrefix({ setpriv }: Confiner, capability: Command['capability']): readonly string[] {
  const set = capability === 'raw' ? '-all,+net_raw' : '-all';
  return [setpriv, '--no-new-privs', `--inh-caps=${set}`, `--ambient-caps=${set}`, '--pdeathsig', 'KILL', '--'];
}
