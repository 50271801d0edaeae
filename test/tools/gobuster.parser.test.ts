import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { ToolEvent } from '../../src/core/tool/definition.ts';
import { GobusterResultSchema, parseGobuster } from '../../src/tools/gobuster/parser.ts';
import { type Feed, feed, golden } from './golden.ts';
import { assertFits } from './loopback-run.ts';

function read(mode: 'dir' | 'dns', sample: Feed) {
  const events: ToolEvent[] = [];
  const outcome = feed(parseGobuster({ mode, expected: 10, emit: (event) => void events.push(event) }), sample);
  assertFits(GobusterResultSchema, outcome.result);
  return { ...outcome, events };
}

function sampleOf(name: string, exitCode = 0): Feed {
  return { stdout: golden(`gobuster/${name}.stdout`), stderr: golden(`gobuster/${name}.stderr`), end: { exitCode } };
}

suite('gobuster output', () => {
  test('paths carry status, size and the redirect as data', () => {
    const { result, complete, failure, events } = read('dir', sampleOf('dir'));
    assert.equal(failure, undefined);
    assert.equal(complete, true);
    const byPath = new Map(result.paths.map((entry) => [entry.path, entry]));
    assert.deepEqual([...byPath.keys()].sort(), ['/.env', '/admin', '/backup', '/index.html', '/moved', '/private']);
    assert.deepEqual(byPath.get('/moved'), {
      path: '/moved',
      status: 302,
      size: 0,
      redirect: 'http://10.0.0.1/evil',
    });
    assert.deepEqual(byPath.get('/private'), { path: '/private', status: 401, size: 0 });
    assert.equal(events.filter(({ kind }) => kind === 'finding').length, 6);
  });

  test('names of a zone carry their addresses and no trailing dot', () => {
    const { result, complete } = read('dns', sampleOf('dns'));
    assert.equal(complete, true);
    assert.deepEqual(
      result.names.toSorted((a, b) => a.name.localeCompare(b.name)),
      [
        { name: 'db.lab.internal', addresses: ['10.77.0.11', 'fd00::11'] },
        { name: 'web.lab.internal', addresses: ['10.77.0.10'] },
      ],
    );
  });

  test('a server that answers every path alike is a failure, not a finding', () => {
    const { result, failure } = read('dir', sampleOf('wildcard', 1));
    assert.match(failure ?? '', /soft 404/);
    assert.deepEqual(result.paths, []);
  });

  test('a server that cannot be reached is a failure that does not count against the tool', () => {
    const outcome = read('dir', sampleOf('unreachable', 1));
    assert.match(outcome.failure ?? '', /could not be reached/);
    assert.equal(outcome.trips, undefined);
  });

  test('requests that failed on the way are counted and make the answer incomplete', () => {
    const { result, complete, failure } = read('dir', sampleOf('lost'));
    assert.equal(failure, undefined);
    assert.equal(complete, false);
    assert.equal(result.failedRequests, 5);
    assert.equal(result.paths.length, 1);
  });

  test('a DNS server that refuses the domain is a failure although gobuster ends with 0', () => {
    const { failure, complete } = read('dns', sampleOf('refused'));
    assert.match(failure ?? '', /DNS server/);
    assert.equal(complete, false);
  });

  test('output that stops before the end is incomplete', () => {
    const stdout = golden('gobuster/dir.stdout').subarray(0, -200);
    assert.equal(read('dir', { stdout, end: { ending: 'timed_out', exitCode: null } }).complete, false);
    assert.equal(read('dir', { stdout, end: { exitCode: 2 } }).complete, false);
  });

  test('only an end before the first request counts against the tool: a server can cause every other', () => {
    const stdout = golden('gobuster/dir.stdout').subarray(0, -200);
    for (const exitCode of [0, 1, 2]) {
      const { failure, trips } = read('dir', { stdout, end: { exitCode } });
      assert.ok(failure !== undefined);
      assert.equal(trips, undefined);
    }
    assert.equal(read('dir', { end: { exitCode: 1 } }).trips, undefined);
    assert.equal(read('dir', { end: { exitCode: 2 } }).trips, true);
  });

  for (const [how, line] of [
    ['longer than a line may be', `/0 (Status: 302) [Size: 0] [--> /${'x'.repeat(16_400)}]`],
    ['longer than a line may be, and made to look whole', `/0 (Status: 302) [Size: 0] [--> /${'x]'.repeat(9000)}]`],
    ['broken by a carriage return', '/0 (Status: 302) [Size: 0] [--> /x\r/forged]'],
    ['not in the form of gobuster', '/0 (Status: 302) [Size: 0] [--> /x] and more'],
  ] as const) {
    test(`a path with a redirect that is ${how} is kept, and the answer is not complete`, () => {
      const stdout = golden('gobuster/dir.stdout').toString().replace('\n\n=====', `\n${line}\n\n=====`);
      const { result, complete } = read('dir', { stdout: Buffer.from(stdout) });
      assert.deepEqual([result.paths.at(-1)?.path, result.paths.length, complete], ['/0', 7, false]);
    });
  }

  test('a redirect cannot take the place of the path, the status or the size', () => {
    const stdout = Buffer.from('/a  (Status: 302) [Size: 7] [--> /b (Status: 200) [Size: 1] [--> x]]\n');
    const [entry] = read('dir', { stdout }).result.paths;
    assert.deepEqual(entry, { path: '/a', status: 302, size: 7, redirect: '/b (Status: 200) [Size: 1] [--> x]' });
  });

  test('progress has its share of the word list', () => {
    const { events } = read('dir', { stderr: Buffer.from('\r\x1b[2KProgress: 4\r\x1b[2KProgress: 99[ERROR] x [!] y') });
    assert.deepEqual(events, [
      { kind: 'progress', done: 4, total: 10, percent: 40 },
      { kind: 'progress', done: 99, total: 10, percent: 100, ratePerSecond: 190, etaSeconds: 0 },
    ]);
  });

  test('terminal escapes in a redirect do not reach the result', () => {
    const stdout = Buffer.from('/a (Status: 302) [Size: 0] [--> http://x/\x1b[31m\x07red]\n');
    assert.equal(read('dir', { stdout }).result.paths[0]?.redirect, 'http://x/red');
  });
});
