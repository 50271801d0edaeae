import { setTimeout as sleep } from 'node:timers/promises';
import type { Confiner } from './confinement.ts';
import { signalProcess } from './signal.ts';
import { startProcess } from './spawn.ts';

/** Longest time for one signal to everything; it takes milliseconds. */
const LIMIT_MS = 2000;
const DONE = 77;
const REFUSED = 78;

/**
 * kill(-1) as the user id itself: the kernel walks all its processes under one lock, and a fork under way is undone.
 * Attack: as root, or with any capability left, the same call would end the machine; so the shell, whose `kill`, `read`
 * and `[` are builtins, first reads about itself from the kernel. Constant: nothing of a caller is part of it but $1.
 */
const SCRIPT = `
while read -r name a b c d rest; do
  case "$name" in
    Uid:) [ "$a$b$c$d" = "$1$1$1$1" ] && user=own ;;
    CapPrm:|CapEff:|CapAmb:) [ "$a" = 0000000000000000 ] && caps="$caps-" ;;
  esac
done < /proc/self/status
[ "$user$caps" = own--- ] || exit ${REFUSED}
kill -KILL -1 2> /dev/null
exit ${DONE}
`;

/**
 * `ended`: the kernel has ended everything of the user id, also what no look can catch. `unavailable`: it cannot be
 * done here. `disturbed`: it was, as by a process of that user id.
 */
export type UserEnd = 'ended' | 'unavailable' | 'disturbed';

/** Ends every process of a user id in one pass of the kernel. The user id belongs to one run alone. */
export type EndUser = (uid: number) => Promise<UserEnd>;

/** Makes the function that ends a user id; without `confiner` the user is switched between fork and exec. */
export function createEndUser(confiner: Confiner | undefined, strayDescriptors: readonly number[]): EndUser {
  return async (uid) => {
    if (!Number.isSafeInteger(uid) || uid <= 0) throw new RangeError(`not the user id of a tool: ${uid}`);
    try {
      const { pid, exited } = await startProcess({
        argv: [...(confiner === undefined ? [] : asUser(confiner, uid)), '/bin/sh', '-c', SCRIPT, 'end-user', `${uid}`],
        env: { PATH: '/usr/bin:/bin' },
        cwd: '/',
        stdin: undefined,
        uid: confiner === undefined ? uid : undefined,
        strayDescriptors,
        onStdout: () => undefined,
        onStderr: () => undefined,
      });
      const timer = new AbortController();
      const late = sleep(LIMIT_MS, undefined, { signal: timer.signal }).catch(() => undefined);
      const end = await Promise.race([exited, late]);
      timer.abort();
      // Attack: a process of the same user id may stop or end this one.
      if (end === undefined) signalProcess(pid, 'SIGKILL');
      if (end === undefined || end.signal !== null) return 'disturbed';
      return end.exitCode === DONE ? 'ended' : 'unavailable';
    } catch {
      return 'unavailable'; // no shell, or no process to be had: the looks alone decide
    }
  };
}

function asUser({ setpriv }: Confiner, uid: number): readonly string[] {
  return [
    setpriv,
    '--no-new-privs',
    '--inh-caps=-all',
    '--ambient-caps=-all',
    '--bounding-set=-all',
    `--reuid=${uid}`,
    `--regid=${uid}`,
    '--clear-groups',
    '--',
  ];
}
