/* launcher OPTION... -- /abs/program args
 *
 * Takes from itself everything that the program does not need, for good, and becomes the program: one execve(2), no
 * capability and no set-user-ID needed. Options: core= nofile= fsize= cpu= data= as= nproc= (limits, soft and hard) ·
 * caps=none|net_raw · read= execute= write= (absolute paths, repeatable) · connect=any|none|P[-P][,...] (TCP) ·
 * socket=unix|packet. What is not given is not allowed. Says on descriptor 3 (which the program does not get)
 * "ready abi=N tcp=0|1 scope=0|1" or "fault STEP ERRNO" (nothing ran, exit 125).
 * setrlimit(2) capabilities(7) prctl(2) landlock(7) seccomp(2) close_range(2) */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "filter.h"
#include "kernel.h"

#ifndef NEWEST_ABI /* of Landlock that is known here; a test builds this program for older kernels */
#define NEWEST_ABI 6
#endif
enum { STATUS = 3, REFUSED = 125 };

static const struct { const char *name; int resource; } LIMITS[] = {
  {"core=", RLIMIT_CORE}, {"nofile=", RLIMIT_NOFILE}, {"fsize=", RLIMIT_FSIZE}, {"cpu=", RLIMIT_CPU},
  {"data=", RLIMIT_DATA}, {"as=", RLIMIT_AS},         {"nproc=", RLIMIT_NPROC},
};
static const char *connect_to = "none";
static int keep_raw;
static struct sockets sockets;

static _Noreturn void fault(const char *step, int error) {
  dprintf(STATUS, "fault %s %d\n", step, error);
  _exit(REFUSED);
}

/* The text after `name` when the option has that name. */
static const char *value_of(const char *option, const char *name) {
  const size_t length = strlen(name);
  return strncmp(option, name, length) == 0 ? option + length : NULL;
}

/* A decimal number, nothing else (strtoull(3) would take blanks and signs); `end` NULL: up to the end of the text. */
static unsigned long long number(const char *text, const char **end) {
  char *rest;
  errno = 0;
  const unsigned long long value = strtoull(text, &rest, 10);
  if (*text < '0' || *text > '9' || errno != 0 || (end == NULL && *rest != '\0')) fault("option", EINVAL);
  if (end != NULL) *end = rest;
  return value;
}

static void set_limit(int resource, rlim_t wanted) {
  struct rlimit now;
  if (getrlimit(resource, &now) != 0) fault("rlimit", errno);
  /* Root could raise it: a limit that someone set around us stays. */
  if (wanted > now.rlim_max) fault("rlimit", EPERM);
  if (setrlimit(resource, &(struct rlimit){wanted, wanted}) != 0) fault("rlimit", errno);
}

static void take_option(const char *option) {
  const char *value;
  for (size_t i = 0; i < sizeof LIMITS / sizeof *LIMITS; i++) {
    if ((value = value_of(option, LIMITS[i].name)) != NULL) return set_limit(LIMITS[i].resource, number(value, NULL));
  }
  if (strcmp(option, "caps=net_raw") == 0) keep_raw = 1;
  else if (strcmp(option, "socket=unix") == 0) sockets.local = 1;
  else if (strcmp(option, "socket=packet") == 0) sockets.packet = 1;
  else if ((value = value_of(option, "connect=")) != NULL) connect_to = value;
  else if (strncmp(option, "read=/", 6) == 0 || strncmp(option, "execute=/", 9) == 0 || strncmp(option, "write=/", 7) == 0) return;
  else if (strcmp(option, "caps=none") != 0) fault("option", EINVAL);
}

/* Leaves no capability, or NET_RAW alone as ambient one, and reads back what was left: setting fails silently where
 * the bounding set cannot be changed. no_new_privs first: from then on execve(2) gives nothing, whoever is the owner. */
static void drop_privileges(void) {
  const uint32_t kept = keep_raw ? 1U << CAP_NET_RAW : 0;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {{kept, kept, kept}, {0, 0, 0}};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fault("nnp", errno);
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (int each = 0; prctl(PR_CAPBSET_READ, each, 0, 0, 0) >= 0; each++) {
    if (each != CAP_NET_RAW || !keep_raw) prctl(PR_CAPBSET_DROP, each, 0, 0, 0);
  }
  if (syscall(SYS_capset, &header, data) != 0) fault("caps", errno);
  if (keep_raw && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) != 0) fault("caps", errno);
  if (syscall(SYS_capget, &header, data) != 0) fault("caps", errno);
  if (data[0].permitted != kept || data[0].effective != kept || data[0].inheritable != kept) fault("caps", EPERM);
  if ((data[1].permitted | data[1].effective | data[1].inheritable) != 0) fault("caps", EPERM);
  for (int each = 0; each < 64; each++) {
    const int ambient = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, each, 0, 0) == 1;
    if (ambient != (keep_raw && each == CAP_NET_RAW)) fault("caps", EPERM);
  }
}

