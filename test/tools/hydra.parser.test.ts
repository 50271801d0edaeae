import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { CANARY } from '../../src/tools/hydra/index.ts';
import { HydraResultSchema, parseHydra } from '../../src/tools/hydra/parser.ts';
import { feed, golden } from './golden.ts';
import { assertFits } from './loopback-run.ts';

function read(
  sample: string,
  {
    service = 'http-get',
    exitCode = 0,
    out,
  }: Partial<Record<'service', string>> & { exitCode?: number; out?: string } = {},
) {
  const kept: string[] = [];
  const said: string[] = [];
  const outcome = feed(
    parseHydra({
      host: '10.77.0.10',
      service,
      canary: CANARY,
      keepSecret: ({ kind, value }) => `${kind}-${kept.push(value)}`,
      emit: (event) => void said.push(JSON.stringify(event)),
    }),
    {
      stdout: golden(`hydra/${sample}.stdout`),
      stderr: golden(`hydra/${sample}.stderr`),
      end: { exitCode, files: new Map([['out.json', Buffer.from(out ?? golden(`hydra/${sample}.files/out.json`))]]) },
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
      { host: '10.77.0.10', port: 18_099, service: 'http-get', login: 'admin', secretRef: 'password-1' },
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
    assert.deepEqual(read('found', { out }).kept, ['s"q"}x']);
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

  for (const sample of ['unclear', 'silent']) {
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

  test('silence of SNMP is never a complete answer', () => {
    assert.equal(read('none', { service: 'snmp' }).complete, false);
  });

  test('an entry that the summary counts and the file lacks makes the answer incomplete', () => {
    assert.equal(read('found', { out: '' }).complete, false);
  });
});
