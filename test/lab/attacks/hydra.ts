import { LOOPBACK_PORT, METADATA, OUTSIDE, PASSWORD, PORTS, TARGET } from '../layout.ts';
import { asTool, type Attack, type Control, type Setting } from './attack.ts';

const page = (host: string, more: Readonly<Record<string, unknown>> = {}) => ({
  host,
  service: 'http-get',
  path: '/private/',
  users: ['admin'],
  passwords: [PASSWORD],
  ...more,
});
const FORM = { userField: 'user', passwordField: 'pass', failureText: 'Login failed' };
const form = (more: Readonly<Record<string, unknown>> = {}) =>
  page(TARGET, { service: 'http-post-form', path: '/login.php', port: PORTS.php, form: FORM, ...more });
const control: Control = { input: page(TARGET), reaches: { address: TARGET, port: PORTS.web } };
const listControl: Control = {
  ...control,
  input: page(TARGET, { users: undefined, userList: 'lists/lab-users.txt' }),
};
const formControl: Control = { input: form(), reaches: { address: TARGET, port: PORTS.php } };
const web = { address: OUTSIDE, port: 80 };
/** Ends its value in a libpq connection string and names another server. */
const ELSEWHERE = `a' host='${OUTSIDE}' port='80`;
const guess = (...args: string[]): string[] => ['hydra', '-I', '-l', 'admin', '-p', PASSWORD, ...args];
const otherHost = { log: 'nginx', line: /"evil\.test"/ } as const;
const smuggled = { log: 'nginx', line: /smuggled/ } as const;

