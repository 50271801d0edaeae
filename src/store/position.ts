import { SallyportError } from '../core/errors.ts';

/** Where a list ordered by time goes on: after the row of this time and number. */
export interface TimePosition {
  readonly time: number;
  readonly num: number;
}

/** Where the list of one run's findings goes on. */
export interface RankPosition {
  readonly rank: number;
  readonly place: string;
  readonly fingerprint: Uint8Array;
}

/** The position as text. */
export function writeTimePosition({ time, num }: TimePosition): string {
  return `${time}.${num}`;
}

/** The position again; before every row when there is none. Throws ERR_INPUT_INVALID. */
export function readTimePosition(text: string | undefined): TimePosition {
  if (text === undefined) return { time: Number.MAX_SAFE_INTEGER, num: Number.MAX_SAFE_INTEGER };
  const [, time, num] = /^(-?\d{1,16})\.(\d{1,16})$/.exec(text) ?? [];
  if (time === undefined || num === undefined) throw invalid();
  return { time: Number(time), num: Number(num) };
}

/** The position as text. */
export function writeRankPosition({ rank, place, fingerprint }: RankPosition): string {
  return `${-rank}.${Buffer.from(fingerprint).toString('hex')}.${Buffer.from(place, 'utf8').toString('base64url')}`;
}

/** The position again; before every row when there is none. Throws ERR_INPUT_INVALID. */
export function readRankPosition(text: string | undefined): RankPosition {
  if (text === undefined) return { rank: -9, place: '', fingerprint: new Uint8Array() };
  const [, rank, fingerprint, place] = /^([1-5])\.([0-9a-f]{32})\.([\w-]{0,1024})$/.exec(text) ?? [];
  if (rank === undefined || fingerprint === undefined || place === undefined) throw invalid();
  return {
    rank: -Number(rank),
    place: Buffer.from(place, 'base64url').toString('utf8'),
    fingerprint: Buffer.from(fingerprint, 'hex'),
  };
}

/** 16 bytes to go on after; before every row when there is none. Throws ERR_INPUT_INVALID. */
export function readFingerprint(text: string | undefined): Uint8Array {
  if (text === undefined) return new Uint8Array();
  if (!/^[0-9a-f]{32}$/.test(text)) throw invalid();
  return Buffer.from(text, 'hex');
}

function invalid(): SallyportError {
  return new SallyportError('ERR_INPUT_INVALID', 'This is no position in the list.');
}
