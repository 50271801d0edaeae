import { randomBytes } from 'node:crypto';
import { createCursors as createSealed } from '../core/run/cursors.ts';
import { RPC, RpcFault } from './json-rpc.ts';

/** Makes and reads opaque pagination cursors. A cursor is bound to its principal and to this process. */
export interface Cursors {
  /** The cursor of the page that begins after `name`. */
  seal(principalId: string, name: string): string;
  /** The name in it. Throws −32602 for anything that this process did not give to this principal. */
  open(principalId: string, cursor: string): string;
}

/** Cursors under a fresh random key, so that none survives a restart. */
export function createCursors(): Cursors {
  const sealed = createSealed(randomBytes(32));
  return {
    seal: (principalId, name) => sealed.seal([principalId], name),
    open: (principalId, cursor) => {
      try {
        return sealed.open([principalId], cursor);
      } catch {
        throw new RpcFault(RPC.invalidParams, 'The cursor is not valid; start again without one.');
      }
    },
  };
}
