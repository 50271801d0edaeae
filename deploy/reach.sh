#!/bin/sh
# Runs a command that will become another user, and sees to it that this user can enter the directories it needs.
#   reach.sh UID:GID DIRECTORY DIRECTORY -- COMMAND [ARGUMENT]...
# A checkout below a closed directory (a clone in /root, mode 0700) is shown to the command at the same path in a
# mount namespace of its own (mount_namespaces(7)), where an empty directory covers the closed one: nothing is opened to
# anybody, and of what is closed the command sees the checkout alone. Not as root, or when all is open: nothing is done.
set -eu

fail() {
  printf 'sallyport: %s\n' "$*" >&2
  exit 1
}

stage=outside
[ "${1:-}" != --inside ] || { stage=inside && shift; }
user=$1
first=$2
second=$3
shift 3
[ "$1" = -- ] || fail 'usage: reach.sh UID:GID DIRECTORY DIRECTORY -- COMMAND [ARGUMENT]...'
shift
[ "$(id -u)" = 0 ] || exec "$@"

may_enter() { setpriv --reuid="${user%:*}" --regid="${user#*:}" --clear-groups -- test -x "$1"; }

# The topmost directory on the way to $1, or $1 itself, that the user cannot enter; nothing when the way is open.
find_closed() {
  may_enter "$1" && return
  way=
  rest=${1#/}/
  while [ -n "$rest" ]; do
    way=$way/${rest%%/*}
    rest=${rest#*/}
    may_enter "$way" || break
  done
  printf '%s' "$way"
}

# $1 as seen through the open descriptor $2, which still leads to it when a directory above it is covered.
show() {
  if [ "$1" -ef "/proc/self/fd/$2" ]; then
    closed=$(find_closed "$1")
    [ -n "$closed" ] || return 0
    mount -t tmpfs -o mode=0711,size=1m,nosuid,nodev,noexec sallyport "$closed"
  fi
  (umask 022 && mkdir -p -- "$1")
  mount --no-canonicalize --rbind "/proc/self/fd/$2" "$1"
}

check() {
  closed=$(find_closed "$1")
  [ -z "$closed" ] || fail "$closed cannot be entered by uid ${user%:*}: $(mend "$closed")"
}

mend() { printf 'chmod o+x %s, or move the checkout and its data to where every user may go' "$1"; }

if [ "$stage" = outside ]; then
  closed=$(find_closed "$first")
  [ -n "$closed" ] || closed=$(find_closed "$second")
  [ -n "$closed" ] || exec "$@"
  # What is closed itself cannot be shown: its own mode comes with it.
  [ "$closed" != "$first" ] && [ "$closed" != "$second" ] || check "$closed"
  fault=$(unshare --mount --propagation private true 2>&1) ||
    fail "$closed cannot be entered by uid ${user%:*}, and a mount namespace is not allowed here ($fault): $(mend "$closed")"
  exec unshare --mount --propagation private sh "$0" --inside "$user" "$first" "$second" -- "$@"
fi
start=$(pwd -P)
exec 7<"$first" 8<"$second"
show "$first" 7
show "$second" 8
exec 7<&- 8<&-
check "$first"
check "$second"
cd -- "$start" 2>/dev/null || cd / # the place of the call may be covered now
exec "$@"
