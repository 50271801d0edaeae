import { readFileSync } from 'node:fs';
import { capabilitySet, statusField } from './proc.ts';

/** Bits of capabilities(7). */
const CAP = { CHOWN: 0, DAC_OVERRIDE: 1, FOWNER: 3, KILL: 5, SETGID: 6, SETUID: 7, SETPCAP: 8, NET_RAW: 13 } as const;
/** A capability set that holds NET_RAW and nothing else. */
export const ONLY_NET_RAW = 1n << BigInt(CAP.NET_RAW);

/** What the gateway's own process may do for its children. */
export interface Privileges {
  readonly uid: number;
  /** Tools can be given a user id of their own, and what they leave can be ended and removed. */
  readonly maySwitchUid: boolean;
  /** NET_RAW can be handed on as ambient capability. */
  readonly mayGiveRaw: boolean;
}

/** Reads our own privileges from /proc/self/status: what the kernel says, not what the user name suggests. */
export function readPrivileges(status: string = readFileSync('/proc/self/status', 'latin1')): Privileges {
  const uid = Number(statusField(status, 'Uid')?.split('\t')[1]);
  const effective = capabilitySet(status, 'CapEff');
  const needed = [CAP.CHOWN, CAP.DAC_OVERRIDE, CAP.FOWNER, CAP.KILL, CAP.SETGID, CAP.SETUID, CAP.SETPCAP];
  return {
    uid,
    maySwitchUid: uid === 0 && needed.every((bit) => has(effective, bit)),
    // Without uid 0 only an ambient capability survives the exec of prlimit and setpriv.
    mayGiveRaw: has(capabilitySet(status, uid === 0 ? 'CapPrm' : 'CapAmb'), CAP.NET_RAW),
  };
}

function has(set: bigint, bit: number): boolean {
  return ((set >> BigInt(bit)) & 1n) === 1n;
}
