#!/bin/sh
# Runs a command as the gateway's user. Started as root it gives root up first, for good: Node never runs as root.
#   enter.sh [--keep-raw] [--prepare none|data|all] -- COMMAND [ARGUMENT]...
#     --keep-raw   the command keeps NET_RAW, and only that; otherwise it has no capability
#     --prepare    data: the data directory is made; all (default): also cgroups, for a command that is a gateway
# The user is $SALLYPORT_USER (a name, or UID[:GID]), else the user `sallyport` of the machine, else 64200:64200.
# Started as another user it changes nothing. It replaces itself: the process id stays (container entry point, systemd).
set -eu

fallback=64200:64200

fail() {
  printf 'sallyport: %s\n' "$*" >&2
  exit 1
}

here=$(cd -- "$(dirname -- "$0")" && pwd -P)
checkout=${here%/deploy}
keep=-all
prepare=all
while [ "${1:-}" != -- ]; do
  case ${1:-} in
    --keep-raw) keep=-all,+net_raw ;;
    --prepare)
      shift
      case ${1:-} in none | data | all) prepare=$1 ;; *) fail "enter.sh: --prepare takes none, data or all" ;; esac
      ;;
    *) fail 'usage: enter.sh [--keep-raw] [--prepare none|data|all] -- COMMAND [ARGUMENT]...' ;;
  esac
  shift
done
shift
[ $# -gt 0 ] || fail 'enter.sh: no command'
if [ "$(id -u)" != 0 ]; then
  case ${SALLYPORT_USER:-} in
    '' | "$(id -u)" | "$(id -u):$(id -g)" | "$(id -un 2>/dev/null)") unset SALLYPORT_USER ;;
    *) fail "SALLYPORT_USER: only root can become '$SALLYPORT_USER', this is uid $(id -u)" ;;
  esac
  exec "$@"
fi

# 4294967295 is -1: setresuid(2) takes that for "leave it as it is", and the command would be root.
is_number() {
  case $1 in '' | *[!0-9]* | 0?* | ???????????*) return 1 ;; esac
  [ "$1" -lt 4294967295 ]
}

choose_user() {
  user=${SALLYPORT_USER:-}
  if [ -z "$user" ]; then
    user=$fallback
    ! id -u sallyport >/dev/null 2>&1 || user=sallyport
  fi
  home=/nonexistent
  case $user in
    [0-9]*)
      uid=${user%%:*}
      gid=${user#*:}
      ;;
    *)
      uid=$(id -u -- "$user" 2>/dev/null) && gid=$(id -g -- "$user" 2>/dev/null) ||
        fail "SALLYPORT_USER: this machine has no user '$user'; give UID:GID, or make it: useradd --system $user"
      home=$(getent passwd "$user" 2>/dev/null | cut -d: -f6)
      ;;
  esac
  is_number "$uid" && is_number "$gid" || fail "SALLYPORT_USER: '$user' is neither a name nor UID[:GID]"
  # Whoever is in group 0 may write many of root's files.
  [ "$uid" != 0 ] && [ "$gid" != 0 ] || fail "SALLYPORT_USER: the gateway does not run as root (user '$user')"
}

as_user() { setpriv --reuid="$uid" --regid="$gid" --clear-groups --no-new-privs --bounding-set=-all -- "$@"; }

# An older version ran as root and left its files to root. Only such a directory is taken over: never one that merely
# belongs to root (a mistyped SALLYPORT_DATA_DIR=/etc), that others could have filled, or whose files have other names
# elsewhere (a hard link to /etc/shadow would be given away with them).
take_over() {
  refused="$data belongs to root and was not given to uid $uid"
  [ -z "$(find . -prune -perm /022)" ] || fail "$refused: others can write it. If it is the gateway's: chmod 700 $data"
  if [ -n "$(ls -A)" ] && ! [ -f sallyport.db ] && ! [ -f keys.json ] && ! [ -f pid ] && ! [ -f log ]; then
    fail "$refused: it holds no gateway's files. If it is meant: chown -hR $uid:$gid $data"
  fi
  [ -z "$(find . -xdev ! -type d -links +1 -print)" ] || fail "$refused: it holds hard links"
  old=$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' pid 2>/dev/null | head -n 1) || old=
  if [ -n "$old" ] && [ "$(stat -c %u "/proc/$old" 2>/dev/null)" = 0 ] && grep -aq 'src/' "/proc/$old/cmdline"; then
    fail "the gateway of an older version still runs as root: kill $old, then again"
  fi
  chown -hR "$uid:$gid" .
}

prepare_data() {
  case ${SALLYPORT_DATA_DIR:-data} in
    /*) data=$SALLYPORT_DATA_DIR ;;
    *) data=$checkout/${SALLYPORT_DATA_DIR:-data} ;;
  esac
  [ ! -h "$data" ] || fail "dataDir: $data is a link: set SALLYPORT_DATA_DIR to where it leads"
  if [ ! -e "$data" ]; then
    (umask 022 && mkdir -p -- "$(dirname -- "$data")") || fail "dataDir: $data cannot be made"
    mkdir -m 0700 -- "$data" 2>/dev/null || [ -d "$data" ] || fail "dataDir: $data cannot be made"
  fi
  # From here on it is '.': what somebody puts in its place meanwhile is not touched.
  cd -P -- "$data" || fail "dataDir: $data is not a directory"
  data=$(pwd -P)
  case $(stat -c %u .) in
    "$uid") ;;
    0) take_over ;;
    *) fail "dataDir: $data belongs to uid $(stat -c %u .), the gateway is uid $uid: chown -hR $uid:$gid $data" ;;
  esac
}

command -v setpriv >/dev/null 2>&1 || fail 'setpriv is missing: apt-get install -y util-linux'
choose_user
fault=$(as_user true 2>&1) || fail "root cannot be given up for $uid:$gid here: $fault"
start=$(pwd -P)
data=$checkout
[ "$prepare" = none ] || prepare_data
cd -- "$start"
if [ "$prepare" = all ] && [ -n "${SALLYPORT_CONFIG:-}" ]; then
  # A file below a closed directory could also be out of sight by the time the gateway looks for it.
  file=$(cd -- "$checkout" && readlink -f -- "$SALLYPORT_CONFIG") || file=
  case $file in
    '' | "$checkout"/*) ;; # the gateway itself says what is wrong with it
    *) ! [ -e "$file" ] || as_user test -r "$file" || fail "SALLYPORT_CONFIG: $file cannot be read by uid $uid" ;;
  esac
fi
if [ "$prepare" = all ] && [ -f "$here/cgroups.sh" ]; then
  # In this process: it becomes the gateway, and only its own place in the tree of cgroups is asked for.
  sh "$here/cgroups.sh" "$uid" "$(printf %s "$data" | sha256sum | cut -c 1-16)" $$ || true
fi
if [ "$keep" != -all ]; then
  # Without the right there is nothing to keep, and the gateway says that raw packets are not possible.
  effective=$(sed -n 's/^CapEff:[[:space:]]*/0x/p' /proc/self/status)
  [ $((effective >> 13 & 1)) = 1 ] || keep=-all
fi
unset SALLYPORT_USER
export HOME="${home:-/nonexistent}"
[ -z "${TMPDIR:-}" ] || as_user test -w "$TMPDIR" -a -x "$TMPDIR" || unset TMPDIR
exec sh "$here/reach.sh" "$uid:$gid" "$checkout" "$data" -- setpriv --reuid="$uid" --regid="$gid" --clear-groups \
  --no-new-privs --inh-caps="$keep" --ambient-caps="$keep" --bounding-set="$keep" -- "$@"
