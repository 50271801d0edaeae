import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, suite, test } from 'node:test';
import sqlmap from '../../src/tools/sqlmap/index.ts';
import { closedPort, httpServer, reply } from './http-server.ts';
import { loopbackRunner, missing } from './loopback-run.ts';
import { prepare, registered } from './under-test.ts';

const TOOL = registered(sqlmap);
const GET = { url: { scheme: 'http', host: '10.77.0.10', path: '/item.php?id=1' }, param: 'id' };
const refused = (input: Record<string, unknown>, code = 'ERR_INPUT_INVALID', resolves = {}) =>
  assert.rejects(prepare(TOOL, input, { resolves }), { code });

suite('sqlmap input', () => {
  test('D1: there is one URL, and it is the one that the policy sees', async () => {
    await refused({ ...GET, url: { ...GET.url, host: '93.184.216.34' } }, 'ERR_TARGET_OUT_OF_SCOPE');
    await refused({ ...GET, url: { ...GET.url, host: '10.0.0.1@example.com' } });
    await refused({ ...GET, safeUrl: 'http://10.0.0.1/' });
    await refused({ ...GET, url: 'http://10.0.0.1/?id=1' });
  });

  test('D5: level, risk and threads have no way above their limits', async () => {
    await refused({ ...GET, level: 3 });
    await refused({ ...GET, level: '2' });
    await refused({ ...GET, risk: 3 });
    await refused({ ...GET, threads: 99 });
    await refused({ ...GET, technique: 'BEUSTQ' });
    await refused({ ...GET, technique: '' });
  });

  test('rows are never dumped', async () => {
    await refused({ ...GET, action: 'dump' });
    const { argv } = await prepare(TOOL, { ...GET, action: 'columns' });
    assert.doesNotMatch(argv.join(' '), /--dump|--passwords|--os-|--file-|--sql-|--eval/);
  });

  test('marks of injection places cannot move the test away from the parameter', async () => {
    const at = (path: string) => ({ ...GET, url: { ...GET.url, path } });
    await refused(at('/item.php?id=1&x=*'));
    await refused(at('/item.php?id=1&x=%INJECT_HERE%'));
    await refused({ ...GET, data: 'id=1*' });
    await refused({ ...GET, data: 'id=%INJECT HERE%' });
  });

  test('the parameter must be in the request: no header is tested', async () => {
    await refused({ ...GET, param: 'host' });
    await refused({ ...GET, param: 'user-agent' });
    await refused({ ...GET, url: { ...GET.url, path: '/item.php' } });
    await prepare(TOOL, { ...GET, url: { ...GET.url, path: '/item.php' }, data: 'id=1' });
    await refused({ ...GET, method: 'GET', data: 'id=1' });
    await refused({ ...GET, method: 'POST' });
  });

  test('an https URL by name cannot be pinned', async () => {
    const input = { ...GET, url: { ...GET.url, scheme: 'https', host: 'web.lab.internal' } };
    await refused(input, 'ERR_TARGET_UNPINNABLE', { 'web.lab.internal': '10.77.0.10' });
  });
});

const injectable = () => {
  const database = new DatabaseSync(':memory:');
  database.exec("create table items(id integer, name text); insert into items values(1,'lamp'),(2,'desk')");
  return httpServer(({ url, body }, response) => {
    const id = new URLSearchParams(body === '' ? url.split('?')[1] : body).get('id') ?? '';
    try {
      const rows = database.prepare(`select id, name from items where id = ${id}`).all();
      reply(response, 200, { body: rows.map((row) => Object.values(row).map(String).join(' ')).join('\n') });
    } catch {
      reply(response, 500, { body: 'error' });
    }
  });
};

const skip = await missing(sqlmap);

suite('sqlmap on loopback', { skip }, async () => {
  if (skip !== false) return;
  const runner = await loopbackRunner(sqlmap, { 'web.lab.internal': '127.0.0.1' });
  after(() => runner.close());
  const at = (port: number, path: string, more = {}) =>
    runner.run({ url: { scheme: 'http', host: '127.0.0.1', port, path }, param: 'id', ...more });
  test('finds an injectable parameter by name at the pinned address', async () => {
    const server = await injectable();
    const { outcome } = await runner.run({
      url: { scheme: 'http', host: 'web.lab.internal', port: server.port, path: '/item?id=1' },
      param: 'id',
      action: 'tables',
    });
    await server.close();
    assert.equal(outcome.failure, undefined);
    assert.equal(outcome.result['injectable'], true);
    assert.deepEqual(outcome.result['tables'], [{ database: '<current>', name: 'items' }]);
    assert.equal(outcome.complete, true);
    assert.ok(server.seen.every(({ host }) => host === `web.lab.internal:${server.port}`));
  });

  test('finds it in a form body too', async () => {
    const server = await injectable();
    const { outcome } = await at(server.port, '/item', { data: 'id=1&x=2', technique: 'B' });
    await server.close();
    assert.deepEqual([outcome.result['injectable'], outcome.result['place']], [true, 'POST']);
  });

  test('a constant page is a negative; a refusing page and a closed port are failures', async () => {
    const constant = await httpServer((_request, response) => reply(response, 200, { body: 'constant' }));
    const refusing = await httpServer((_request, response) => reply(response, 403, { body: 'no' }));
    const empty = await httpServer((_request, response) => reply(response, 403));
    const negative = (await at(constant.port, '/?id=1', { technique: 'B' })).outcome;
    const forbidden = (await at(refusing.port, '/?id=1', { technique: 'B' })).outcome;
    const nothing = (await at(empty.port, '/?id=1', { technique: 'B' })).outcome;
    const closed = (await at(await closedPort(), '/?id=1')).outcome;
    await Promise.all([constant.close(), refusing.close(), empty.close()]);
    assert.deepEqual([negative.result['injectable'], negative.complete, negative.failure], [false, true, undefined]);
    assert.deepEqual([forbidden.result['injectable'], forbidden.complete], [null, false]);
    assert.match(forbidden.failure ?? '', /HTTP 403/);
    assert.match(nothing.failure ?? '', /without content/);
    assert.match(closed.failure ?? '', /could not be reached/);
  });

  for (const [how, answer] of [
    ['a redirect', (to: string) => ({ status: 302, headers: { location: to }, body: '' })],
    ['a Refresh header', (to: string) => ({ status: 200, headers: { refresh: `0; url=${to}` }, body: 'x' })],
    [
      'a meta refresh',
      (to: string) => ({ status: 200, headers: {}, body: `<meta http-equiv="refresh" content="0; url=${to}">` }),
    ],
    ['a script', (to: string) => ({ status: 200, headers: {}, body: `<script>location.href="${to}"</script>` })],
  ] as const) {
    test(`${how} to another host is not contacted`, async () => {
      const elsewhere = await httpServer((_request, response) => reply(response, 200), '127.0.0.2');
      const { status, headers, body } = answer(`http://127.0.0.2:${elsewhere.port}/`);
      const server = await httpServer((_request, response) => reply(response, status, { body, headers }));
      await at(server.port, '/?id=1', { technique: 'B' });
      await Promise.all([server.close(), elsewhere.close()]);
      assert.ok(server.seen.length > 3, 'the page was not even tested');
      assert.equal(elsewhere.seen.length, 0);
    });
  }
});