/* Allows `rights` on the file, or beneath the directory. What is not there, or closed to us, stays refused. */
static void allow_path(int ruleset, const char *path, uint64_t rights, int is_required) {
  const uint64_t of_files = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | FS_TRUNCATE;
  struct stat found;
  const int file = open(path, O_PATH | O_CLOEXEC);
  if (file < 0 && !is_required && (errno == ENOENT || errno == ENOTDIR || errno == EACCES)) return;
  if (file < 0 || fstat(file, &found) != 0) fault("landlock", errno);
  if (!S_ISDIR(found.st_mode)) rights &= of_files;
  struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = file};
  if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH, &rule, 0) != 0) fault("landlock", errno);
  close(file);
}

static void allow_ports(int ruleset) {
  for (const char *at = connect_to; strcmp(connect_to, "none") != 0; at++) {
    const unsigned long long first = number(at, &at);
    const unsigned long long last = *at == '-' ? number(at + 1, &at) : first;
    if (first > last || last > 65535 || (*at != ',' && *at != '\0')) fault("option", EINVAL);
    for (struct port_rule rule = {NET_CONNECT_TCP, first}; ruleset >= 0 && rule.port <= last; rule.port++) {
      if (syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, &rule, 0) != 0) fault("landlock", errno);
    }
    if (*at == '\0') return;
  }
}

/* landlock(7): files by list, execution of the program alone, TCP ports, signals and abstract sockets within; whatever
 * of that this kernel's ABI knows. `argv` holds the options up to and including "--". Returns the ABI. */
static int restrict_files(char **argv) {
  const long newest = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (newest < 1) fault("landlock", newest < 0 ? errno : ENOSYS);
  const int abi = newest < NEWEST_ABI ? (int)newest : NEWEST_ABI;
  const int is_any = strcmp(connect_to, "any") == 0;
  const uint64_t files = FS_ABI1 | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) | (abi >= 5 ? FS_IOCTL_DEV : 0);
  const struct ruleset wanted = {files, NET_BIND_TCP | (is_any ? 0 : NET_CONNECT_TCP), SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL};
  const size_t known = abi >= 6 ? sizeof wanted : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
  const uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
  /* Plain files and directories only. Attack: a link, a FIFO or a socket as "result" leads the gateway, which reads the
   * working directory afterwards, to another file or makes it wait for ever. A device node is the device. */
  const uint64_t writing = files & ~(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                                     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK | FS_IOCTL_DEV);
  const int ruleset = (int)syscall(SYS_landlock_create_ruleset, &wanted, known, 0);
  if (ruleset < 0) fault("landlock", errno);
  const char *value;
  for (; strcmp(*argv, "--") != 0; argv++) {
    if ((value = value_of(*argv, "read=")) != NULL) allow_path(ruleset, value, reading, 0);
    /* Of a directory too, never its listing: a script's interpreter is one file. */
    if ((value = value_of(*argv, "execute=")) != NULL) allow_path(ruleset, value, LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE, 0);
    if ((value = value_of(*argv, "write=")) != NULL) allow_path(ruleset, value, writing, 1);
  }
  allow_path(ruleset, argv[1], LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE, 0);
  allow_path(ruleset, "/dev/null", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE, 0);
  allow_path(ruleset, "/dev/zero", LANDLOCK_ACCESS_FS_READ_FILE, 0);
  allow_path(ruleset, "/dev/random", LANDLOCK_ACCESS_FS_READ_FILE, 0);
  allow_path(ruleset, "/dev/urandom", LANDLOCK_ACCESS_FS_READ_FILE, 0);
  if (!is_any) allow_ports(abi >= 4 ? ruleset : -1);
  const struct port_rule own_port = {NET_BIND_TCP, 0}; /* a port of the kernel's choice, never one that is known */
  if (abi >= 4 && syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, &own_port, 0) != 0) fault("landlock", errno);
  if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) fault("landlock", errno);
  return abi;
}

int main(int argc, char **argv) { /* also `become_program` of supervisor.c: build.sh */
  const pid_t parent = getppid();
  int first = 1;
  if (fcntl(STATUS, F_GETFD) < 0) return REFUSED;
  while (first < argc && strcmp(argv[first], "--") != 0) take_option(argv[first++]);
  if (first + 1 >= argc || argv[first + 1][0] != '/') fault("option", EINVAL);
  umask(077);
  /* Whoever came before may have ignored some on purpose (supervisor.c): the program gets the defaults. */
  for (int each = 1; each < NSIG; each++) signal(each, SIG_DFL);
  if (syscall(SYS_close_range, STATUS, ~0U, CLOSE_RANGE_CLOEXEC) != 0) fault("nnp", errno);
  drop_privileges();
  /* After the last change of credentials, which clears it. Attack: the parent died before this was set. */
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fault("lifeline", errno);
  struct pollfd lifeline = {.fd = STATUS, .events = POLLRDHUP};
  if (getppid() != parent || poll(&lifeline, 1, 0) != 0) fault("lifeline", ESRCH);
  const int abi = restrict_files(argv + 1);
  if (filter_system_calls(&sockets, abi >= 6) != 0) fault("seccomp", errno);
  if (dprintf(STATUS, "ready abi=%d tcp=%d scope=%d\n", abi, abi >= 4, abi >= 6) < 0) return REFUSED;
  execv(argv[first + 1], argv + first + 1);
  fault("exec", errno);
}
