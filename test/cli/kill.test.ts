import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { kill } from '../../src/cli/kill.ts';
import { toSallyportError } from '../../src/core/errors.ts';
import { createKillFile } from '../../src/store/kill-file.ts';
import { ROOT, temporaryDirectory } from './command-line.ts';
import { holdDataDir, listen, readBody } from './fake-gateway.ts';

const SWITCH = { engagement: null, since: '2026-01-01T00:00:00.000Z', by: 'key_a', reason: 'why\u001b[2J' };
const STATE = { active: true, switches: [SWITCH] };
const REPORT = { ...STATE, endedRuns: 3, survivors: 0 };

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A data directory of its own, the verb for it, and a server that stands in for its gateway. */
function placeFor(t: TestContext) {
  const dataDir = join(temporaryDirectory(t), 'data');
  const run = async (args: readonly string[], environment: Record<string, string> = {}): Promise<Said> => {
    const out: string[] = [];
    const err: string[] = [];
    const code = await kill({
      args,
      environment: { SALLYPORT_DATA_DIR: dataDir, ...environment },
      root: ROOT,
      cwd: dataDir,
      out: (line) => void out.push(line),
      err: (line) => void err.push(line),
      write: () => Promise.resolve(),
      screen: { isOutTerminal: false, isErrTerminal: false, columns: () => 80, draw: () => undefined },
      signal: new AbortController().signal,
    });
    return { code, out: out.join('\n'), err: err.join('\n') };
  };
  const asked: unknown[] = [];
  const answer = async (status: number, body: unknown) => {
    const listener: RequestListener = (request, response) => {
      const tell = (sent: unknown) => {
        asked.push([request.method, request.url, request.headers.authorization, sent]);
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      };
      if (request.method === 'GET') tell(undefined);
      else void readBody(request).then(tell);
    };
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    writeFileSync(join(dataDir, 'first-key'), 'slp_key\n', { mode: 0o600 });
    holdDataDir(dataDir, `http://127.0.0.1:${await listen(t, listener)}`);
  };
  return { dataDir, file: join(dataDir, 'KILL'), run, asked, answer };
}

test('a kill is sent to the gateway and its report is printed', async (t) => {
  const { run, answer, asked, file } = placeFor(t);
  await answer(200, REPORT);
  const said = await run(['--engagement', 'acme', '--reason', 'wrong network']);
  assert.equal(said.code, 0, said.err);
  assert.match(said.out, /3 run\(s\) ended, 0 process\(es\) left/);
  assert.deepEqual(asked, [['POST', '/v1/kill', 'Bearer slp_key', { reason: 'wrong network', engagement: 'acme' }]]);
  assert.equal(existsSync(file), false);
});

test('processes that outlived the kill make it a failure', async (t) => {
  const { run, answer } = placeFor(t);
  await answer(200, { ...REPORT, survivors: 1 });
  assert.equal((await run(['--reason', 'r'])).code, 1);
});

test('without a gateway the sentinel file is made, for whoever starts next', async (t) => {
  const { run, file } = placeFor(t);
  const said = await run(['--reason', 'why\u001b[2J\nand why']);
  assert.equal(said.code, 0, said.err);
  assert.ok(said.out.includes(file));
  assert.equal(createKillFile(file).isPresent(), true);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const kept = readFileSync(file, 'utf8');
  assert.ok(!kept.includes('\u001b') && !kept.includes('why\nand'), kept);
  // Again: it is there, which is what was wanted.
  assert.equal((await run(['--reason', 'r'])).code, 0);
});

test('one engagement cannot be killed by the file, and it says that it kills everything', async (t) => {
  const { run, file } = placeFor(t);
  const said = await run(['--engagement', 'acme', '--reason', 'r']);
  assert.match(said.err, /kills everything/);
  assert.ok(existsSync(file));
});

