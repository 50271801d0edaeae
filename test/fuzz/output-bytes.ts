import * as fc from 'fast-check';
import type { ToolEnd } from '../../src/core/tool/definition.ts';
import type { Sample } from '../tools/under-test.ts';

// biome-ignore format: a table; one value on each line would make it a hundred lines
/** Texts that mean something to a reader of lines, numbers, XML, JSON or YAML. */
const TOKENS = [
  '\n', '\r', '\r\n', '\0', '\t', '\u001b[2K', '\u001b]0;', '\u0007', '\u2028', '\u202e', '\ufeff',
  '\ud83d\ude00', '-1', '0', '65536', '4294967296', '99999999999999999999', '1e999', 'NaN', '-0', '0x10', '१',
  '00', '1.5', '2147483648', '<', '>', '/>', '"', "'", "''", '&', '&#0;', '&#x110000;', '&lt;', '&amp;#27;',
  ']]>', '<![CDATA[', '<!--', '<?x ?>', '<!DOCTYPE a [<!ENTITY b "c">]>', '&b;',
  '<port portid="1" protocol="tcp">', '</host>', '<hosts up="1" total="1"/>', '{', '}', '[', ']', ',', ':',
  '\\', '\\"', '\\u0000', '\\ud800', '{"__proto__":{"a":1}}', '__proto__', 'constructor', '- ', '*a', '&a',
  '|', '\\000', '\\;', '(Status: 200)', '[Size: -1]', '[--> ', 'Found: ', 'Finished', 'password: ', 'login: ',
  '", "password": "', '---', '| a | b |', '[*] ', 'Parameter: ', "' is '", "' injectable", 'done', 'found=9',
];
/** Beginnings and pieces of UTF-8 that stand for nothing. */
const BROKEN = ['ff', 'fe', 'c0 80', 'e2 82', 'f0 9f 98', 'ed a0 80', 'f4 90 80 80', '80', 'c3'].map((bytes) =>
  Buffer.from(bytes.replaceAll(' ', ''), 'hex'),
);

/** One change of an output: by bytes, or by whole lines. */
export interface Change {
  readonly op:
    | 'insert'
    | 'overwrite'
    | 'drop'
    | 'flip'
    | 'repeat'
    | 'drop line'
    | 'double line'
    | 'swap lines'
    | 'fill'
    | 'end';
  /** Where, and how much, each taken modulo what there is. */
  readonly at: number;
  readonly size: number;
  readonly piece: Buffer;
}

/** Output that a hostile target or a broken program might make out of real ones. */
export interface Mangled {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly files: ReadonlyMap<string, Buffer>;
}

/** The bytes of chance, words of every format among them. */
export const chanceBytes: fc.Arbitrary<Buffer> = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...TOKENS).map((text) => Buffer.from(text)) },
      { weight: 1, arbitrary: fc.constantFrom(...BROKEN) },
      { weight: 2, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)) },
    ),
    { maxLength: 40 },
  )
  .map((chunks) => Buffer.concat(chunks));

/** Changes whose pieces come from the tool's own recorded output as often as from chance. */
export function changesOf(samples: readonly Sample[]): fc.Arbitrary<readonly Change[]> {
  const lines = [...new Set(samples.flatMap(({ stdout, stderr }) => [stdout, stderr].flatMap(linesOf).map(String)))];
  const words = [...new Set(lines.flatMap((line) => line.match(/[^\s]+\s?/g) ?? []))].slice(0, 2000);
  const own = [...lines, ...words, '\n'].map((text) => Buffer.from(text));
  const piece = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...own) },
    { weight: 3, arbitrary: fc.constantFrom(...TOKENS).map((text) => Buffer.from(text)) },
    { weight: 1, arbitrary: fc.constantFrom(...BROKEN) },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 12 }).map((bytes) => Buffer.from(bytes)) },
  );
  const op = fc.constantFrom(...(Object.keys(CHANGERS) as Change['op'][]));
  return fc.array(fc.record({ op, at: fc.nat(), size: fc.nat(300), piece }), { maxLength: 8 });
}

const linesOf = (bytes: Buffer) => bytes.toString('latin1').split(/(?<=\n)/);

type Changer = (bytes: Buffer, change: Change, place: number) => Buffer;

const around = (bytes: Buffer, [place, size]: readonly [number, number], middle: Buffer) =>
  Buffer.concat([bytes.subarray(0, place), middle, bytes.subarray(place + size)]);

const byLines =
  (edit: (lines: string[], place: number, change: Change) => void): Changer =>
  (bytes, change) => {
    const lines = linesOf(bytes);
    edit(lines, change.at % lines.length, change);
    return Buffer.from(lines.join(''), 'latin1');
  };

const CHANGERS: Readonly<Record<Change['op'], Changer>> = {
  insert: (bytes, { piece }, place) => around(bytes, [place, 0], piece),
  overwrite: (bytes, { piece }, place) => around(bytes, [place, piece.length], piece),
  drop: (bytes, { size }, place) => around(bytes, [place, size], Buffer.alloc(0)),
  flip: (bytes, { size }, place) => around(bytes, [place, 1], Buffer.of((bytes[place] ?? 0) ^ (1 << (size % 8)))),
  repeat: (bytes, { size }, place) => around(bytes, [place, 0], bytes.subarray(place, place + size)),
  'drop line': byLines((lines, place) => void lines.splice(place, 1)),
  'double line': byLines((lines, place) => void lines.splice(place, 0, lines[place] ?? '')),
  'swap lines': byLines((lines, place) => void lines.splice(place, 2, ...lines.slice(place, place + 2).toReversed())),
  fill: (bytes, { piece, size }, place) =>
    around(bytes, [place, 0], Buffer.alloc(Math.min(20_000, piece.length * (size + 1)), piece)),
  end: (bytes, _change, place) => bytes.subarray(0, place),
};

/** A recorded output with its changes; those at even places are made in stdout and the files, the others in stderr too. */
export function mangled({ stdout, stderr, files }: Sample, changes: readonly Change[]): Mangled {
  const changed = (bytes: Buffer, some: readonly Change[]) =>
    some.reduce((before, change) => CHANGERS[change.op](before, change, change.at % (before.length + 1)), bytes);
  return {
    stdout: changed(stdout, changes),
    stderr: changed(
      stderr,
      changes.filter(({ at }) => at % 2 === 1),
    ),
    files: new Map([...files].map(([path, bytes]) => [path, changed(bytes, changes)])),
  };
}

const CUT_OFF = [
  { ending: 'timed_out', exitCode: null },
  { ending: 'cancelled', exitCode: null },
  { ending: 'output_cap', exitCode: null, stdoutTruncated: true },
] as const;

/** How a process that was ended early ends. */
export const cutOff: fc.Arbitrary<Partial<ToolEnd>> = fc.constantFrom<Partial<ToolEnd>>(...CUT_OFF);

/** Every way in which a process ends. */
export const anyEnd: fc.Arbitrary<Partial<ToolEnd>> = fc.constantFrom<Partial<ToolEnd>>(
  { ending: 'exited', exitCode: 0 },
  { ending: 'exited', exitCode: 0, stdoutTruncated: true },
  { ending: 'exited', exitCode: 1 },
  { ending: 'exited', exitCode: 255 },
  { ending: 'exited', exitCode: null },
  ...CUT_OFF,
);
