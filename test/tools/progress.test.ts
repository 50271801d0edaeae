import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { ToolEvent } from '../../src/core/tool/definition.ts';
import gobuster from '../../src/tools/gobuster/index.ts';
import nmap from '../../src/tools/nmap/index.ts';
import { httpServer, reply } from './http-server.ts';
import { loopbackRunner, missing } from './loopback-run.ts';
import { type Fed, feed, prepare, registeredTools } from './under-test.ts';

const TOOLS = new Map((await registeredTools()).map((tool) => [tool.definition.name, tool]));

type Progress = Extract<ToolEvent, { kind: 'progress' }>;
const isProgress = (event: ToolEvent): event is Progress => event.kind === 'progress';

/** What the first example of a tool tells of its progress over an output. */
async function told(name: string, output: { readonly stdout?: string; readonly stderr?: string }): Promise<Progress[]> {
  const tool = TOOLS.get(name) ?? assert.fail();
  const [example] = tool.definition.examples;
  const call = await prepare(tool, example?.input ?? {}, {
    raw: example?.raw ?? false,
    resolves: example?.resolves ?? {},
  });
  const fed: Fed = { stdout: [Buffer.from(output.stdout ?? '')], stderr: [Buffer.from(output.stderr ?? '')] };
  return feed(tool, call, fed).events.filter(isProgress);
}

describe('progress', () => {
  it('of nmap has the step, its share and its time left', async () => {
    const stdout = '<nmaprun><taskprogress task="Connect Scan" time="1" percent="9.73" remaining="10" etc="2"/>';
    assert.deepEqual(await told('nmap', { stdout }), [
      { kind: 'progress', percent: 9.73, etaSeconds: 10, message: 'Connect Scan' },
    ]);
    const more = '<host><address addr="10.77.0.10"/></host><taskprogress task="NSE" percent="50.00" remaining="x"/>';
    const [, second] = await told('nmap', { stdout: stdout + more });
    assert.deepEqual(second, { kind: 'progress', percent: 50, message: 'NSE, 1 of 1 addresses ended' });
  });

  it('of masscan has packets a second, and the wait for late answers as time left', async () => {
    const stderr =
      'rate:  0.10-kpps, 12.50% done,   0:01:07 remaining, found=1       \rrate:  0.00-kpps, 100.00% done, waiting 2-secs, found=4       \r';
    assert.deepEqual(await told('masscan', { stderr }), [
      { kind: 'progress', percent: 12.5, ratePerSecond: 100, etaSeconds: 67, message: '1 open so far' },
      { kind: 'progress', percent: 100, etaSeconds: 2, message: '4 open so far' },
    ]);
    const [late] = await told('masscan', { stderr: 'rate:  0.00-kpps, 100.00% done, waiting -3-secs, found=0\r' });
    assert.deepEqual(late, { kind: 'progress', percent: 100, message: '0 open so far' });
  });

  it('of hydra counts guesses and never floods', async () => {
    const attempt = (done: number) =>
      `[ATTEMPT] target 10.77.0.10 - login "a" - pass "- 1 of 2 [child 0] (0/0)" - ${done} of 1000 [child 0] (0/0)\n`;
    const all = Array.from({ length: 1000 }, (_, index) => attempt(index + 1)).join('');
    const data =
      '[DATA] max 4 tasks per 1 server, overall 4 tasks, 1000 login tries (l:10/p:100), ~250 tries per task\n';
    const events = await told('hydra', { stdout: data + all });
    assert.equal(events.length, 101);
    assert.deepEqual(
      [events[0]?.done, events[0]?.total, events.at(-1)?.done, events.at(-1)?.percent],
      [0, 1000, 1000, 100],
    );
    assert.ok(
      events.every(({ message }) => message === 'guesses'),
      'no text of a guess',
    );
  });

  it('of hydra takes rate and time left from its own report, and keeps the rate', async () => {
    const report = '[STATUS] 120.00 tries/min, 120 tries in 00:01h, 380 to do in 01:04h, 4 active\n';
    const attempt = '[ATTEMPT] target 10.77.0.10 - login "a" - pass "b" - 200 of 500 [child 0] (0/0)\n';
    assert.deepEqual(await told('hydra', { stdout: report + attempt }), [
      { kind: 'progress', percent: 24, done: 120, total: 500, ratePerSecond: 2, etaSeconds: 3840, message: 'guesses' },
      { kind: 'progress', percent: 40, done: 200, total: 500, ratePerSecond: 2, message: 'guesses' },
    ]);
  });

  it('of sqlmap counts tests, and their rate over midnight too', async () => {
    const stdout =
      "[23:59:58] [INFO] testing 'one'\n[00:00:00] [INFO] testing 'two'\n[00:00:00] [INFO] testing URL 'x'\n";
    assert.deepEqual(await told('sqlmap', { stdout }), [
      { kind: 'progress', done: 0, message: 'testing one' },
      { kind: 'progress', done: 1, ratePerSecond: 0.5, message: 'testing two' },
    ]);
  });

  it('of dig is one question', async () => {
    assert.deepEqual(await told('dig', { stdout: '- type: MESSAGE\n' }), [
      { kind: 'progress', percent: 100, done: 1, total: 1, message: 'answered' },
    ]);
  });
});

describe('progress of real programs', async () => {
  const [noNmap, noGobuster] = [await missing(nmap), await missing(gobuster)];
  const runs: { close(): Promise<void> }[] = [];
  after(async () => {
    for (const run of runs) await run.close();
  });

  it('comes from nmap while it scans', { skip: noNmap }, async () => {
    const runner = await loopbackRunner(nmap);
    runs.push(runner);
    // 900 probes at 300 a second: three reports of one second each.
    const { events } = await runner.run({ targets: ['127.0.0.1'], ports: '1-900', maxRate: 300 });
    const shares = events.filter(isProgress).map(({ percent = 0 }) => percent);
    assert.ok(shares.length > 0, 'nmap wrote no progress');
    assert.deepEqual(
      shares,
      shares.toSorted((a, b) => a - b),
    );
  });

  it('comes from gobuster with its share of the list and a rate', { skip: noGobuster }, async () => {
    const runner = await loopbackRunner(gobuster);
    const server = await httpServer((_request, response) => reply(response, 404));
    const lists = await mkdtemp(join(tmpdir(), 'sallyport-lists-'));
    runs.push(runner, server, { close: () => rm(lists, { recursive: true }) });
    const list = join(lists, 'words.txt');
    await writeFile(list, Array.from({ length: 120 }, (_, index) => `w${index}\n`).join(''));
    const url = { scheme: 'http', host: '127.0.0.1', port: server.port };
    // 4 threads with 100 ms between two requests take three seconds: gobuster reports twice in each.
    const input = { mode: 'dir', url, wordlist: 'a/b', threads: 4, delayMs: 100 };
    const seen = (await runner.run(input, [list])).events.filter(isProgress);
    assert.ok((seen.at(-1)?.ratePerSecond ?? 0) > 0, 'gobuster told no rate');
    assert.ok(seen.every(({ done = 0, total }) => total === 120 && done <= 120));
  });
});
