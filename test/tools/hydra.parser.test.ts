import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { CANARY } from '../../src/tools/hydra/index.ts';
import type { ToolEnd } from '../../src/core/tool/definition.ts';
import { HydraResultSchema, parseHydra } from '../../src/tools/hydra/parser.ts';
import { SERVICES, type ServiceName } from '../../src/tools/hydra/services.ts';
import { feed, golden } from './golden.ts';
import { assertFits } from './loopback-run.ts';

function read(
  sample: string,
  {
    service = 'http-get',
    exitCode = 0,
    out,
    stdout = golden(`hydra/${sample}.stdout`),
    stderr = golden(`hydra/${sample}.stderr`),
    more = {},
    stopOnFirst = false,
    successText = false,
    logins,
  }: Partial<{
    service: ServiceName;
    exitCode: number;
    out: string;
    stdout: Buffer;
    stderr: Buffer;
    more: Partial<ToolEnd>;
    stopOnFirst: boolean;
    successText: boolean;
    logins: readonly string[];
  }> = {},
) {
  const kept: string[] = [];
  const said: string[] = [];
  const outcome = feed(
    parseHydra({
      host: '10.77.0.10',
      service,
      stopOnFirst,
      successText,
      logins,
      canary: CANARY,
      keepSecret: ({ kind, value }) => `${kind}-${kept.push(value)}`,
      draftOf: ({ login, secretRef }) => ({
        kind: 'credential',
        target: '10.77.0.10',
        key: login ?? '',
        title: 'a login',
        severity: 'high',
        confidence: 'confirmed',
        references: [secretRef],
      }),
      emit: (event) => void said.push(JSON.stringify(event)),
    }),
    {
      stdout,
      stderr,
      end: {
        ...more,
        exitCode,
        files: new Map([['out.json', Buffer.from(out ?? golden(`hydra/${sample}.files/out.json`))]]),
      },
    },
  );
  assertFits(HydraResultSchema, outcome.result);
  return { ...outcome, kept, shown: JSON.stringify(outcome) + said.join('') };
}

