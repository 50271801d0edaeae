/* Attacks of the attacker on the kernel's larger surfaces. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "attacker.h"

enum outcome userns(const struct target *target) {
  (void)target;
  const long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
  if (child == 0) _exit(0);
  if (child > 0) {
    waitpid((pid_t)child, NULL, 0);
    return REACHED;
  }
  return judge(unshare(CLONE_NEWUSER));
}

enum outcome mount_new(const struct target *target) {
  (void)target;
  /* In a namespace of its own only: it must not change the machine's mounts when it is let through. */
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) return judge(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
  return judge(syscall(SYS_fsopen, "tmpfs", 0));
}

enum outcome io_uring(const struct target *target) {
  char parameters[256] = {0};
  (void)target;
  return judge(syscall(SYS_io_uring_setup, 1, parameters));
}

enum outcome keyring(const struct target *target) {
  (void)target;
  return judge(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1));
}

enum outcome sysv_ipc(const struct target *target) {
  (void)target;
  const int memory = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
  if (memory >= 0) shmctl(memory, IPC_RMID, NULL);
  return judge(memory);
}

enum outcome load_bpf(const struct target *target) {
  (void)target;
  union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
  return judge(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map));
}

enum outcome set_personality(const struct target *target) {
  (void)target;
  return judge(personality(ADDR_NO_RANDOMIZE));
}

/* no_new_privs is what makes set-user-ID programs and file capabilities give nothing. */
enum outcome suid_gain(const struct target *target) {
  (void)target;
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return REACHED;
  return judge(setresuid(0, 0, 0));
}

/* 32-bit calls go by other numbers, past every filter that looks at the number alone. */
enum outcome foreign_abi(const struct target *target) {
  (void)target;
#ifdef __x86_64__
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L /* getpid */) : "memory");
  return judge(result == getpid() ? 0 : -1);
#else
  return UNKNOWN;
#endif
}
