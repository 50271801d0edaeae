import type { StartFault } from './start-fault.ts';

/** Longest text kept of what the chain says about itself; it says a few short lines. */
const MOST_BYTES = 4096;

/** What the programs before the tool said on the status socket. The tool itself never has that descriptor. */
export interface ChainStatus {
  /** Why nothing of the tool ran. */
  readonly fault: StartFault | undefined;
  /** Properties that the launcher found in force just before it executed the tool (`abi`, `tcp`, `scope`). */
  readonly ready: ReadonlyMap<string, number> | undefined;
  /** Processes ended after the first one, once waitpid(2) had none left; undefined when that was not proved. */
  readonly killed: number | undefined;
}

/** Collects status lines. */
export interface StatusReader {
  take(chunk: Buffer): void;
  read(): ChainStatus;
}

/** Makes a reader of the lines `fault STEP ERRNO`, `ready NAME=N…` and `end N`. */
export function createStatusReader(): StatusReader {
  let text = '';
  return {
    take: (chunk) => {
      if (text.length < MOST_BYTES) text += chunk.toString('latin1').slice(0, MOST_BYTES - text.length);
    },
    read: () => {
      const lines = text.split('\n').slice(0, -1);
      const ready = readReady(lines);
      const killed = /^end (\d+)$/.exec(lines.find((line) => line.startsWith('end ')) ?? '')?.[1];
      return {
        fault: readFault(lines, ready !== undefined),
        ready,
        killed: killed === undefined ? undefined : Number(killed),
      };
    },
  };
}

/** Error numbers of errno(3) that mean something of their own here; the same on x86-64 and arm64. */
const ERRNO: Readonly<Record<number, string>> = {
  1: 'EPERM',
  2: 'ENOENT',
  7: 'E2BIG',
  8: 'ENOEXEC',
  11: 'EAGAIN',
  12: 'ENOMEM',
  13: 'EACCES',
  22: 'EINVAL',
  23: 'ENFILE',
  24: 'EMFILE',
  28: 'ENOSPC',
  38: 'ENOSYS',
  95: 'EOPNOTSUPP',
  122: 'EDQUOT',
};

function readFault(lines: readonly string[], isReady: boolean): StartFault | undefined {
  const found = lines.map((line) => /^fault ([a-z-]{1,20}) (\d{1,4})$/.exec(line)).find((match) => match !== null);
  if (found === undefined) return undefined;
  const [, step = '', number = ''] = found;
  const name = ERRNO[Number(number)] ?? `errno ${number}`;
  // The program itself could not be executed: that is the tool's fault, not the confinement's. Only the launcher tries
  // it, after `ready`; what fails before that is the execution of a program of the chain.
  if (step === 'exec' && isReady) return { code: name, message: `execve of the program failed: ${name}` };
  return { code: confinementCode(step, name), message: `${step}: ${name}` };
}

function confinementCode(step: string, name: string): string {
  if (name === 'ENOSYS' || name === 'EOPNOTSUPP') return 'KERNEL_UNSUPPORTED';
  if (name === 'EMFILE' || name === 'ENFILE' || name === 'EAGAIN') return name;
  if (step === 'exec' && (name === 'EACCES' || name === 'ENOEXEC')) return 'HELPER_MISSING';
  if (name === 'ENOENT' && (step === 'exec' || step === 'egress')) return 'HELPER_MISSING';
  return name === 'EPERM' || name === 'EACCES' ? 'SYSCALL_DENIED' : 'CONFINEMENT';
}

function readReady(lines: readonly string[]): ReadonlyMap<string, number> | undefined {
  const line = lines.find((each) => each.startsWith('ready '));
  if (line === undefined) return undefined;
  return new Map([...line.matchAll(/([a-z]+)=(\d{1,4})/g)].map(([, name = '', value]) => [name, Number(value)]));
}
