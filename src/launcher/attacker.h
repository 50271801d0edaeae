/* One attack is one function that runs in a process of its own and says how far it came. */
#ifndef ATTACKER_H
#define ATTACKER_H
#include <sys/types.h>

enum outcome { REFUSED, REACHED, UNKNOWN };

/* What the caller tells of the surroundings; NULL or 0: not told, then an attack that needs it answers UNKNOWN. */
struct target {
  const char *self, *secret, *outside, *other, *abstract, *fill, *listed, *unlisted;
  pid_t gateway;
  long port, closedport, memory, disk;
};

/* REACHED for a result that is not negative, otherwise REFUSED with errno left for the report. */
enum outcome judge(long result);

enum outcome read_key(const struct target *), write_outside(const struct target *), exec_other(const struct target *),
    list_home(const struct target *), link_result(const struct target *), exec_written(const struct target *),
    memfd_exec(const struct target *), fill_disk(const struct target *), change_mode(const struct target *);
enum outcome connect_unlisted(const struct target *), connect_mptcp(const struct target *), connect_fastopen(const struct target *),
    bind_port(const struct target *), unix_socket(const struct target *), abstract_socket(const struct target *), packet_socket(const struct target *),
    raw_socket(const struct target *), netlink_diag(const struct target *), egress_listed(const struct target *),
    egress_unlisted(const struct target *), egress_datagram(const struct target *), frame_listed(const struct target *),
    frame_unlisted(const struct target *);
enum outcome signal_gateway(const struct target *), limit_gateway(const struct target *), read_environ(const struct target *),
    read_memory(const struct target *), new_session(const struct target *), new_group(const struct target *),
    trace(const struct target *), fork_limit(const struct target *), memory(const struct target *);
enum outcome userns(const struct target *), mount_new(const struct target *), io_uring(const struct target *),
    keyring(const struct target *), sysv_ipc(const struct target *), load_bpf(const struct target *),
    set_personality(const struct target *), suid_gain(const struct target *), foreign_abi(const struct target *);
void leave_daemon(void), leave_tree(void);
#endif
