/* The seccomp program of the launcher: system calls that a security tool never needs and an attacker does. A deny-list:
 * the files, the network and the execution are Landlock's; here go what it does not govern. seccomp(2), bpf(2).
 * Refusals are errors, not kills, so that a tool goes on without the thing; only foreign calling conventions kill. */
#ifndef FILTER_H
#define FILTER_H
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "kernel.h"

/* Socket families beyond AF_INET, AF_INET6 and routing AF_NETLINK. */
struct sockets {
  int local, packet;
};

static unsigned short DENIED[] = {
  /* other processes: reading, changing, starving, signalling them by descriptor */
  __NR_ptrace, __NR_process_vm_readv, __NR_process_vm_writev, __NR_process_madvise, __NR_process_mrelease, __NR_kcmp,
  __NR_pidfd_getfd, __NR_pidfd_send_signal, __NR_setpriority, __NR_ioprio_set, __NR_sched_setaffinity, __NR_sched_setattr,
  __NR_sched_setparam, __NR_sched_setscheduler, __NR_migrate_pages, __NR_move_pages,
  /* leaving the process group by which everything is ended */
  __NR_setsid, __NR_setpgid,
  /* namespaces and mounts */
  __NR_unshare, __NR_setns, __NR_mount, __NR_umount2, __NR_pivot_root, __NR_chroot, __NR_open_tree, __NR_open_tree_attr,
  __NR_move_mount, __NR_fsopen, __NR_fsconfig, __NR_fsmount, __NR_fspick, __NR_mount_setattr, __NR_statmount, __NR_listmount,
  /* executing what no path rule covers, and opening files by handle past every path */
  __NR_memfd_create, __NR_memfd_secret, __NR_execveat, __NR_name_to_handle_at, __NR_open_by_handle_at,
  /* what Landlock leaves open on every path: modes, owners, times, attributes, watching */
  __NR_fchmodat, __NR_fchmodat2, __NR_fchownat, __NR_setxattr, __NR_lsetxattr, __NR_setxattrat, __NR_removexattr,
  __NR_lremovexattr, __NR_removexattrat, __NR_utimensat, __NR_file_setattr, __NR_inotify_add_watch,
  /* the user has 128 of these, the gateway among them; modes of a list that is standard input, of a hidden directory */
  __NR_inotify_init1, __NR_fchmod, __NR_fchown, __NR_fsetxattr, __NR_fremovexattr,
  /* Landlock's from ABI 3 on only: before, a name is enough to empty any file of the user, the keys included */
  __NR_truncate,
  /* large surfaces of the kernel */
  __NR_io_uring_setup, __NR_io_uring_enter, __NR_io_uring_register, __NR_bpf, __NR_userfaultfd, __NR_perf_event_open,
  __NR_add_key, __NR_request_key, __NR_keyctl, __NR_fanotify_init, __NR_personality, __NR_lookup_dcookie, __NR_syslog,
  /* memory and queues shared with strangers of the same user */
  __NR_shmget, __NR_shmat, __NR_shmctl, __NR_msgget, __NR_msgsnd, __NR_msgrcv, __NR_msgctl, __NR_semget, __NR_semop,
  __NR_semtimedop, __NR_semctl, __NR_mq_open, __NR_mq_unlink,
  /* the machine */
  __NR_kexec_load, __NR_kexec_file_load, __NR_init_module, __NR_finit_module, __NR_delete_module, __NR_quotactl,
  __NR_quotactl_fd, __NR_swapon, __NR_swapoff, __NR_reboot, __NR_settimeofday, __NR_clock_settime, __NR_clock_adjtime,
  __NR_adjtimex, __NR_acct, __NR_vhangup, __NR_sethostname, __NR_setdomainname, __NR_nfsservctl,
#ifdef __x86_64__
  __NR_iopl, __NR_ioperm, __NR_modify_ldt, __NR_uselib, __NR_ustat, __NR_sysfs, __NR__sysctl,
  __NR_inotify_init, __NR_chmod, __NR_chown, __NR_lchown, __NR_utime, __NR_utimes, __NR_futimesat, __NR_create_module, __NR_get_kernel_syms, __NR_query_module,
#endif
};

