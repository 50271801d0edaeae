/*
 * What is secret stays inside, and nothing of the gateway's own surroundings goes out.
 * D18 passwords in argv, logs and answers · D19 PATH and open pages · D25 standard input · D27 forged log lines
 * D35 limits of a process
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import hydra from '../../src/tools/hydra/index.ts';
import { missingTool, startTestGateway } from '../fixtures/gateway.ts';
import { call, printed, refuses, replay, standIn, startSix, textTool } from './earlier-gateway.ts';

const LOGIN = { host: '10.0.0.5', service: 'ssh', users: ['root'] };
const FOUND = 'found horse battery 93';
const TRIED = ['tried-one-81c2', 'tried two "quoted" 55', FOUND];
const spellings = (text: string) => [text, Buffer.from(text).toString('base64'), encodeURIComponent(text)];

test('passwords of a call are in no argument vector, answer, log, metric or statistic; a found one is a reference', async (t) => {
  const entry = `{"port": 22, "service": "ssh", "host": "10.0.0.5", "login": "root", "password": "${FOUND}"}`;
  const guess = replay(hydra, '/dev/null', {
    files: () => [{ name: 'out.json', content: `${entry}\n` }],
    readBack: ['out.json'],
  });
  const echoing = await startTestGateway(t, { yaml: 'policy: { risk: exploit }\n', tools: [standIn(hydra)] });
  const finding = await startTestGateway(t, { yaml: 'policy: { risk: exploit }\n', tools: [guess] });
  const shown: string[] = [];
  for (const gateway of [echoing, finding]) {
    const answer = await call(gateway, 'hydra', { ...LOGIN, passwords: TRIED });
    assert.notEqual(answer.run, undefined, answer.text);
    shown.push(answer.text);
    for (const url of ['/v1/stats', '/metrics', '/v1/tools/hydra', '/v1/config', '/health']) {
      shown.push((await gateway.app.inject({ url, headers: gateway.headers })).body);
    }
    shown.push((await call(gateway, 'hydra', { ...LOGIN, passwords: TRIED, user: 'x' })).text, ...gateway.logLines);
  }
  const all = shown.join('\n');
  assert.match(all, /"secretRef":"secret_/);
  for (const secret of TRIED.flatMap((text) => spellings(text))) assert.ok(!all.includes(secret), secret);
});

test('cookies and headers with credentials cannot be given to a tool, so that none can leak from one', async (t) => {
  const gateway = await startSix(t);
  const url = { scheme: 'http', host: '10.0.0.5', path: '/?id=1' };
  for (const name of ['cookie', 'cookies', 'headers', 'header', 'username', 'password', 'authCred', 'userAgent']) {
    await refuses(
      gateway,
      ['ERR_INPUT_INVALID'],
      [
        ['sqlmap', { url, param: 'id', [name]: 'session=1' }],
        ['gobuster', { mode: 'dir', url: { ...url, path: '/' }, wordlist: 'a/b.txt', [name]: 'session=1' }],
      ],
    );
  }
  await refuses(
    gateway,
    ['ERR_INPUT_INVALID', 'ERR_TARGET_INVALID'],
    [
      ['sqlmap', { url: { ...url, host: 'user:secret@10.0.0.5' }, param: 'id' }],
      ['sqlmap', { url: { ...url, username: 'user' }, param: 'id' }],
    ],
  );
});

test('a program starts with nothing of the gateway', async (t) => {
  const gateway = await startTestGateway(t, {
    tools: [
      textTool('surroundings', 'env'),
      textTool('link', 'readlink'),
      textTool('reader', 'cat', { argv: () => [], timeoutMs: 10_000 }),
      textTool('limits', 'cat', { argv: () => ['/proc/self/limits'], needs: { read: ['/proc/self'] } }),
    ],
  });
  await t.test('a program gets an environment from scratch, with a PATH of fixed directories', async () => {
    const planted = `SALLYPORT_TEST_PLANTED_${process.pid}`;
    process.env[planted] = 'must-not-be-inherited';
    t.after(() => delete process.env[planted]);
    const text = printed(await call(gateway, 'surroundings', {}));
    assert.doesNotMatch(text, /PLANTED|must-not-be-inherited|^HOME=\/root$|SUDO_|SSH_|NODE_/m);
    const path = /^PATH=(.*)$/m.exec(text)?.[1] ?? '';
    assert.deepEqual(
      path.split(':').filter((directory) => directory !== '' && !/^\/(?:usr\/(?:local\/)?)?s?bin$/.test(directory)),
      [],
    );
  });

  await t.test('a program reads the end of its standard input at once, never what the gateway reads', async () => {
    assert.equal(printed(await call(gateway, 'link', { word: '/proc/self/fd/0' })), '/dev/null\n');
    assert.equal(printed(await call(gateway, 'reader', {})), '');
  });

  await t.test(
    'the limits of a process are in force when it starts: core, file size, CPU time, memory, open files',
    async () => {
      const text = printed(await call(gateway, 'limits', {}));
      assert.match(text, /^Max core file size\s+0\s+0\s/m);
      for (const name of ['file size', 'cpu time', 'data size', 'address space', 'open files']) {
        assert.match(text, new RegExp(`^Max ${name}\\s+\\d+\\s+\\d+\\s`, 'm'), name);
      }
    },
  );
});

test('a missing program does not tell a client the PATH of the gateway', async (t) => {
  const gateway = await startTestGateway(t, { tools: [missingTool] });
  const { status, code, text } = await call(gateway, 'missing', {});
  assert.deepEqual([status, code], [503, 'ERR_TOOL_UNAVAILABLE']);
  const detail = (await gateway.app.inject({ url: '/v1/tools/missing', headers: gateway.headers })).body;
  for (const shown of [text, detail, ...gateway.logLines]) {
    assert.ok(!shown.includes(process.env['PATH'] ?? 'no PATH'), shown);
    assert.ok(!shown.includes(process.cwd()), shown);
  }
});

test('configuration, tools, metrics, statistics, events and documentation are closed to strangers', async (t) => {
  const { app } = await startTestGateway(t);
  for (const url of [
    '/v1/config',
    '/v1/tools',
    '/v1/tools/echo',
    '/v1/stats',
    '/v1/events',
    '/v1/wordlists',
    '/metrics',
    '/docs',
    '/docs/',
    '/openapi.json',
    '/config',
    '/tools',
  ]) {
    const { statusCode } = await app.inject({ url });
    assert.ok(statusCode === 401 || statusCode === 404, `${url} ${statusCode}`);
  }
  assert.equal((await app.inject({ method: 'POST', url: '/v1/tools/echo/disable' })).statusCode, 401);
  assert.equal((await app.inject({ method: 'POST', url: '/mcp', payload: {} })).statusCode, 401);
});

test('line ends and control characters of a caller forge no line of the log and are in no answer as they are', async (t) => {
  const gateway = await startTestGateway(t, { tools: [standIn(hydra), textTool('cat', 'cat')] });
  const { app, headers, logLines } = gateway;
  const forged = 'x\r\n{"level":"info","event":"run.finished","principal":"admin"}\u001b[31m\u2028';
  await call(gateway, 'hydra', { ...LOGIN, host: forged, passwords: ['a'] });
  await call(gateway, 'hydra', { ...LOGIN, [forged]: 1 });
  await call(gateway, encodeURIComponent(forged), {});
  await app.inject({ url: `/v1/${encodeURIComponent(forged)}`, headers: { ...headers, 'user-agent': 'a\u001b[31m' } });
  await app.inject({
    method: 'POST',
    url: '/v1/tools/cat/runs',
    headers,
    payload: { input: {}, correlation_id: forged },
  });
  for (const line of logLines) {
    assert.match(line, /^\{.*\}\n?$/);
    assert.doesNotMatch(line.trimEnd(), /[\p{Cc}\u2028\u2029]/u);
    const { principal } = JSON.parse(line) as { principal?: string };
    assert.notEqual(principal, 'admin');
  }
});
