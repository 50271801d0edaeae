/*
 * A parser runs on the event loop of the gateway, over bytes that a target chooses: four times as many may cost about
 * four times as much, not sixteen times (ReDoS, CWE-1333). Measured as a ratio of CPU time, never as a time.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cleanText } from '../../src/core/tool/clean-text.ts';
import type { RegisteredTool } from '../../src/core/tool/registry-types.ts';
import { feed, type Prepared, prepare, registeredTools, samplesOf } from './under-test.ts';

/** Characters of one line: the second pair is what the longest line reader holds, the first what the shortest does. */
const SIZES = [1000, 4096] as const;
const GROWTH = 4;
const MAX_RATIO = 12;
const ROUNDS = 4;
const UNITS = [' ', '\t', '(', '[', '"', "'", '\u001b', '/', '\\', '|', '\u009d', ' (', '" ', '\u001b]', '&', ':'];
/** Fillings of the recorded lines, which are many. */
const FEW_UNITS = [' ', '"', '\u009d'];
/** Lines in which a target's text stands; each is filled at every border of its tokens. */
const LINES: Readonly<Record<string, readonly string[]>> = {
  dig: [
    '        - \'a.lab.internal. 60 IN TXT "x"\'',
    '      flags: qr rd ra',
    '    query_time: !!timestamp 2026-11-22T13:42:06.000Z',
  ],
  masscan: [
    '{"ip":"10.0.0.1","port":1,"proto":"tcp","rec_type":"status","data":{"status":"open","ttl":1}}',
    'rate:  0.00-kpps,  6.25% done,  37:20:24 remaining, found=1',
  ],
  nmap: [
    '<nmaprun><host><ports><port protocol="tcp" portid="80"><service name="a" product="b"/>',
    '<nmaprun><host><ports><port protocol="tcp" portid="80"><script id="a" output="b"/>',
  ],
  gobuster: [
    '/admin (Status: 302) [Size: 0] [--> http://10.0.0.1/]',
    'Found: web.lab.internal. [10.77.0.10]',
    '2026/11/22 13:42:06 [-] Unable to validate base domain: lab.internal. (lookup: refused)',
    'Progress: 3[ERROR] 2026/11/22 13:42:05 [!] Get "http://127.0.0.1/moved": EOF',
  ],
  hydra: [
    '[22][ssh] host: 10.77.0.10   login: admin   password: x',
    '{"port": 22, "service": "ssh", "host": "10.77.0.10", "login": "a", "password": "b"},',
  ],
  sqlmap: [
    'Parameter: id (GET)',
    "[10:00:00] [INFO] GET parameter 'id' is 'AND boolean-based blind' injectable ",
    "[10:00:00] [WARNING] on SQLite it is not possible to enumerate 'x'",
    "current database (equivalent to schema): 'shop'",
    '| login | text |',
  ],
};
/** Below this one reading of a line cannot be quadratic on any machine, and needs no ratio. */
const SCREEN_US = 2000;
/** Work behind one side of a ratio. */
const ENOUGH_US = 5000;

/** Of this thread alone: the collector's and the compiler's threads are not the work's. */
function cpuUs(work: () => void): number {
  const start = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(start);
  return user + system;
}

/** CPU time of one run; the least of several, each long enough for the clock. */
function costUs(work: () => void): number {
  let times = 1;
  const many = () => {
    for (let done = 0; done < times; done += 1) work();
  };
  while (cpuUs(many) < ENOUGH_US) times *= 2;
  return Math.min(...Array.from({ length: 5 }, () => cpuUs(many))) / times;
}

/** Asserts that the work on `size * GROWTH` costs less than MAX_RATIO times the work on `size`. */
function assertLinear(work: (size: number) => () => void, what: () => string): void {
  for (const size of SIZES) {
    const [small, large] = [work(size), work(size * GROWTH)];
    if (Math.min(cpuUs(large), cpuUs(large)) < SCREEN_US) continue;
    // A machine that is busy with other things can spoil one ratio; quadratic work spoils every one.
    let ratio = Number.POSITIVE_INFINITY;
    for (let round = 0; round < ROUNDS && ratio >= MAX_RATIO; round += 1) {
      ratio = Math.min(ratio, costUs(large) / costUs(small));
    }
    assert.ok(
      ratio < MAX_RATIO,
      `${what()}: ${GROWTH} times ${size} characters cost ${ratio.toFixed(1)} times as much`,
    );
  }
}