static struct sock_filter filter_program[512];
static unsigned short filter_length;

static void add(struct sock_filter instruction) {
  filter_program[filter_length++] = instruction;
}

#define STATEMENT(code, k) add((struct sock_filter)BPF_STMT((code), (uint32_t)(k)))
#define JUMP(test, value, yes, no) \
  add((struct sock_filter)BPF_JUMP(BPF_JMP | (test) | BPF_K, (uint32_t)(value), (unsigned char)(yes), (unsigned char)(no)))
#define LOAD(field) STATEMENT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) STATEMENT(BPF_RET | BPF_K, (action))
#define REFUSE(error) RETURN(SECCOMP_RET_ERRNO | (error))
#define LIST(...) (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)

/* What stands between `begin` and `end_call` is for this system call alone and is allowed at the end. */
static unsigned short begin_call(int number) {
  JUMP(BPF_JEQ, number, 0, 0);
  return filter_length;
}

static void end_call(unsigned short begun) {
  RETURN(SECCOMP_RET_ALLOW);
  filter_program[begun - 1].jf = (unsigned char)(filter_length - begun);
}

/* Refuses the call unless (`is_listed`) or when one argument is in the list. Arguments are compared by their low half
 * (both architectures are little-endian): the kernel takes these as int. */
static void check(int argument, int is_listed, int error, const uint32_t *values, size_t count) {
  LOAD(args[argument]);
  /* What is found jumps over the refusal that follows; with the way round in between, it lands on it instead. */
  for (size_t i = 0; i < count; i++) JUMP(BPF_JEQ, values[i], count - i, 0);
  if (!is_listed) JUMP(BPF_JA, 1, 0, 0);
  REFUSE(error);
}

static void check_bits(int argument, uint32_t bits) {
  LOAD(args[argument]);
  JUMP(BPF_JSET, bits, 0, 1);
  REFUSE(EPERM);
}

static void check_bits_of(int number, int argument, uint32_t bits) {
  const unsigned short call = begin_call(number);
  check_bits(argument, bits);
  end_call(call);
}

static int by_number(const void *one, const void *other) {
  return (int)*(const unsigned short *)one - (int)*(const unsigned short *)other;
}

/* In order, with a way past each block for higher numbers: the kernel runs the whole filter once for every system call
 * when it is installed, which a plain list makes three times as long. */
static void refuse_denied(void) {
  enum { BLOCK = 10 };
  const size_t count = sizeof DENIED / sizeof *DENIED;
  qsort(DENIED, count, sizeof *DENIED, by_number);
  for (size_t first = 0; first < count; first += BLOCK) {
    const size_t size = count - first < BLOCK ? count - first : BLOCK;
    JUMP(BPF_JGT, DENIED[first + size - 1], size + 2, 0);
    for (size_t i = 0; i < size; i++) JUMP(BPF_JEQ, DENIED[first + i], size - i, 0);
    JUMP(BPF_JA, 1, 0, 0);
    REFUSE(EPERM);
  }
}

static void check_socket(const struct sockets *sockets) {
  unsigned short call = begin_call(__NR_socket);
  LOAD(args[0]);
  if (sockets->local) {
    JUMP(BPF_JEQ, AF_UNIX, 0, 1);
    RETURN(SECCOMP_RET_ALLOW);
  }
  if (sockets->packet) {
    JUMP(BPF_JEQ, AF_PACKET, 0, 1);
    RETURN(SECCOMP_RET_ALLOW);
  }
  check(0, 1, EAFNOSUPPORT, LIST(AF_INET, AF_INET6, AF_NETLINK));
  /* Attack: SCTP as SOCK_SEQPACKET, MPTCP and SMC connect where Landlock looks at TCP alone. */
  LOAD(args[1]);
  STATEMENT(BPF_ALU | BPF_AND | BPF_K, 0xf);
  JUMP(BPF_JGT, SOCK_RAW, 0, 1);
  REFUSE(ESOCKTNOSUPPORT);
  check(2, 1, EPROTONOSUPPORT, LIST(0, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6, IPPROTO_RAW));
  /* NETLINK_ROUTE is 0: the interfaces and the routes, which every tool asks for. The others configure or spy. */
  LOAD(args[0]);
  JUMP(BPF_JEQ, AF_NETLINK, 0, 3);
  LOAD(args[2]);
  JUMP(BPF_JEQ, 0, 1, 0);
  REFUSE(EPROTONOSUPPORT);
  end_call(call);
}

