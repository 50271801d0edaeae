import type { ToolNeeds } from './types.ts';

/**
 * What the attacking shell tries. Arguments: scratch parent, a private directory of the gateway, pid of the gateway.
 * It ends leaving a directory without permissions, a link to the gateway's file, and a daemon in a session of its own.
 */
export const ATTACK_SCRIPT = `
say() { printf '\\n==%s\\n' "$1"; }
try() { if "$@" >/dev/null 2>&1; then echo reached; else echo refused; fi; }
write() { ( : > "$1" ); }
say status; cat /proc/self/status
say limits; cat /proc/self/limits
say environment; cat /proc/$$/environ
say descriptors; ls -l /proc/$$/fd
say stdin; if IFS= read -r line; then echo open; else echo ended; fi
say directory; pwd -P
say place; cat /proc/$$/stat
say read-key; try cat "$2/secret"
say list-private; try ls "$2"
say write-outside; try write "$1/written-by-an-attack"
say signal-gateway; try kill -0 "$3"
say see-processes; try ls "/proc/$3"
say read-environ; try cat "/proc/$3/environ"
say userns; try unshare --user true
mkdir locked && echo x > locked/file && chmod 000 locked
ln -s "$2/secret" link
away=; command -v setsid >/dev/null && setsid true 2>/dev/null && away=setsid
$away sleep 600 >/dev/null 2>&1 &
say end
`;

/**
 * The same with a daemon that also sheds its environment and its directory, so that no look finds it. It writes on: as
 * long as it lives the output of the run does not come to its end, and with the pipe gone it ends by itself. Only layers
 * 2 to 4 claim to end such a one.
 */
export const STEALTH_SCRIPT = ATTACK_SCRIPT.replace(
  /^\$away sleep.*$/m,
  `( cd / && exec env -i $away sh -c 'while :; do echo alive; sleep 0.1; done' ) &`,
);

/** What the script itself stands on: a shell and its small programs, and the accounts of its own process. */
export const ATTACK_NEEDS: ToolNeeds = { read: ['/proc', '/usr/bin', '/bin'], execute: ['/usr/bin', '/bin'] };

/** Limits that the attacking child must find in force, bytes. */
export const ATTACK_LIMITS = { dataBytes: 268_435_456, addressSpaceBytes: 2_147_483_648 } as const;

/** Sections of the child's report by name; empty when it could not even start. */
export type AttackReport = ReadonlyMap<string, string>;

/** Splits the report of the attacking shell. */
export function parseAttackReport(output: string): AttackReport {
  const sections = new Map<string, string>();
  for (const part of `\n${output}`.split('\n==').slice(1)) {
    const lineEnd = part.indexOf('\n');
    sections.set(part.slice(0, lineEnd).trim(), part.slice(lineEnd + 1));
  }
  return sections;
}

/** What the native attacker reported: attack → `refused`, `reached` or `unknown`. */
export type Verdicts = ReadonlyMap<string, string>;

/** Reads the lines `ATTACK=VERDICT [detail]` of the native attacker; `done` stands at the end of a whole report. */
export function parseVerdicts(output: string): Verdicts {
  const verdicts = new Map<string, string>();
  for (const line of output.split('\n')) {
    const [, name, verdict] = /^([a-z-]{1,32})=(refused|reached|unknown)\b/.exec(line) ?? [];
    if (name !== undefined && verdict !== undefined) verdicts.set(name, verdict);
    if (line === 'done') verdicts.set('done', 'refused');
  }
  return verdicts;
}
