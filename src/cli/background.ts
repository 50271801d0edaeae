import { spawn } from 'node:child_process';
import { closeSync, constants, fstatSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { findConfiner } from '../core/execution/confinement.ts';
import { readPrivileges } from '../core/execution/privileges.ts';
import { SallyportError } from '../core/errors.ts';
import { DATA_FILES } from './gateway-process.ts';

/** The log is set aside at a start once it is larger than this. */
const LOG_BYTES = 67_108_864;

/** The gateway process that was started here. */
export interface BackgroundProcess {
  readonly pid: number | undefined;
  /** Where its lines begin in the log, bytes. */
  readonly logStart: number;
  /** Undefined while it runs; then why it ended. */
  readonly ended: () => string | undefined;
}

/** What a start needs to know. */
export interface BackgroundStart {
  /** The checkout. */
  readonly root: string;
  readonly dataDir: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Whether the configuration has raw packets. */
  readonly raw: boolean;
}

/**
 * Starts the gateway detached from this terminal, its output appended to the log of the data directory (mode 0600).
 * Throws ERR_EXEC_HELPER_MISSING when it would have a capability that its configuration does not want.
 */
export function startInBackground({ root, dataDir, environment, raw }: BackgroundStart): BackgroundProcess {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, DATA_FILES.log);
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES) renameSync(path, `${path}.1`);
  // Never through a link: root's log would be written wherever it leads.
  const log = openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  const logStart = fstatSync(log).size;
  let ended: string | undefined;
  // SIGUSR1 would open Node's inspector, and a tool of the same user id may send it.
  const gateway = [process.execPath, '--disable-sigusr1', join(root, 'src', 'server.ts')];
  const [program = process.execPath, ...args] = [...(raw ? [] : withoutRaw()), ...gateway];
  const child = spawn(program, args, {
    cwd: root,
    detached: true,
    // An inspector or a preload that was meant for another program has no place in the gateway.
    env: { ...environment, NODE_OPTIONS: undefined },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.once('error', (error) => (ended = error.message));
  child.once('exit', (code, signal) => (ended = signal === null ? `exit code ${code}` : `signal ${signal}`));
  child.unref();
  return { pid: child.pid, logStart, ended: () => ended };
}

/** `restart` holds NET_RAW while it looks at a gateway that has it; the next one may be configured without. */
function withoutRaw(): readonly string[] {
  if (!readPrivileges().mayGiveRaw) return [];
  const setpriv = findConfiner()?.setpriv;
  if (setpriv === undefined) {
    throw new SallyportError('ERR_EXEC_HELPER_MISSING', 'setpriv is missing: apt-get install -y util-linux');
  }
  return [setpriv, '--no-new-privs', '--inh-caps=-all', '--ambient-caps=-all', '--'];
}
