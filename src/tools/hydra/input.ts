import { type Static, Type } from '@sinclair/typebox';
import { HostSchema, PortSchema } from '../../../schemas/target.ts';
import { WordlistNameSchema } from '../../../schemas/wordlist.ts';
import { LoginFormSchema } from './form.ts';
import { SERVICES, type ServiceName, serviceOf } from './services.ts';

/** One line of a list: no control character, and no "-" in front. */
const line = (max: number) => `^[^\\u0000-\\u001f\\u007f-][^\\u0000-\\u001f\\u007f]{0,${max - 1}}$`;

/** One call of hydra. */
export const HydraInputSchema = Type.Object(
  {
    host: HostSchema,
    service: Type.Union(
      (Object.keys(SERVICES) as ServiceName[]).map((name) => Type.Literal(name)),
      { description: 'What listens there. redis and snmp take passwords without users.' },
    ),
    port: Type.Optional({ ...PortSchema, description: 'Default: the usual port of the service.' }),
    users: Type.Optional(
      Type.Array(Type.String({ pattern: line(128), description: 'A login name.' }), {
        minItems: 1,
        maxItems: 1000,
        uniqueItems: true,
        description: 'Login names to try. Give users or userList.',
      }),
    ),
    userList: Type.Optional({
      ...WordlistNameSchema,
      description: 'Name of a server-side list of login names, at most 1,000 lines.',
    }),
    passwords: Type.Optional(
      Type.Array(Type.String({ pattern: line(256), description: 'A password.' }), {
        minItems: 1,
        maxItems: 10_000,
        uniqueItems: true,
        description: 'Passwords to try with every login. Give passwords or passwordList. Masked wherever shown.',
      }),
    ),
    passwordList: Type.Optional({
      ...WordlistNameSchema,
      description: 'Name of a server-side list of passwords, at most 10,000 lines.',
    }),
    tasks: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 4,
        description: 'Attempts at once. Default 4 (1 for HTTP with stopOnFirst).',
      }),
    ),
    stopOnFirst: Type.Boolean({ default: false, description: 'End after the first login that works.' }),
    path: Type.Optional(
      Type.String({
        pattern: '^/[A-Za-z0-9._~!$&()*+,;=:@%/?-]*$',
        minLength: 1,
        maxLength: 512,
        description: 'HTTP services: the protected page, or the page that takes the form.',
      }),
    ),
    form: Type.Optional(LoginFormSchema),
  },
  { additionalProperties: false },
);
export type HydraInput = Static<typeof HydraInputSchema>;

/** The rules between properties, one sentence for each fault. */
export function checkHydra(input: HydraInput): string[] {
  const { takes, http } = serviceOf(input.service);
  const faults: string[] = [];
  const userSources = [input.users, input.userList].filter((source) => source !== undefined).length;
  if (takes === 'login' && userSources !== 1) faults.push('give either users or userList');
  if (takes === 'password' && userSources !== 0) faults.push(`${input.service} has passwords only: give no users`);
  if ((input.passwords === undefined) === (input.passwordList === undefined)) {
    faults.push('give either passwords or passwordList');
  }
  if ((http === undefined) !== (input.path === undefined)) {
    faults.push(http === undefined ? `${input.service} takes no path` : `${input.service} needs path`);
  }
  if ((http === 'form') !== (input.form !== undefined)) {
    faults.push(http === 'form' ? 'http-post-form needs form' : `${input.service} takes no form`);
  }
  if (input.form !== undefined && (input.form.failureText === undefined) === (input.form.successText === undefined)) {
    faults.push('form needs either failureText or successText');
  }
  // hydra unescapes "\:" for forms only; in a page's path a colon would begin a module option.
  if (http === 'page' && input.path?.includes(':')) faults.push(`path may not have a colon for ${input.service}`);
  // With several attempts in flight the first hit need not be the canary: an open page would read as a found password.
  if (http !== undefined && input.stopOnFirst && (input.tasks ?? 1) > 1) {
    faults.push('stopOnFirst with an HTTP service needs tasks 1');
  }
  return faults;
}

/** Attempts at once. */
export function tasksOf(input: HydraInput): number {
  return input.tasks ?? (input.stopOnFirst && serviceOf(input.service).http !== undefined ? 1 : 4);
}
