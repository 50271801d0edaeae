/** User of the raw tools of these tests; nobody's account. */
export const RAW_UID = 64_299;

/** Where a raw tool of the gateway stands: a user without any right but NET_RAW, which it cannot add to. */
export function withRawRights(program: string, argv: readonly string[]): readonly string[] {
  const user = [`--reuid=${RAW_UID}`, `--regid=${RAW_UID}`, '--clear-groups', '--no-new-privs'];
  const rights = ['inh-caps', 'ambient-caps', 'bounding-set'].map((set) => `--${set}=-all,+net_raw`);
  return ['setpriv', ...user, ...rights, '--', program, ...argv];
}