/** What hydra must not be brought to do. */
export const HYDRA_ATTACKS: readonly Attack[] = [
  {
    name: 'guess at a service out of scope',
    input: page(OUTSIDE),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: { argv: guess(OUTSIDE, 'http-get', '/private/'), reaches: web },
  },
  {
    name: 'follow a name to a service out of scope',
    input: page('outside.hostile.test'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control: { ...control, input: page('inside.hostile.test') },
    unguarded: { argv: guess('outside.hostile.test', 'http-get', '/'), reaches: web },
  },
  {
    name: 'resolve again after the check (DNS rebinding)',
    input: page('hydra.flip.test'),
    control: { ...control, input: page('inside.hostile.test') },
    unguarded: {
      argv: [
        'sh',
        '-c',
        `dig +short @${TARGET} thrice.flip.test; exec ${guess('thrice.flip.test http-get /').join(' ')}`,
      ],
      reaches: web,
    },
  },
  {
    name: 'choose among mixed answers by itself',
    input: page('mixed.hostile.test'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control: { ...control, input: page('inside.hostile.test') },
  },
  {
    name: 'guess at every host of a network',
    input: page('10.88.0.10/31'),
    refused: ['ERR_INPUT_INVALID', 'ERR_TARGET_INVALID'],
    control,
    unguarded: { argv: guess('http-get://10.88.0.10/31'), reaches: web },
  },
  {
    name: 'take a service that is an address',
    input: page(TARGET, { service: `http-get://${OUTSIDE}/` }),
    refused: ['ERR_INPUT_INVALID'],
    control,
    unguarded: { argv: guess(`http-get://${OUTSIDE}/`), reaches: web },
  },
  {
    name: 'take a host that is an address with a service',
    input: page(`http-get://${OUTSIDE}/`),
    refused: ['ERR_INPUT_INVALID'],
    control,
  },
  {
    name: 'take a host for the option that reads hosts from a file',
    input: ({ lab }: Setting) => page(`-M${lab.traps}/targets.txt`),
    refused: ['ERR_INPUT_INVALID'],
    control,
    unguarded: { argv: ({ lab }) => guess('-M', `${lab.traps}/targets.txt`, 'http-get', '/'), reaches: web },
  },
  {
    name: 'take a service that is an option',
    input: ({ lab }: Setting) => page(TARGET, { service: `-M${lab.traps}/targets.txt` }),
    refused: ['ERR_INPUT_INVALID'],
    control,
  },
  {
    name: 'use a service that is not offered (an open proxy leads anywhere)',
    input: page(TARGET, { service: 'http-proxy', path: `http://${OUTSIDE}/` }),
    refused: ['ERR_INPUT_INVALID'],
    control,
  },
  {
    name: 'name another server in a PostgreSQL login',
    input: page(TARGET, { service: 'postgres', path: undefined, users: [ELSEWHERE] }),
    refused: ['ERR_INPUT_INVALID'],
    control,
    unguarded: {
      // Its first connection, by the port, must be answered; the login then goes where the user name says.
      argv: ['hydra', '-I', '-s', String(PORTS.web), '-l', ELSEWHERE, '-p', PASSWORD, TARGET, 'postgres'],
      reaches: web,
    },
  },
  {
    name: 'name another server in the login and the password of a service that is offered',
    input: page(TARGET, { users: [ELSEWHERE], passwords: [ELSEWHERE, `@${OUTSIDE}:80/`] }),
    control,
  },
  {
    name: 'guess with a user name that hides a second one behind a line break',
    input: page(TARGET, { service: 'ssh', path: undefined, users: ['admin\nsmuggled'] }),
    refused: ['ERR_INPUT_INVALID'],
    unlogged: { log: 'sshd', line: /smuggled/ },
    control: {
      input: page(TARGET, { service: 'ssh', path: undefined, users: ['admin'] }),
      reaches: { address: TARGET, port: PORTS.ssh },
    },
    unguarded: {
      argv: ({ lab }) => ['hydra', '-I', '-L', `${lab.traps}/users.txt`, '-p', PASSWORD, TARGET, 'ssh'],
      reaches: { address: TARGET, port: PORTS.ssh },
      logs: { log: 'sshd', line: /smuggled/ },
    },
  },
  {
    name: 'read user names from a file by its path',
    input: ({ lab }: Setting) =>
      page(TARGET, { service: 'ssh', path: undefined, users: undefined, userList: `${lab.traps}/users.txt` }),
    refused: ['ERR_INPUT_INVALID'],
    unlogged: { log: 'sshd', line: /smuggled/ },
    control: listControl,
  },
  {
    name: 'read user names from a file by a path that climbs out',
    input: page(TARGET, { service: 'ssh', path: undefined, users: undefined, userList: 'lists/../traps/users.txt' }),
    refused: ['ERR_INPUT_INVALID'],
    unlogged: { log: 'sshd', line: /smuggled/ },
    control: listControl,
  },
  {
    name: 'read passwords from a linked file',
    input: page(TARGET, { passwords: undefined, passwordList: 'lists/linked.txt' }),
    refused: ['ERR_INPUT_INVALID'],
    control: {
      input: page(TARGET, { passwords: undefined, passwordList: 'lists/lab-passwords.txt' }),
      reaches: { address: TARGET, port: PORTS.web },
    },
  },
  {
    name: 'end a form’s failure text and add a header',
    input: form({ port: 80, path: '/smuggle-1', form: { ...FORM, failureText: 'failed:H=Host\\: evil.test' } }),
    unlogged: otherHost,
    control: formControl,
  },
  {
    name: 'end a form’s field and add a header',
    input: form({
      port: 80,
      path: '/smuggle-2',
      form: { ...FORM, fields: [{ name: 'token', value: 'x:H=Host\\: evil.test' }] },
    }),
    unlogged: otherHost,
    control: formControl,
    unguarded: {
      argv: guess(TARGET, 'http-post-form', '/smuggle-0:user=^USER^&pass=^PASS^&token=x:H=Host\\: evil.test:F=failed'),
      reaches: { address: TARGET, port: 80 },
      logs: otherHost,
    },
  },
  {
    name: 'end a form’s path and add a header',
    input: form({ port: 80, path: '/smuggle-3:user=^USER^&pass=^PASS^:H=Host\\: evil.test' }),
    refused: ['ERR_INPUT_INVALID'],
    unlogged: otherHost,
    control: formControl,
  },
  {
    name: 'break the line of a request and begin another',
    input: page(TARGET, { path: '/private/ HTTP/1.0\r\n\r\nGET /smuggled' }),
    refused: ['ERR_INPUT_INVALID'],
    unlogged: smuggled,
    control,
    unguarded: {
      argv: guess(TARGET, 'http-get', '/private/ HTTP/1.0\r\n\r\nGET /smuggled'),
      reaches: { address: TARGET, port: 80 },
    },
  },
  {
    name: 'follow a form’s redirect out of scope',
    input: form({ path: '/away.php' }),
    control: formControl,
  },
  {
    name: 'guess at a denied port',
    input: page(TARGET, { port: PORTS.denied }),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    spares: { address: TARGET, port: PORTS.denied },
    control,
    unguarded: {
      argv: guess('-s', String(PORTS.denied), TARGET, 'http-get', '/private/'),
      reaches: { address: TARGET, port: PORTS.denied },
    },
  },
  {
    name: 'guess at services of its own machine',
    input: page('127.0.0.1', { port: LOOPBACK_PORT }),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: {
      argv: asTool(...guess('-s', String(LOOPBACK_PORT), '127.0.0.1', 'http-get', '/')),
      reaches: { address: '127.0.0.1', port: LOOPBACK_PORT },
    },
  },
  {
    name: 'guess at the metadata service',
    input: page(METADATA),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: { argv: guess(METADATA, 'http-get', '/'), reaches: { address: METADATA, port: 80 } },
  },
];
