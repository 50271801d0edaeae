/* Attacks of the attacker on files, and on running something else. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "attacker.h"

enum outcome read_key(const struct target *target) {
  char byte;
  if (target->secret == NULL) return UNKNOWN;
  const int file = open(target->secret, O_RDONLY | O_CLOEXEC);
  return judge(file < 0 ? file : read(file, &byte, 1));
}

/* Opens the secret to everybody (or closes it to its owner) without opening it. */
enum outcome change_mode(const struct target *target) {
  struct stat now = {.st_mode = 0600};
  if (target->secret == NULL) return UNKNOWN;
  if (stat(target->secret, &now) != 0) return REFUSED;
  return judge(chmod(target->secret, now.st_mode & 07777)); /* the mode that it has: asks for the permission */
}

enum outcome write_outside(const struct target *target) {
  char path[4096];
  if (target->outside == NULL) return UNKNOWN;
  snprintf(path, sizeof path, "%s/attack-%d", target->outside, getpid());
  const int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const int error = errno;
  if (file >= 0) unlink(path);
  errno = error;
  return judge(file);
}

enum outcome list_home(const struct target *target) {
  (void)target;
  DIR *home = opendir("/home");
  return judge(home == NULL || readdir(home) == NULL ? -1 : 0);
}

/* The gateway reads the working directory afterwards: a link leads it astray, a FIFO stops it. */
enum outcome link_result(const struct target *target) {
  (void)target;
  const int linked = symlink("/etc/passwd", "attack-link");
  const int made = mkfifo("attack-fifo", 0600);
  const int error = errno;
  if (linked == 0) unlink("attack-link");
  if (made == 0) unlink("attack-fifo");
  errno = error;
  return judge(linked == 0 || made == 0 ? 0 : -1);
}

/* Executes in a child; the pipe closes without a word when execve(2) succeeds. */
static enum outcome execute(int file, const char *path) {
  int news[2], error = 0;
  char *const argv[] = {(char *)path, NULL}, *const environment[] = {NULL};
  if (pipe2(news, O_CLOEXEC) != 0) return UNKNOWN;
  const pid_t child = fork();
  if (child == 0) {
    const int null = open("/dev/null", O_RDWR);
    for (int standard = 0; null >= 0 && standard < 3; standard++) dup2(null, standard);
    if (file >= 0) syscall(SYS_execveat, file, "", argv, environment, 0x1000 /* AT_EMPTY_PATH */);
    else execve(path, argv, environment);
    error = errno;
    _exit(write(news[1], &error, sizeof error) < 0);
  }
  close(news[1]);
  const ssize_t size = read(news[0], &error, sizeof error);
  if (child > 0) waitpid(child, NULL, 0);
  errno = error;
  return child < 0 || size < 0 ? UNKNOWN : judge(size == 0 ? 0 : -1);
}

enum outcome exec_other(const struct target *target) {
  return target->other == NULL ? UNKNOWN : execute(-1, target->other);
}

/* Copies this very program: it is the one file that it can certainly read and run. 0, or -1. */
static int copy_self(const struct target *target, int to) {
  char block[65536];
  ssize_t size = -1;
  const int from = open(target->self, O_RDONLY | O_CLOEXEC);
  while (from >= 0 && (size = read(from, block, sizeof block)) > 0) {
    if (write(to, block, (size_t)size) != size) return -1;
  }
  if (from >= 0) close(from);
  return size == 0 ? 0 : -1;
}

enum outcome exec_written(const struct target *target) {
  const char *name = "./attack-program";
  const int file = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
  if (file < 0 || copy_self(target, file) != 0) return UNKNOWN;
  close(file);
  const enum outcome outcome = execute(-1, name);
  const int error = errno;
  unlink(name);
  errno = error;
  return outcome;
}

enum outcome memfd_exec(const struct target *target) {
  const int file = memfd_create("attack", MFD_CLOEXEC);
  if (file < 0) return REFUSED;
  return copy_self(target, file) != 0 ? UNKNOWN : execute(file, "attack");
}

enum outcome fill_disk(const struct target *target) {
  static char block[1 << 20];
  long written = 0;
  if (target->fill == NULL) return UNKNOWN;
  signal(SIGXFSZ, SIG_IGN); /* RLIMIT_FSIZE: an error instead of the end */
  memset(block, 'x', sizeof block);
  const int file = open(target->fill, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  while (file >= 0 && written < target->disk) {
    const ssize_t size = write(file, block, sizeof block);
    if (size <= 0) break;
    written += size;
  }
  const int error = errno;
  if (file >= 0) unlink(target->fill);
  errno = error;
  return judge(written >= target->disk ? 0 : -1);
}
