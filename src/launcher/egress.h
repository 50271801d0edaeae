/* The seccomp(2) program that egress puts on a tool with NET_RAW. */
#ifndef EGRESS_H
#define EGRESS_H
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define FOREIGN 0x40000000u
#else
#define ARCH AUDIT_ARCH_AARCH64
#define FOREIGN 0xffffffffu
#endif
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/*
 * What would carry a packet past the rules from a tool with NET_RAW (packet(7)): AF_XDP sends below the egress hook; a
 * frame of PACKET_TX_RING can change while it is checked; PACKET_VNET_HDR lets the kernel put a "checksum" over the
 * checked port; io_uring sets socket options unseen. Of SOL_PACKET only what libpcap captures with is left.
 */
static inline int refuse_bypasses(void) {
    struct sock_filter code[] = {
        LOAD(arch), IS(ARCH, 1, 0), REFUSE,
        LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FOREIGN, 0, 1), REFUSE,
        IS(__NR_io_uring_setup, 0, 1), REFUSE,
        IS(__NR_socket, 0, 4), LOAD(args[0]), IS(AF_XDP, 0, 1), REFUSE, ALLOW,
        IS(__NR_setsockopt, 0, 12), LOAD(args[1]), IS(SOL_PACKET, 1, 0), ALLOW,
        LOAD(args[2]), IS(PACKET_ADD_MEMBERSHIP, 7, 0), IS(PACKET_DROP_MEMBERSHIP, 6, 0), IS(PACKET_RX_RING, 5, 0),
        IS(PACKET_AUXDATA, 4, 0), IS(PACKET_VERSION, 3, 0), IS(PACKET_RESERVE, 2, 0), IS(PACKET_TIMESTAMP, 1, 0),
        REFUSE, ALLOW,
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

#endif
