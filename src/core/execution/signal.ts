/** A signal by name, or 0 to ask only whether the process is there. */
export type SignalName = NodeJS.Signals | 0;

/**
 * Sends a signal to one process; false when it is gone or may not be signalled by us.
 * Throws a RangeError for a pid of 1 or less: 0 and -1 mean "my own group" and "everything" to kill(2).
 */
export function signalProcess(pid: number, signal: SignalName): boolean {
  return send(pid, 1, signal);
}

/** The same for every process of a group; the group id is positive here. */
export function signalGroup(group: number, signal: SignalName): boolean {
  return send(group, -1, signal);
}

function send(pid: number, direction: 1 | -1, signal: SignalName): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 1) throw new RangeError(`not the id of a process to signal: ${pid}`);
  try {
    return process.kill(direction * pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ESRCH' || code === 'EPERM') return false;
    throw error;
  }
}
