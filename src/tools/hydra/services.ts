/** What hydra knows of one service. */
export interface Service {
  readonly port: number;
  /** Which credentials it takes: hydra refuses a login for services that have only a password. */
  readonly takes: 'login' | 'password';
  /** `page`: a path behind HTTP authentication; `form`: a login form. */
  readonly http?: 'page' | 'form';
}

const login = (port: number): Service => ({ port, takes: 'login' });

/** The services offered, as `hydra -h` of 9.4 spells them. */
export const SERVICES = {
  ssh: login(22),
  ftp: login(21),
  'http-get': { ...login(80), http: 'page' },
  'http-head': { ...login(80), http: 'page' },
  'http-post-form': { ...login(80), http: 'form' },
  smb: login(445),
  mysql: login(3306),
  postgres: login(5432),
  rdp: login(3389),
  redis: { port: 6379, takes: 'password' },
  vnc: { port: 5900, takes: 'password' },
  telnet: login(23),
  smtp: login(25),
  imap: login(143),
  pop3: login(110),
  ldap2: login(389),
  ldap3: login(389),
  snmp: { port: 161, takes: 'password' },
} as const satisfies Record<string, Service>;

export type ServiceName = keyof typeof SERVICES;

/** The facts of a service. */
export function serviceOf(name: ServiceName): Service {
  return SERVICES[name];
}
