import assert from 'node:assert/strict';
import type { RunResult } from '../../../schemas/run.ts';
import { PASSWORD, PORTS, TARGET } from '../layout.ts';
import type { ToolCase } from './case.ts';

const login = (service: string, more: Readonly<Record<string, unknown>> = {}) => ({
  host: TARGET,
  service,
  passwords: ['letmein', PASSWORD],
  ...more,
});
const page = (path: string, more: Readonly<Record<string, unknown>> = {}) => ({
  url: { scheme: 'http', host: TARGET, port: PORTS.php, path },
  param: 'id',
  ...more,
});

interface Credentials {
  readonly credentials: readonly { readonly login: string; readonly port: number; readonly secretRef: string }[];
}
const foundLogin = (login: string, port: number) => (run: RunResult) => {
  const { credentials } = run.result as Credentials;
  assert.deepEqual(
    credentials.map((found) => ({ login: found.login, port: found.port })),
    [{ login, port }],
  );
  // The password that was found, and those that were tried, are in no part of the answer.
  assert.doesNotMatch(JSON.stringify(run), new RegExp(`${PASSWORD}|letmein`));
};

/** What hydra and sqlmap find out in the lab. */
export const GUESSING_CASES: readonly ToolCase[] = [
  {
    tool: 'hydra',
    name: 'finds the password of a protected page',
    input: () => login('http-get', { path: '/private/', users: ['admin'] }),
    check: foundLogin('admin', 80),
    mcp: true,
  },
  {
    tool: 'hydra',
    name: 'finds the password of a login form',
    input: () =>
      login('http-post-form', {
        port: PORTS.php,
        path: '/login.php',
        users: ['admin'],
        form: { userField: 'user', passwordField: 'pass', failureText: 'Login failed' },
      }),
    check: foundLogin('admin', PORTS.php),
  },
  {
    tool: 'hydra',
    name: 'finds the password of an ssh login',
    input: (user) => login('ssh', { users: [user] }),
    check: (run, user) => foundLogin(user, PORTS.ssh)(run),
  },
  {
    tool: 'hydra',
    name: 'finds the password of an ftp login',
    input: (user) => login('ftp', { users: [user] }),
    check: (run, user) => foundLogin(user, PORTS.ftp)(run),
  },
  {
    tool: 'hydra',
    name: 'finds nothing where no guess is right',
    input: () => login('http-get', { path: '/private/', users: ['admin'], passwords: ['letmein'] }),
    check: (run) => assert.deepEqual((run.result as Credentials).credentials, []),
  },
  {
    tool: 'sqlmap',
    name: 'finds the injectable parameter, its techniques and the database system',
    input: () => page('/item.php?id=1'),
    check: (run) => {
      const found = run.result as { injectable: boolean; dbms: string; techniques: { type: string }[] };
      assert.equal(found.injectable, true);
      assert.match(found.dbms, /SQLite/);
      const types = found.techniques.map(({ type }) => type).join();
      assert.match(types, /boolean-based blind/);
      assert.match(types, /UNION/);
    },
    mcp: true,
  },
  {
    tool: 'sqlmap',
    name: 'lists the tables behind it',
    input: () => page('/item.php?id=1', { action: 'tables' }),
    check: (run) => {
      const { tables } = run.result as { tables: { name: string }[] };
      assert.deepEqual(tables.map(({ name }) => name).sort(), ['items', 'users']);
    },
  },
  {
    tool: 'sqlmap',
    name: 'says that a constant page is not injectable',
    input: () => page('/constant.php?id=1'),
    check: (run) => assert.equal((run.result as { injectable: boolean | null }).injectable, false),
  },
];
