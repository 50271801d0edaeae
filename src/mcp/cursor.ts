import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { RPC, RpcFault } from './json-rpc.ts';

/** Makes and reads opaque pagination cursors. A cursor is bound to its principal and to this process. */
export interface Cursors {
  /** The cursor of the page that begins after `name`. */
  seal(principalId: string, name: string): string;
  /** The name in it. Throws −32602 for anything that this process did not give to this principal. */
  open(principalId: string, cursor: string): string;
}

/** Cursors under a fresh random key, so that none survives a restart. */
export function createCursors(key: Buffer = randomBytes(32)): Cursors {
  const mac = (principalId: string, name: string) =>
    createHmac('sha256', key)
      .update(JSON.stringify([principalId, name]))
      .digest();
  return {
    seal: (principalId, name) =>
      `${Buffer.from(name).toString('base64url')}.${mac(principalId, name).toString('base64url')}`,
    open: (principalId, cursor) => {
      const [payload = '', tag = '', ...rest] = cursor.split('.');
      const name = Buffer.from(payload, 'base64url').toString();
      const given = Buffer.from(tag, 'base64url');
      const expected = mac(principalId, name);
      // A cursor of another principal, or a forged one, must not open a view that is not the caller's.
      if (rest.length > 0 || given.length !== expected.length || !timingSafeEqual(given, expected))
        throw new RpcFault(RPC.invalidParams, 'The cursor is not valid; start again without one.');
      return name;
    },
  };
}
