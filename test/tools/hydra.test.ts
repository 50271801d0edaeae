import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import hydra, { CANARY } from '../../src/tools/hydra/index.ts';
import { SERVICES } from '../../src/tools/hydra/services.ts';
import { closedPort, httpServer, reply } from './http-server.ts';
import { loopbackRunner, missing, type RealRun } from './loopback-run.ts';
import { contextOf, prepare, registered } from './under-test.ts';

const TOOL = registered(hydra);
const SSH = { host: '10.77.0.10', service: 'ssh', users: ['root'], passwords: ['letmein'] };
const PAGE = { ...SSH, service: 'http-get', path: '/private/' };
const FORM = {
  ...SSH,
  service: 'http-post-form',
  path: '/login',
  form: { userField: 'user', passwordField: 'pass', failureText: 'wrong' },
};
const refused = (input: Record<string, unknown>, code = 'ERR_INPUT_INVALID') =>
  assert.rejects(prepare(TOOL, input), { code });

suite('hydra input', () => {
  test('one source of users and one of passwords', async () => {
    await refused({ ...SSH, users: undefined });
    await refused({ ...SSH, userList: 'a/b' });
    await refused({ ...SSH, passwordList: 'a/b' });
    await refused({ ...SSH, service: 'redis' });
    await prepare(TOOL, { host: '10.77.0.10', service: 'redis', passwords: ['x'] });
  });

  test('path and form belong to HTTP services', async () => {
    await refused({ ...SSH, path: '/x' });
    await refused({ ...PAGE, path: undefined });
    await refused({ ...PAGE, form: FORM.form });
    await refused({ ...FORM, form: undefined });
    await refused({ ...FORM, form: { ...FORM.form, successText: 'welcome' } });
    await refused({ ...PAGE, path: '/a:H=Host\\: evil' });
    await refused({ ...PAGE, path: '/a:A=NTLM' });
  });

  test('D15, D16: lists are names of the server, and no option writes or reads a file of the caller', async () => {
    await refused({ ...SSH, users: undefined, userList: '/etc/passwd' });
    await refused({ ...SSH, passwords: undefined, passwordList: '../../etc/shadow' });
    await refused({ ...SSH, output: '/tmp/x' });
  });

  test('one host: no network, no list, nothing out of scope', async () => {
    await refused({ ...SSH, host: '10.0.0.0/8' });
    await refused({ ...SSH, host: '10.0.0.1-9' }, 'ERR_TARGET_INVALID');
    await refused({ ...SSH, host: '93.184.216.34' }, 'ERR_TARGET_OUT_OF_SCOPE');
  });

  test('a list that is too long is refused before anything starts', () => {
    const input = { ...SSH, passwords: undefined, passwordList: 'a/b' };
    const context = contextOf(hydra, { ...SSH, passwordList: 'a/b' });
    const long = new Map([
      ['passwordList', { role: 'passwordList', name: 'a/b', path: '/a', bytes: 1, lines: 10_001 }],
    ]);
    assert.throws(() => hydra.argv(input, {} as never, { ...context, wordlists: long }), { code: 'ERR_INPUT_INVALID' });
  });

  test('D18: no password is in the argv, and the lists are files of the scratch directory', async () => {
    const { argv, input, context } = await prepare(TOOL, { ...SSH, passwords: ['s3cret-one', 's3cret-two'] });
    assert.doesNotMatch(argv.join(' '), /s3cret/);
    assert.deepEqual(hydra.files?.(input, context), [
      { name: 'u', content: 'root\n' },
      { name: 'p', content: 's3cret-one\ns3cret-two\n' },
    ]);
    assert.deepEqual(hydra.secrets, ['passwords']);
  });

  test('an HTTP run begins with a password that cannot be right, also in front of a list', async () => {
    const given = await prepare(TOOL, PAGE);
    assert.equal(hydra.files?.(given.input, given.context)[1]?.content, `${CANARY}\nletmein\n`);
    const listed = await prepare(TOOL, { ...PAGE, passwords: undefined, passwordList: 'a/b' });
    assert.deepEqual(hydra.files?.(listed.input, listed.context)[1]?.content, {
      copyOf: '/lists/a/b',
      before: `${CANARY}\n`,
    });
    await refused({ ...PAGE, stopOnFirst: true, tasks: 2 });
  });

  test('form parts cannot end their part of hydra’s option', async () => {
    const { argv } = await prepare(TOOL, {
      ...FORM,
      form: {
        userField: 'u:ser',
        passwordField: 'pass',
        fields: [{ name: 'a', value: '^PASS^&x=1:H=Host\\: evil' }],
        successText: 'ok:(?i).*|\\',
      },
    });
    assert.equal(
      argv.at(-1),
      '/login:u%3Aser=^USER^&pass=^PASS^&a=%5EPASS%5E%26x%3D1%3AH%3DHost%5C%3A%20evil' +
        ':S=ok\\x3a\\x28\\x3fi\\x29\\x2e\\x2a\\x7c\\x5c',
    );
  });

  test('a page by name says that the name is not sent', () => {
    const context = contextOf(hydra, PAGE);
    assert.equal(hydra.degrades?.({ ...PAGE, host: 'web.lab.internal' }, context).length, 1);
    assert.equal(hydra.degrades?.(PAGE, context).length, 0);
  });
});

