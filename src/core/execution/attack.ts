/**
 * What the attacking child tries. Arguments: scratch parent, a private directory of the gateway, pid of the gateway.
 * It ends leaving a directory without permissions, a link to the gateway's file and a daemon in a session of its own.
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
say read; try cat "$2/secret"
say list; try ls "$2"
say write; try write "$1/written-by-an-attack"
say signal; try kill -0 "$3"
mkdir locked && echo x > locked/file && chmod 000 locked
ln -s "$2/secret" link
if command -v setsid >/dev/null; then setsid sleep 600 >/dev/null 2>&1 & else sleep 600 >/dev/null 2>&1 & fi
say end
`;

/** Limits that the attacking child must find in force, bytes. */
export const ATTACK_LIMITS = { dataBytes: 268_435_456, addressSpaceBytes: 2_147_483_648 } as const;

/** Sections of the child's report by name; empty when it could not even start. */
export type AttackReport = ReadonlyMap<string, string>;

/** Splits the report of the attacking child. */
export function parseAttackReport(output: string): AttackReport {
  const sections = new Map<string, string>();
  for (const part of `\n${output}`.split('\n==').slice(1)) {
    const lineEnd = part.indexOf('\n');
    sections.set(part.slice(0, lineEnd).trim(), part.slice(lineEnd + 1));
  }
  return sections;
}