test('a gateway that cannot be reached gets the file, and the exit code says so', async (t) => {
  const { run, dataDir, file } = placeFor(t);
  mkdirSync(dataDir, { mode: 0o700 });
  holdDataDir(dataDir, 'http://127.0.0.1:1');
  const said = await run(['--reason', 'r']);
  assert.equal(said.code, 3);
  assert.match(said.err, /cannot be reached[^]*sallyport stop/);
  assert.ok(existsSync(file));
});

for (const status of [429, 500, 503, 200]) {
  test(`a kill that was answered with ${status} and no report is left as the file`, async (t) => {
    const { run, answer, file } = placeFor(t);
    await answer(status, { code: 'ERR_RATE_LIMITED', message: 'Too many.', requestId: 'r' });
    assert.equal((await run(['--reason', 'r'])).code, 3);
    assert.ok(existsSync(file));
  });
}

for (const [status, code] of [
  [400, 'ERR_INPUT_INVALID'],
  [401, 'ERR_AUTH_REQUIRED'],
  [403, 'ERR_AUTH_FORBIDDEN'],
  [404, 'ERR_ENGAGEMENT_UNKNOWN'],
] as const) {
  test(`a kill that was refused with ${status} is not forced by a file`, async (t) => {
    const { run, answer, file } = placeFor(t);
    await answer(status, { code, message: 'No.', requestId: 'r' });
    const said = await run(['--reason', 'r']);
    assert.equal(said.code, 1);
    assert.match(said.err, new RegExp(code));
    assert.equal(existsSync(file), false);
  });
}

test('whoever broke the configuration can still kill', async (t) => {
  const { run, file } = placeFor(t);
  const said = await run(['--reason', 'r'], { SALLYPORT_PORT: 'no port' });
  assert.equal(said.code, 3);
  assert.match(said.err, /configuration is at fault/);
  assert.ok(existsSync(file));
});

test('a file that cannot be made is said', async (t) => {
  const { run, dataDir } = placeFor(t);
  mkdirSync(dataDir, { mode: 0o500 });
  const said = await run(['--reason', 'r']);
  chmodSync(dataDir, 0o700);
  assert.equal(said.code, 1);
  assert.match(said.err, /cannot be made/);
});

test('the state is printed as lines that steer no terminal, and as JSON', async (t) => {
  const { run, answer, asked } = placeFor(t);
  await answer(200, STATE);
  const said = await run(['--state']);
  assert.equal(said.code, 0);
  assert.match(said.out, /^On for everything since \S+ by key_a: why/);
  assert.ok(!said.out.includes('\u001b'));
  assert.deepEqual(JSON.parse((await run(['--state', '--json'])).out), STATE);
  assert.deepEqual(asked[0], ['GET', '/v1/kill', 'Bearer slp_key', undefined]);
});

test('a lift is sent to the gateway, and where the file keeps it on its place is printed', async (t) => {
  const first = placeFor(t);
  await first.answer(200, { active: false, switches: [] });
  const said = await first.run(['--lift', '--reason', 'over']);
  assert.deepEqual([said.code, said.out], [0, 'No kill switch is on.']);
  assert.deepEqual(first.asked, [['POST', '/v1/kill/lift', 'Bearer slp_key', { reason: 'over' }]]);
  const second = placeFor(t);
  await second.answer(423, { code: 'ERR_KILL_SWITCH', message: 'The file is there.', requestId: 'r' });
  const refused = await second.run(['--lift', '--reason', 'over']);
  assert.equal(refused.code, 1);
  assert.ok(refused.err.includes(second.file));
});

test('without a gateway nothing is lifted and no state is known', async (t) => {
  const { run, file } = placeFor(t);
  assert.equal((await run(['--lift', '--reason', 'r'])).code, 3);
  assert.equal((await run(['--state'])).code, 3);
  assert.equal(existsSync(file), false);
});

test('wrong usage kills nothing', async (t) => {
  const { run, file } = placeFor(t);
  for (const args of [[], ['--reason', ' '], ['now', '--reason', 'r'], ['--lift', '--state'], ['--all']]) {
    await assert.rejects(run(args), (thrown) => toSallyportError(thrown).code === 'ERR_INPUT_INVALID', args.join(' '));
  }
  assert.equal(existsSync(file), false);
});