const basic = (name: string, password: string) => `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
const guarded = (right: string) =>
  httpServer(({ authorization }, response) =>
    reply(response, authorization === right ? 200 : 401, { headers: { 'www-authenticate': 'Basic realm="x"' } }),
  );

const skip = await missing(hydra);

suite('hydra on loopback', { skip }, async () => {
  if (skip !== false) return;
  const lists = await mkdtemp(join(tmpdir(), 'sallyport-lists-'));
  const runner = await loopbackRunner(hydra, { 'web.lab.internal': '127.0.0.1' });
  after(async () => {
    await runner.close();
    await rm(lists, { recursive: true });
  });
  const run = (port: number, input: Record<string, unknown>, files: string[] = []): Promise<RealRun> =>
    runner.run({ ...input, host: input['host'] === 'web.lab.internal' ? input['host'] : '127.0.0.1', port }, files);
  test('every offered service is one that this hydra has', () => {
    const help = spawnSync('/usr/bin/hydra', ['-h'], { encoding: 'utf8' }).stdout;
    const offered = /Supported services: (.*)/.exec(help)?.[1]?.split(' ').flatMap(expand) ?? [];
    for (const name of Object.keys(SERVICES)) assert.ok(offered.includes(name), `${name} is not in hydra -h`);
  });

  test('finds a password with spaces, quotes and a backslash, and shows it nowhere', async () => {
    const secret = 'it\'s "a\\b" x';
    const server = await guarded(basic('admin', secret));
    const ask = () => run(server.port, { ...PAGE, users: ['bob', 'admin'], passwords: ['one', secret, 'two'] });
    let found = await ask();
    // On a busy machine hydra itself loses a guess now and then, and says that it is not complete: it is asked again.
    for (let more = 2; more > 0 && !found.outcome.complete; more -= 1) found = await ask();
    await server.close();
    const { outcome, secrets, events } = found;
    assert.deepEqual(outcome.result['credentials'], [
      { host: '127.0.0.1', port: server.port, service: 'http-get', login: 'admin', secretRef: 'secret-1' },
    ]);
    assert.equal(outcome.complete, true);
    assert.deepEqual(secrets, [secret]);
    assert.ok(!JSON.stringify([outcome, events, found.argv]).includes('a\\\\b'));
  });

  test('a list of the server is tried behind the canary', async () => {
    const list = join(lists, 'passwords.txt');
    await writeFile(list, 'one\nsunshine\n');
    const server = await guarded(basic('admin', 'sunshine'));
    const input = {
      ...PAGE,
      users: ['admin'],
      passwords: undefined,
      passwordList: 'a/passwords.txt',
      stopOnFirst: true,
    };
    const { outcome, secrets } = await run(server.port, input, [list]);
    await server.close();
    assert.equal(outcome.failure, undefined);
    assert.deepEqual(secrets, ['sunshine']);
    assert.equal(server.seen[0]?.authorization, basic('admin', CANARY));
  });

  test('nothing valid, a page without a lock, a broken page and a closed port are four different answers', async () => {
    const locked = await guarded('nobody');
    const open = await httpServer((_request, response) => reply(response, 200));
    const broken = await httpServer((_request, response) => reply(response, 500));
    const none = (await run(locked.port, PAGE)).outcome;
    const any = await run(open.port, PAGE);
    const unclear = (await run(broken.port, PAGE)).outcome;
    const closed = (await run(await closedPort(), SSH)).outcome;
    await Promise.all([locked.close(), open.close(), broken.close()]);
    assert.deepEqual([none.complete, none.failure, none.result['open']], [true, undefined, false]);
    assert.deepEqual([any.outcome.result['open'], any.secrets], [true, []]);
    assert.match(unclear.failure ?? '', /no clear answer/);
    assert.match(closed.failure ?? '', /could not be reached/);
  });

  test('a form is filled in as its parts say, by name, with the failure text taken literally', async () => {
    const failure = 'wrong: try.again\\ (x)?';
    const server = await httpServer(({ body }, response) => {
      const fields = new URLSearchParams(body);
      const isRight =
        fields.get('us:er') === 'ad:min' && fields.get('pass') === 'a&b+c%41' && fields.get('t') === 'v:^USER^';
      reply(response, 200, { body: isRight ? 'wrong: tryXagain (welcome)' : failure });
    });
    const { outcome, secrets } = await run(server.port, {
      ...FORM,
      host: 'web.lab.internal',
      path: '/log:in?a=1',
      users: ['ad:min'],
      passwords: ['one', 'a&b+c%41'],
      form: {
        userField: 'us:er',
        passwordField: 'pass',
        fields: [{ name: 't', value: 'v:^USER^' }],
        failureText: failure,
      },
    });
    await server.close();
    assert.deepEqual(secrets, ['a&b+c%41']);
    assert.equal(outcome.complete, true);
    assert.ok(
      server.seen.every(({ host, url }) => host === `web.lab.internal:${server.port}` && url === '/log:in?a=1'),
    );
  });

  test('a redirect to another host is not contacted', async () => {
    const elsewhere = await httpServer((_request, response) => reply(response, 200), '127.0.0.2');
    const location = `http://127.0.0.2:${elsewhere.port}/`;
    const server = await httpServer(({ method }, response) =>
      reply(response, method === 'POST' ? 302 : 200, method === 'POST' ? { headers: { location } } : {}),
    );
    await run(server.port, FORM);
    await Promise.all([server.close(), elsewhere.close()]);
    assert.ok(server.seen.some(({ method }) => method === 'POST'));
    assert.equal(elsewhere.seen.length, 0);
  });
});

/** `http[s]-{get|post}` of hydra's help is four names. */
function expand(text: string): string[] {
  const choice = /^(.*?)(?:\[([^\]]*)\]|\{([^}]*)\})(.*)$/.exec(text);
  if (choice === null) return [text];
  const [, before = '', optional, several, behind = ''] = choice;
  const parts = optional === undefined ? (several ?? '').split('|') : ['', optional];
  return parts.flatMap((part) => expand(`${before}${part}${behind}`));
}
