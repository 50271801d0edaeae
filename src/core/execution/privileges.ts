import { readFileSync } from 'node:fs';
import { SallyportError } from '../errors.ts';
import { capabilitySet, statusField } from './proc.ts';

/** Bit of CAP_NET_RAW in capabilities(7). */
const NET_RAW = 13n;
/** A capability set that holds NET_RAW and nothing else. */
export const ONLY_NET_RAW = 1n << NET_RAW;

/** What the gateway's own process may do for its children. */
export interface Privileges {
  readonly uid: number;
  /** NET_RAW can be handed on as ambient capability. */
  readonly mayGiveRaw: boolean;
}

/**
 * Reads the credentials of this process from the kernel. Throws ERR_EXEC_CONFINEMENT for root.
 * Attack: as root one fault in any layer, or in this program itself, would hand over the machine.
 */
export function readPrivileges(status: string = readFileSync('/proc/self/status', 'latin1')): Privileges {
  const uids = statusField(status, 'Uid')?.split('\t').map(Number) ?? [];
  const [uid] = uids;
  if (uid === undefined || uids.includes(0)) {
    throw new SallyportError(
      'ERR_EXEC_CONFINEMENT',
      'The gateway does not run as root: start it with ./sallyport, deploy/enter.sh or setpriv, which drop to a user first.',
    );
  }
  return { uid, mayGiveRaw: (capabilitySet(status, 'CapAmb') & ONLY_NET_RAW) !== 0n };
}