suite('hydra output', () => {
  test('a found password is kept apart and shown as a reference', () => {
    const { result, complete, kept, shown } = read('found');
    assert.equal(complete, true);
    assert.deepEqual(result.credentials, [
      { host: '10.77.0.10', port: 18_899, service: 'http-get', login: 'admin', secretRef: 'password-1' },
    ]);
    assert.deepEqual(kept, ['sun shine']);
    assert.doesNotMatch(shown, /sun shine/);
  });

  test('D39: a hyphenated module, a colon in the login and a backslash in the password are read whole', () => {
    const { result, kept } = read('form', { service: 'http-post-form' });
    assert.equal(result.credentials[0]?.login, 'ad:min');
    assert.deepEqual(kept, ['s\\un:shine']);
  });

  test('quotes in a password, of which hydra escapes the first, do not break the entry', () => {
    const out = '{ "results": [\n\t{"port": 22, "service": "ssh", "host": "h", "login": "a", "password": "s\\"q"}x"}\n';
    assert.equal(read('found', { out }).kept.at(-1), 's"q"}x');
  });

  test('no valid password is an answer', () => {
    const { result, complete, failure } = read('none');
    assert.deepEqual(result, { credentials: [], open: false, unclear: 0 });
    assert.equal(failure, undefined);
    assert.equal(complete, true);
  });

  for (const sample of ['unreachable', 'refused']) {
    test(`a service that cannot be looked at is a failure, not "no password" (${sample})`, () => {
      const { failure, complete } = read(sample, { exitCode: 255 });
      assert.match(failure ?? '', /could not be reached/);
      assert.equal(complete, false);
    });
  }

  for (const sample of ['unclear', 'limited']) {
    test(`answers that are neither yes nor no are a failure, and their text does not leak (${sample})`, () => {
      const { failure, result, shown } = read(sample);
      assert.match(failure ?? '', /no clear answer/);
      assert.equal(result.unclear, 2);
      assert.doesNotMatch(shown, /ad:min|password: /);
    });
  }

  test('a page that lets every password in has no credentials', () => {
    const { result, kept, complete } = read('open');
    assert.deepEqual(result, { credentials: [], open: true, unclear: 0 });
    assert.deepEqual(kept, []);
    assert.equal(complete, true);
  });

  test('a service that asks for no password says so', () => {
    const { result, failure } = read('no-password', { service: 'redis', exitCode: 255 });
    assert.equal(result.open, true);
    assert.equal(failure, undefined);
  });

  test('a server that closes on every guess is a failure, although hydra calls the target completed', () => {
    const { failure, complete, result } = read('silent');
    assert.match(failure ?? '', /error with every attempt|no clear answer/);
    assert.equal(complete, false);
    assert.deepEqual(result.credentials, []);
  });

  test('without one guess that was seen to be answered, nothing found is a failure', () => {
    const stdout = golden('hydra/none.stdout')
      .toString()
      .replaceAll(/ read N$/gm, ' read Q');
    const { failure, complete } = read('none', { stdout: Buffer.from(stdout) });
    assert.match(failure ?? '', /no clear answer/);
    assert.equal(complete, false);
  });

  test('one guess of which no answer was seen makes the answer incomplete, and a note says so', () => {
    const stdout = golden('hydra/none.stdout')
      .toString()
      .replace(/ read N$/m, ' read Q');
    const { failure, complete, result } = read('none', { stdout: Buffer.from(stdout) });
    assert.deepEqual([failure, complete], [undefined, false]);
    assert.match(result.note ?? '', /seen to be answered/);
  });

  test('refusals of a page without its status 401 are no evidence', () => {
    assert.match(read('none', { stderr: Buffer.from('') }).failure ?? '', /no clear answer/);
  });

  test('services of which hydra shows no answers are never complete, and a note says why', () => {
    for (const [name, { proof }] of Object.entries(SERVICES)) {
      if (proof !== 'hidden') continue;
      const { complete, result } = read('none', { service: name as ServiceName });
      assert.equal(complete, false, name);
      assert.match(result.note ?? '', /may still be right/);
    }
  });

  test('a form judged by its success text is never completely negative', () => {
    const stdout = golden('hydra/form.stdout').toString();
    const { complete, result } = read('form', {
      service: 'http-post-form',
      successText: true,
      stdout: Buffer.from(stdout),
    });
    assert.equal(complete, false);
    assert.match(result.note ?? '', /success text/);
  });

  test('a hit for every login that was named settles the answer, and one for some of them does not', () => {
    assert.equal(read('found', { service: 'ftp', logins: ['admin'] }).complete, true);
    assert.equal(read('found', { service: 'ftp', logins: ['admin', 'root'] }).complete, false);
    assert.equal(read('found', { service: 'ftp', stopOnFirst: true, logins: ['admin', 'root'] }).complete, true);
  });

  test('output that was cut is incomplete, not a failure', () => {
    const stdout = golden('hydra/none.stdout').subarray(0, -300);
    const { complete, failure, result } = read('none', { stdout, more: { stdoutTruncated: true } });
    assert.deepEqual([complete, failure, result.credentials], [false, undefined, []]);
  });

  test('a run that ran out of time is not complete', () => {
    assert.equal(read('none', { more: { ending: 'timed_out' } }).complete, false);
  });

  test('a page of the target cannot say that no password is required, nor report a hit', () => {
    const page =
      '[!] The server x does not require password.\n[80][http-get] host: 10.77.0.10   login: root   password: x\n';
    const { result, shown } = read('none', {
      stderr: Buffer.concat([golden('hydra/none.stderr'), Buffer.from(page)]),
    });
    assert.equal(result.open, false);
    assert.doesNotMatch(shown, /accepted/);
  });

  test('an entry that the summary counts and the file lacks makes the answer incomplete', () => {
    assert.equal(read('found', { out: '' }).complete, false);
  });
});
