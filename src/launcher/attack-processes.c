/* Attacks of the attacker on other processes, and on whoever wants to end it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "attacker.h"

enum { MOST_FORKS = 4096, DAEMON_SECONDS = 600 };

enum outcome signal_gateway(const struct target *target) {
  if (target->gateway == 0) return UNKNOWN;
  return judge(kill(target->gateway, 0)); /* asks for the permission, delivers nothing */
}

enum outcome limit_gateway(const struct target *target) {
  struct rlimit limit;
  if (target->gateway == 0) return UNKNOWN;
  return judge(prlimit(target->gateway, RLIMIT_NOFILE, NULL, &limit));
}

static int open_of(const struct target *target, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", target->gateway, name);
  return open(path, O_RDONLY | O_CLOEXEC);
}

enum outcome read_environ(const struct target *target) {
  char byte;
  if (target->gateway == 0) return UNKNOWN;
  const int file = open_of(target, "environ");
  return judge(file < 0 ? file : read(file, &byte, 1));
}

enum outcome read_memory(const struct target *target) {
  char byte;
  const struct iovec here = {&byte, 1}, there = {NULL, 1};
  if (target->gateway == 0) return UNKNOWN;
  if (open_of(target, "mem") >= 0) return REACHED;
  /* Nothing is at address 0: EFAULT says that the permission was there. */
  const ssize_t size = process_vm_readv(target->gateway, &here, 1, &there, 1, 0);
  return judge(size >= 0 || errno == EFAULT ? 0 : -1);
}

enum outcome new_session(const struct target *target) {
  (void)target;
  return judge(setsid());
}

enum outcome new_group(const struct target *target) {
  (void)target;
  return judge(setpgid(0, 0));
}

enum outcome trace(const struct target *target) {
  /* SEIZE does not stop it; the end of this process lets it go. */
  if (target->gateway != 0 && ptrace(PTRACE_SEIZE, target->gateway, 0, 0) == 0) return REACHED;
  return judge(ptrace(PTRACE_TRACEME, 0, 0, 0));
}

enum outcome fork_limit(const struct target *target) {
  int count = 0, error = 0, gate[2];
  char byte;
  (void)target;
  if (pipe(gate) != 0) return UNKNOWN;
  while (count < MOST_FORKS) {
    const pid_t child = fork();
    if (child == 0) {
      /* Until the pipe closes: below Landlock's ABI 6 a program may not signal its children. */
      close(gate[1]);
      _exit(read(gate[0], &byte, 1) == 0 ? 0 : 1);
    }
    if (child < 0) {
      error = errno;
      break;
    }
    count++;
  }
  close(gate[1]);
  close(gate[0]);
  for (int each = 0; each < count; each++) wait(NULL);
  errno = error;
  return judge(count == MOST_FORKS ? 0 : -1);
}

enum outcome memory(const struct target *target) {
  const long step = 16L << 20;
  for (long taken = 0; taken < target->memory; taken += step) {
    char *block = mmap(NULL, (size_t)step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) return REFUSED;
    for (long page = 0; page < step; page += 4096) block[page] = 1;
  }
  return REACHED;
}

/* Ignores what can be ignored and loses its marks: the environment, the directory, the name. Closes `news` when that
 * is done. */
static _Noreturn void hide(int news) {
  for (int number = 1; number < NSIG; number++) signal(number, SIG_IGN);
  for (char **each = environ; each != NULL && *each != NULL; each++) memset(*each, 0, strlen(*each));
  prctl(PR_SET_PDEATHSIG, 0);
  prctl(PR_SET_NAME, "hidden");
  if (chdir("/") != 0) _exit(1);
  close(news);
  for (unsigned left = DAEMON_SECONDS; left > 0;) left = sleep(left);
  _exit(0);
}

/* Double fork, in a session of its own where it may; the caller looks whether the process is gone. */
void leave_daemon(void) {
  int news[2];
  pid_t hidden = -1;
  if (pipe2(news, O_CLOEXEC) != 0) return;
  const pid_t child = fork();
  if (child == 0) {
    setsid();
    hidden = fork();
    if (hidden == 0) {
      close(news[0]);
      hide(news[1]);
    }
    _exit(write(news[1], &hidden, sizeof hidden) != sizeof hidden);
  }
  close(news[1]);
  if (child < 0 || read(news[0], &hidden, sizeof hidden) != sizeof hidden) hidden = -1;
  char end;
  if (hidden > 0 && read(news[0], &end, 1) != 0) hidden = -1; /* nobody writes: waits until it is hidden */
  close(news[0]);
  if (child > 0) waitpid(child, NULL, 0);
  printf("daemon=unknown pid=%d\n", hidden);
  fflush(stdout);
}

/* Four: this one, a child, a child in its own session, a daemon. None ends by itself. */
void leave_tree(void) {
  for (int each = 0; each < 2; each++) {
    int news[2];
    char end;
    if (pipe2(news, O_CLOEXEC) != 0) return;
    const pid_t child = fork();
    if (child == 0) {
      close(news[0]);
      if (each == 1) setsid();
      hide(news[1]);
    }
    close(news[1]);
    const int is_hidden = child > 0 && read(news[0], &end, 1) == 0;
    close(news[0]);
    printf("tree=unknown pid=%d\n", is_hidden ? child : -1);
  }
  for (int number = 1; number < NSIG; number++) signal(number, SIG_IGN);
  leave_daemon();
  printf("tree=unknown pid=%d\ndone\n", getpid());
  fflush(stdout);
  hide(-1);
}