/** One line of each shape that the recorded runs have. */
async function recordedLines(tool: string): Promise<readonly string[]> {
  const seeds = new Map<string, string>();
  for (const { stdout, stderr, files } of await samplesOf(tool)) {
    for (const text of [stdout, stderr, ...files.values()].map(String)) {
      // XML stands in one line: its elements are the shapes there.
      for (const line of text.split(/[\r\n]+|(?<=>)/)) {
        const shape = line.replace(/[A-Za-z0-9_.]+/g, 'w').slice(0, 30);
        if (!seeds.has(shape)) seeds.set(shape, line.slice(0, 160));
      }
    }
  }
  return [...seeds.values()];
}

/** Where one token ends and the next begins, `most` of them. */
function borders(line: string, most: number): readonly number[] {
  const all = [...line.matchAll(/[^A-Za-z0-9]+/g)].flatMap(({ index, 0: run }) => [index, index + run.length]);
  const step = Math.max(1, Math.ceil(all.length / most));
  return [...new Set([0, ...all.filter((_, at) => at % step === 0), line.length])];
}

interface Filling {
  readonly seed: string;
  readonly at: number;
  readonly unit: string;
  readonly tail: string;
}

/** Every way in which a line is filled: with each unit, and with its own next tokens over and over. */
function fillings(seed: string, units: readonly string[], most: number): readonly Filling[] {
  return borders(seed, most).flatMap((at) =>
    [...new Set([...units, seed.slice(at, at + 3), seed.slice(at, at + 8)])]
      .filter((unit) => unit !== '')
      .flatMap((unit) => ['x', seed.slice(at)].map((tail) => ({ seed, at, unit, tail }))),
  );
}

function filled({ seed, at, unit, tail }: Filling, size: number): Buffer {
  const room = size - at - tail.length;
  return Buffer.from(`${seed.slice(0, at)}${unit.repeat(Math.max(1, Math.floor(room / unit.length)))}${tail}\n`);
}

/** What has to stand around a line of a file, so that it is read at all. */
const AROUND: Readonly<Record<string, (line: Buffer) => readonly (Buffer | string)[]>> = {
  sqlmap: (line) => ['sqlmap identified the following injection point(s):\n---\n', line, '---\n', line],
};

function reads(tool: RegisteredTool, call: Prepared, line: Buffer): () => void {
  const { name, readBack = [] } = tool.definition;
  const content = Buffer.concat((AROUND[name]?.(line) ?? [line]).map((part) => Buffer.from(part)));
  const files = new Map(readBack.map((path) => [path.replaceAll('*', 'x'), content]));
  return () => void feed(tool, call, { stdout: [line], stderr: [line], end: { files } });
}

for (const tool of await registeredTools()) {
  const { name, examples } = tool.definition;
  describe(`the parser of ${name}`, () => {
    it('takes four times as long for four times as much, whatever a line is filled with', async () => {
      const [example] = examples;
      assert.ok(example !== undefined);
      const call = await prepare(tool, example.input, { raw: example.raw ?? false, resolves: example.resolves ?? {} });
      const all = [
        ...(LINES[name] ?? []).flatMap((line) => fillings(line, UNITS, 12)),
        ...(await recordedLines(name)).flatMap((line) => fillings(line, FEW_UNITS, 2)),
      ];
      assert.ok(all.length > 100, 'nothing was tried');
      for (const filling of all) {
        assertLinear(
          (size) => reads(tool, call, filled(filling, size)),
          () => JSON.stringify(filling),
        );
      }
    });
  });
}

describe('cleaning a text', () => {
  it('takes four times as long for four times as much, whatever sequences it begins and never ends', () => {
    for (const unit of [
      ...UNITS,
      '\u0090',
      '\u0098',
      '\u009e',
      '\u001bP',
      '\u001b[',
      '\u009b1',
      '\u001b_x',
      '\ud800',
    ]) {
      assertLinear(
        (size) => {
          const text = unit.repeat(size / unit.length);
          return () => void cleanText(text, size);
        },
        () => JSON.stringify(unit),
      );
    }
  });
});
