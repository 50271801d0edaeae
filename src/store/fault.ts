import { accessSync, constants, statfsSync } from 'node:fs';
import { type ErrorCode, SallyportError } from '../core/errors.ts';
import type { StoreFault } from '../core/store/types.ts';

/** What is wrong, without when. */
export type FaultKind = StoreFault['kind'];

/** An error on its way between threads. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  /** Set when the file is to blame, not the request. */
  readonly fault?: FaultKind;
  /** For the log alone. */
  readonly cause: string;
}

/** Result codes of SQLite (sqlite.org/rescode.html), the low byte of the extended ones. */
const CODE = {
  busy: 5,
  locked: 6,
  readonly: 8,
  ioerr: 10,
  corrupt: 11,
  full: 13,
  cantopen: 14,
  constraint: 19,
  notadb: 26,
};

const MESSAGES: Readonly<Record<FaultKind, string>> = {
  disk_full: 'The store cannot be written: the disk is full.',
  read_only: 'The store cannot be written: its file or its file system is read-only.',
  corrupt: 'The store is damaged; `sallyport doctor` says how, and a backup mends it.',
  other: 'The store cannot be used: its file gives errors; `sallyport doctor` says more.',
};

/** SQLite's own code of an error; undefined for any other error. */
export function sqliteCode(thrown: unknown): number | undefined {
  const code = (thrown as { errcode?: unknown } | undefined)?.errcode;
  return typeof code === 'number' ? code & 0xff : undefined;
}

/** Puts whatever a unit threw into words for the caller. Messages name no path: they go to clients. */
export function toWireError(thrown: unknown, path: string): WireError {
  const cause = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  if (thrown instanceof SallyportError) {
    const isFault = thrown.code === 'ERR_STORE_UNAVAILABLE';
    return { code: thrown.code, message: thrown.message, cause, ...(isFault && { fault: 'other' as const }) };
  }
  const code = sqliteCode(thrown);
  if (code === undefined || code === CODE.constraint) {
    return { code: 'ERR_INTERNAL', message: 'The store refused a change that contradicts itself.', cause };
  }
  if (code === CODE.busy || code === CODE.locked) {
    return {
      code: 'ERR_STORE_UNAVAILABLE',
      message: 'The store is held by another process for too long.',
      fault: 'other',
      cause,
    };
  }
  const fault = kindOf(code, path);
  return { code: 'ERR_STORE_UNAVAILABLE', message: MESSAGES[fault], fault, cause };
}

/** The error that callers get. */
export function fromWireError({ code, message, cause }: WireError): SallyportError {
  return new SallyportError(code, message, { cause: new Error(cause) });
}

function kindOf(code: number, path: string): FaultKind {
  if (code === CODE.full) return 'disk_full';
  if (code === CODE.readonly) return 'read_only';
  if (code === CODE.corrupt || code === CODE.notadb) return 'corrupt';
  // SQLite tells any other error of the system as IOERR or CANTOPEN: the file system is asked for its reason.
  if (code === CODE.ioerr || code === CODE.cantopen) return reasonOf(path);
  return 'other';
}

function reasonOf(path: string): FaultKind {
  try {
    const { bavail, bsize } = statfsSync(path);
    // One page of the shared index (32 KiB) must fit.
    if (bavail * bsize < 65_536) return 'disk_full';
    accessSync(path, constants.W_OK);
    return 'other';
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    return code === 'EROFS' || code === 'EACCES' ? 'read_only' : 'other';
  }
}
