import type { Confidence, Severity } from '../../../schemas/finding.ts';

/** How bad a fact is, and what it is called elsewhere. */
export interface Rating {
  readonly severity: Severity;
  readonly confidence: Confidence;
  readonly references: readonly string[];
}

const rating = (severity: Severity, ...references: string[]): Rating => ({ severity, confidence: 'firm', references });
const NOTHING = rating('info');

/** Logins in clear text on the wire, by the name that nmap gives to what it identified. */
const CLEARTEXT: ReadonlyMap<string, Rating> = new Map(
  ['telnet', 'ftp', 'login', 'shell', 'exec'].map((name) => [name, rating('low', 'CWE-319')]),
);

/** What a service is rated; only one that answered as what it is: a port number is no evidence. */
export function ratingOfService({ name, tunnel }: { readonly name: string; readonly tunnel: string }): Rating {
  return (tunnel === '' ? CLEARTEXT.get(name) : undefined) ?? NOTHING;
}

/** Scripts that judge, in the words of nmap's vulns library: what their verdict is worth. */
const VERDICTS: ReadonlyMap<string, Rating> = new Map([
  ['http-shellshock', rating('critical', 'CVE-2014-6271')],
  ['http-vuln-cve2017-5638', rating('critical', 'CVE-2017-5638')],
  ['realvnc-auth-bypass', rating('critical', 'CVE-2006-2369')],
  ['ipmi-cipher-zero', rating('high', 'CWE-287')],
  ['ssl-heartbleed', rating('high', 'CVE-2014-0160')],
  ['ssl-ccs-injection', rating('high', 'CVE-2014-0224')],
  ['ssl-poodle', rating('medium', 'CVE-2014-3566')],
  ['ssl-dh-params', rating('medium', 'CWE-326')],
]);

/** Scripts that state one thing in words of their own. */
const STATEMENTS: ReadonlyMap<string, readonly [RegExp, Rating]> = new Map([
  ['mysql-empty-password', [/ account has empty password/, rating('high', 'CWE-258')]],
  ['x11-access', [/X server access is granted/, rating('high', 'CWE-306')]],
  ['sslv2', [/SSLv2 supported/, rating('medium', 'CWE-327')]],
  ['sshv1', [/Server supports SSHv1/, rating('medium', 'CWE-327')]],
  ['http-git', [/Git repository found/, rating('medium', 'CWE-527')]],
  ['telnet-encryption', [/Telnet server does not support encryption/, rating('low', 'CWE-319')]],
]);

/**
 * What the output of a script is rated. Attack: a page title that reads "State: VULNERABLE". A verdict counts only from
 * a script that gives one, so that a text which a target chose for another script rates nothing.
 */
export function ratingOfScript({ id, output }: { readonly id: string; readonly output: string }): Rating {
  const verdict = VERDICTS.get(id);
  if (verdict !== undefined) {
    const said = /^ *State: (LIKELY )?VULNERABLE\b/m.exec(output);
    if (said === null) return NOTHING;
    return said[1] === undefined ? verdict : { ...verdict, confidence: 'tentative' };
  }
  const [pattern, statement] = STATEMENTS.get(id) ?? [];
  return pattern?.test(output) === true ? (statement ?? NOTHING) : NOTHING;
}

/** What each script that can be rated above `info` is rated at most. */
export const RATED_SCRIPTS: ReadonlyMap<string, Rating> = new Map([
  ...VERDICTS,
  ...[...STATEMENTS].map(([id, [, statement]]) => [id, statement] as const),
]);
