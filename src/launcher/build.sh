#!/bin/sh
# Builds the native programs into OUTDIR/<hash of the sources and the machine>/ unless they are there already.
# Usage: build.sh OUTDIR. The last line of the output is the directory. Exit 3: there is no compiler; 1: anything else.
set -eu
exec </dev/null
LC_ALL=C
export LC_ALL
umask 022

[ $# -eq 1 ] || { echo "usage: $0 OUTDIR" >&2; exit 1; }
sources=$(cd -- "$(dirname -- "$0")" && pwd)
mkdir -p -- "$1"
out=$(cd -- "$1" && pwd)
# The same hash as src/core/execution/launcher.ts computes: an old build is never taken for a new one.
hash=$({ cat -- "$sources"/*.[ch]; uname -m; } | sha256sum | cut -d ' ' -f 1)
target=$out/$hash

if [ -d "$target" ]; then
  echo "$target"
  exit 0
fi

compiler=
for each in cc gcc clang; do
  if command -v "$each" >/dev/null 2>&1; then
    compiler=$each
    break
  fi
done
work=$(mktemp -d -- "$out/.build.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
trap 'exit 1' HUP INT TERM

missing() {
  echo "no C compiler with a static libc and the kernel headers: apt-get install -y --no-install-recommends gcc libc6-dev" >&2
  exit 3
}
[ -n "$compiler" ] || missing
printf '#include <linux/landlock.h>\n#include <stdio.h>\nint main(void) { return puts("") < 0; }\n' >"$work/probe.c"
"$compiler" -static -o "$work/probe" "$work/probe.c" >/dev/null 2>&1 || missing

flags='-std=c11 -D_GNU_SOURCE= -O2 -Wall -Wextra -Werror -Wformat=2 -fno-strict-aliasing -fstack-protector-strong
  -D_FORTIFY_SOURCE=2 -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -s'
works() { "$compiler" -Werror "$@" -o "$work/probe" "$work/probe.c" >/dev/null 2>&1 && "$work/probe" >/dev/null 2>&1; }
# Where the compiler can: the program's own code has no address that is known in advance.
if works -static-pie -fPIE; then flags="$flags -static-pie -fPIE"; else flags="$flags -static"; fi
for flag in -fstack-clash-protection -fcf-protection=full -mbranch-protection=standard; do
  if works -static "$flag"; then flags="$flags $flag"; fi
done
rm -f -- "$work/probe" "$work/probe.c"

for program in launcher supervisor egress attacker; do
  [ -f "$sources/$program.c" ] || continue
  set -- "$sources/$program.c"
  if [ "$program" = supervisor ]; then
    # shellcheck disable=SC2086 # the flags are words
    "$compiler" $flags -c -Dmain=become_program -o "$work/launcher.o" "$sources/launcher.c" >&2
    set -- "$@" "$work/launcher.o"
  fi
  if [ "$program" = attacker ]; then
    for part in "$sources"/attack-*.c; do
      [ -f "$part" ] && set -- "$@" "$part"
    done
  fi
  # shellcheck disable=SC2086 # the flags are words
  "$compiler" $flags -o "$work/$program" "$@" >&2
done
rm -f -- "$work/launcher.o"
chmod 755 "$work" "$work"/*
# Whole or not at all: another build of the same sources may have been faster, and its result is as good.
mv -T -- "$work" "$target" 2>/dev/null || [ -d "$target" ]
echo "$target"
