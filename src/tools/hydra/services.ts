/**
 * What shows in hydra's own output that a guess was answered. `login`: its count of completed pairs, which for ssh are
 * refusals only. `page`: a 401 for each. `form`: the failure text for each. `hidden`: nothing, since hydra counts a
 * silent or broken server's guess as refused; an empty result is then never complete.
 */
export type Proof = 'login' | 'page' | 'form' | 'hidden';

/** What hydra knows of one service. */
export interface Service {
  readonly port: number;
  /** Which credentials it takes: hydra refuses a login for services that have only a password. */
  readonly takes: 'login' | 'password';
  /** `page`: a path behind HTTP authentication; `form`: a login form. */
  readonly http?: 'page' | 'form';
  readonly proof: Proof;
}

const page = { port: 80, takes: 'login', http: 'page', proof: 'page' } as const;
const mail = (port: number) => ({ port, takes: 'login', proof: 'hidden' }) as const;

/**
 * The services offered, as `hydra -h` of 9.4 spells them. Each connects to the pinned address and the given port only,
 * whatever is in a login or a password, and at a bounded pace: a module that cannot be shown to do so is not here.
 * Attack: postgres puts both into a libpq connection string, where `x' host='…` in a word list names another server.
 */
export const SERVICES = {
  ssh: { port: 22, takes: 'login', proof: 'login' },
  ftp: { port: 21, takes: 'login', proof: 'hidden' },
  'http-get': page,
  'http-head': page,
  'http-post-form': { port: 80, takes: 'login', http: 'form', proof: 'form' },
  redis: { port: 6379, takes: 'password', proof: 'hidden' },
  smtp: mail(25),
  imap: mail(143),
  pop3: mail(110),
  snmp: { port: 161, takes: 'password', proof: 'hidden' },
} as const satisfies Record<string, Service>;

export type ServiceName = keyof typeof SERVICES;

/** The facts of a service. */
export function serviceOf(name: ServiceName): Service {
  return SERVICES[name];
}