/* Attack: TCP_ULP "smc" turns a TCP socket into one of SMC, which connects where Landlock looks at TCP alone. */
static void check_tcp_options(void) {
  const unsigned short call = begin_call(__NR_setsockopt);
  LOAD(args[1]);
  JUMP(BPF_JEQ, IPPROTO_TCP, 0, 3);
  LOAD(args[2]);
  JUMP(BPF_JEQ, 31 /* TCP_ULP */, 0, 1);
  REFUSE(EPERM);
  end_call(call);
}

/* Before Landlock's ABI 6 nothing else keeps signals inside: then the program may only signal itself, which costs it
 * the right to signal its children. Attack: KILL to the supervisor or to the gateway, which have the same user id. */
static void check_signals(uint32_t self) {
  static const int direct[] = {__NR_kill, __NR_tgkill, __NR_rt_sigqueueinfo, __NR_rt_tgsigqueueinfo, __NR_tkill};
  for (size_t i = 0; i < sizeof direct / sizeof *direct; i++) {
    const unsigned short call = begin_call(direct[i]);
    check(0, 1, EPERM, LIST(0, self));
    end_call(call);
  }
  const unsigned short call = begin_call(__NR_fcntl);
  check(1, 0, EPERM, LIST(F_SETOWN, F_SETOWN_EX)); /* SIGIO, or any signal by F_SETSIG, to whom it names */
  end_call(call);
}

/* Installs the filter for good; no_new_privs is needed. Returns 0, or -1 with errno. */
static int filter_system_calls(const struct sockets *sockets, int has_signal_scope) {
  const uint32_t self = (uint32_t)getpid(); /* stays the same through execve(2) */
  unsigned short call;
  LOAD(arch);
  JUMP(BPF_JEQ, NATIVE_ARCH, 1, 0);
  RETURN(SECCOMP_RET_KILL_PROCESS); /* 32-bit calls have other numbers: they would pass every line below */
  LOAD(nr);
#ifdef __x86_64__
  JUMP(BPF_JGE, 0x40000000, 0, 1);
  RETURN(SECCOMP_RET_KILL_PROCESS); /* x32: the same calls by other numbers */
#endif
  refuse_denied();
  JUMP(BPF_JEQ, __NR_clone3, 0, 1);
  REFUSE(ENOSYS); /* its flags are in memory, which a filter cannot read; the C library then uses clone(2) */
  check_bits_of(__NR_clone, 0, CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET);
  check_socket(sockets);
  check_tcp_options();
  /* Attack: TCP Fast Open connects by sending, which Landlock's rule on connect(2) does not see. */
  check_bits_of(__NR_sendto, 3, MSG_FASTOPEN);
  check_bits_of(__NR_sendmsg, 2, MSG_FASTOPEN);
  check_bits_of(__NR_sendmmsg, 3, MSG_FASTOPEN);
  call = begin_call(__NR_ioctl); /* typing into the terminal of whoever started us; SIGIO to a stranger */
  check(1, 0, EPERM, LIST(TIOCSTI, 0x541C /* TIOCLINUX */, FIOSETOWN, SIOCSPGRP));
  end_call(call);
  call = begin_call(__NR_prlimit64); /* Attack: the gateway, which has the same user id, gets a limit of no files */
  check(0, 1, EPERM, LIST(0, self));
  end_call(call);
  if (!has_signal_scope) check_signals(self);
  RETURN(SECCOMP_RET_ALLOW);
  const struct sock_fprog program = {.len = filter_length, .filter = filter_program};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}
#endif
