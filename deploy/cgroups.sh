#!/bin/sh
# cgroups.sh UID NAME [PID]: prepares control groups for one gateway and moves PID (the caller) into them.
#
# Run it, do not source it, as root, just before the caller drops to UID with setpriv and executes the gateway:
#   sh deploy/cgroups.sh "$uid" "$name" $$
# In version 2, and in each of the version 1 trees memory, pids and cpu, as far as they exist:
#   …/sallyport-NAME          handed to UID: the gateway makes its groups run-* here
#   …/sallyport-NAME/gateway  stays root's: PID, and so the gateway
# It never fails and says nothing about what is not possible here: a tree that could not be prepared is left as it was,
# and the gateway reports layer 4 without it. Groups of an earlier start are used again; what an earlier gateway left in
# run-* is ended by the next one, which can tell a dead gateway's groups from a living one's.
#
# cgroups(7) "Delegating a hierarchy", Linux Documentation/admin-guide/cgroup-v2.rst "Delegation".
set -u

user=${1:-}
name=${2:-}
pid=${3:-$PPID}
controllers='memory pids cpu'

refuse() {
  printf 'cgroups.sh: %s\n' "$1" >&2
  exit 0
}

# Attack: a name with a slash or dots would hand another group to the user.
case $name in '' | *[!A-Za-z0-9_-]*) refuse 'NAME may hold A-Z a-z 0-9 _ - only' ;; esac
[ "${#name}" -le 64 ] || refuse 'NAME is longer than 64 characters'
case $user in '' | 0* | *[!0-9]*) refuse 'UID must be a number above zero' ;; esac
case $pid in '' | 0* | *[!0-9]*) refuse 'PID must be a number above zero' ;; esac

# One write(2) of one value; false when the kernel refuses.
put() { { printf '%s\n' "$2" >"$1"; } 2>/dev/null; }

has_word() { # WORD WORDS
  case " $2 " in *" $1 "*) return 0 ;; esac
  return 1
}

# Sets $point to where the tree is mounted and $place to the group $path as seen below it.
find_mount() { # cgroup2|cgroup CONTROLLER
  while read -r _ _ _ root point _ rest; do
    rest=${rest#*- }
    type=${rest%% *}
    options=${rest##* }
    [ "$type" = "$1" ] || continue
    [ "$1" = cgroup2 ] || has_word "$2" "$(printf '%s' "$options" | tr , ' ')" || continue
    case $root$point in *\\*) continue ;; esac # an escaped character: no place that a machine puts control groups
    [ "$root" = / ] && root=
    case $path in
      "$root") place= ;;
      "$root"/*) place=${path#"$root"} ;;
      *) continue ;;
    esac
    place=${place%/}
    return 0
  done </proc/self/mountinfo
  return 1
}

# Sets $parent to the group that gets ours. Limits that an administrator has set stay in force: we go below our own
# group, never beside it. A login session is the exception: it holds the shell, so it could not hand on controllers, and
# it ends with the login. A version 1 group below the root belongs to whoever put us there; version 1 knows no safe way to
# share it.
choose_parent() { # 1|2
  case $place in
    */sallyport-*/gateway) place=${place%/*/gateway} ;; # started again from inside of a gateway's group
  esac
  case $place in
    */..*) return 1 ;;
    '' | /user.slice/*) parent=$point ;;
    *) [ "$1" = 2 ] && parent=$point$place || return 1 ;;
  esac
}

# Version 2 gives a controller to a group only if every group above hands it on.
enable_controllers() { # GROUP
  for controller in $controllers; do
    group=$point
    below=${1#"$point"}
    while :; do
      read -r enabled 2>/dev/null <"$group/cgroup.subtree_control" || enabled=
      has_word "$controller" "$enabled" || put "$group/cgroup.subtree_control" "+$controller" || break
      below=${below#/}
      [ -n "$below" ] || break
      group=$group/${below%%/*}
      case $below in */*) below=/${below#*/} ;; *) below= ;; esac
    done
  done
}

prepare() { # 1|2
  base=$parent/sallyport-$name
  mkdir "$base" 2>/dev/null
  mkdir "$base/gateway" 2>/dev/null
  if ! put "$base/gateway/cgroup.procs" "$pid"; then
    rmdir "$base/gateway" "$base" 2>/dev/null
    return
  fi
  if [ "$1" = 2 ]; then
    # A group with processes hands on nothing, and this shell is one of them.
    put "$base/gateway/cgroup.procs" $$
    enable_controllers "$base"
    # The common ancestor of the gateway's and a run's group: who moves a process must be able to write to it.
    chown "$user" "$base/cgroup.procs" "$base/cgroup.subtree_control" 2>/dev/null
  fi
  # What an earlier start left under another user must be endable by this one.
  chown -R "$user" "$base"/run-* 2>/dev/null
  # No file of the base itself: its limits and its gateway group are not the gateway's to change.
  chown "$user" "$base" 2>/dev/null
}

while IFS=: read -r _ names path; do
  if [ -z "$names" ]; then
    find_mount cgroup2 '' && choose_parent 2 && prepare 2
    continue
  fi
  for controller in $controllers; do
    has_word "$controller" "$(printf '%s' "$names" | tr , ' ')" || continue
    find_mount cgroup "$controller" && choose_parent 1 && prepare 1
    break
  done
done <<GROUPS
$(cat "/proc/$pid/cgroup" 2>/dev/null)
GROUPS
exit 0
