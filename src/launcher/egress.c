/*
 * egress slirp=/abs/slirp4netns nft=/abs/nft rules=/abs/file [raw=1] -- /abs/next args
 *
 * Puts the rest of the chain into a network namespace of its own (user_namespaces(7), network_namespaces(7)) whose only
 * way out is slirp4netns(1), behind the allow-list of nft(8) in `rules`. Runs as the gateway's user, between the
 * supervisor and bwrap or the launcher. Any failure: one line `fault <step> <errno>` on descriptor 3 and exit code 125;
 * the next program is never executed outside.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "egress.h"

enum { STATUS = 3, READY_MS = 5000, NFT_SECONDS = 5 };
static const char *slirp, *nft, *rules;
static int raw;

static void fault(const char *step, int error) {
    dprintf(STATUS, "fault %s %d\n", step, error);
    _exit(125);
}

static int await(pid_t child) {
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) fault("egress", errno);
    return status;
}

static int put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC), done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) close(fd);
    return done ? 0 : -1;
}

/* Maps one uid and one gid: no other id exists inside, so no set-uid program of the machine means anything there. */
static void enter(int namespaces, const unsigned inside[2], const unsigned outside[2]) {
    char uid[64], gid[64];
    snprintf(uid, sizeof uid, "%u %u 1", inside[0], outside[0]);
    snprintf(gid, sizeof gid, "%u %u 1", inside[1], outside[1]);
    if (unshare(CLONE_NEWUSER | namespaces) != 0) fault("namespace", errno);
    if (put("/proc/self/setgroups", "deny") != 0 || put("/proc/self/uid_map", uid) != 0 || put("/proc/self/gid_map", gid) != 0)
        fault("namespace", errno);
}

/* capabilities(7): leaves exactly `keep` (a mask of the first 32) in every set, also the bounding one. */
static int reduce(unsigned keep) {
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct want[2] = {{keep, keep, keep}, {0, 0, 0}}, have[2];
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return -1;
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (cap > 31 || !(keep >> cap & 1))
            if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) return -1;
    if (syscall(SYS_capset, &head, want) != 0) return -1;
    for (int cap = 0; cap < 32; cap++)
        if (keep >> cap & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) != 0) return -1;
    if (syscall(SYS_capget, &head, have) != 0) return -1;
    return memcmp(want, have, sizeof want) == 0 ? 0 : (errno = EPERM, -1);
}

/*
 * Becomes slirp4netns for `target` once `go` says that its namespace is there. It has the host's network, so it gets
 * nothing of the run: no status descriptor, no environment, and ends with the tool (pidfd) or the supervisor.
 */
static void serve(pid_t target, int go, int ready) {
    char byte, ready_option[32], exit_option[32], pid[16];
    struct rlimit files, none = {0, 0};
    if (setpgid(0, 0) != 0 || read(go, &byte, 1) != 1) _exit(125);
    /* By now the parent has reaped the one between, so the adoptive parent is the supervisor. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) _exit(125);
    int tool = (int)syscall(SYS_pidfd_open, target, 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (tool < 0 || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || chdir("/") != 0) _exit(125);
    /* It needs one descriptor for each connection; a scan holds thousands. */
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) _exit(125);
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) _exit(125);
    if (setrlimit(RLIMIT_CORE, &none) != 0 || syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) _exit(125);
    if (fcntl(ready, F_SETFD, 0) != 0 || fcntl(tool, F_SETFD, 0) != 0) _exit(125);
    snprintf(ready_option, sizeof ready_option, "--ready-fd=%d", ready);
    snprintf(exit_option, sizeof exit_option, "--exit-fd=%d", tool);
    snprintf(pid, sizeof pid, "%d", target);
    char *argv[] = {"slirp4netns", "--configure", "--mtu=65520", "--cidr=192.0.2.0/24", "--disable-host-loopback",
                    "--disable-dns", "--enable-sandbox", "--enable-seccomp", ready_option, exit_option, pid, "tap0", NULL};
    char *environment[] = {NULL};
    execve(slirp, argv, environment);
    _exit(125);
}

/*
 * Starts slirp4netns and enters the namespaces. There are two user namespaces, one in the other: slirp4netns lives in
 * the outer one (as its uid 0, which its sandbox needs; what the gateway had on the host is lost), the tool and its
 * network in the inner one, so the tool may not trace slirp4netns and borrow its sockets. Forked twice: the tool must
 * not have a child that it did not make.
 */
static void connect_out(void) {
    const unsigned root[2] = {0, 0}, own[2] = {geteuid(), getegid()};
    int go[2], ready[2];
    char byte;
    pid_t self = getpid();
    if (pipe2(go, O_CLOEXEC) != 0 || pipe2(ready, O_CLOEXEC) != 0) fault("egress", errno);
    enter(0, root, own);
    pid_t between = fork();
    if (between < 0) fault("egress", errno);
    if (between == 0) {
        if (close(go[1]) == 0 && close(STATUS) == 0 && fork() == 0) serve(self, go[0], ready[1]);
        _exit(0);
    }
    close(go[0]);
    close(ready[1]);
    await(between);
    enter(CLONE_NEWNET, own, root);
    /*
     * masscan ends only when one more packet comes along, and nothing else speaks on this network: let the kernel ask
     * for a router every two seconds. Nobody answers. Where it cannot (no IPv6) masscan may run into its time limit.
     */
    put("/proc/sys/net/ipv6/conf/default/router_solicitations", "-1");
    put("/proc/sys/net/ipv6/conf/default/router_solicitation_max_interval", "2");
    if (write(go[1], "g", 1) != 1) fault("egress", errno);
    struct pollfd wait = {.fd = ready[0], .events = POLLIN};
    if (poll(&wait, 1, READY_MS) != 1) fault("egress", ETIMEDOUT);
    /* End of file: slirp4netns is gone (no such program, no /dev/net/tun for this user). */
    if (read(ready[0], &byte, 1) != 1) fault("egress", ENOTCONN);
    close(go[1]);
    close(ready[0]);
}

static void load_rules(void) {
    pid_t child = fork();
    if (child < 0) fault("egress", errno);
    if (child == 0) {
        char *argv[] = {"nft", "-f", (char *)rules, NULL}, *environment[] = {NULL};
        /* As ambient capability: an ordinary user's execve drops every other. */
        if (reduce(1U << CAP_NET_ADMIN) != 0 || syscall(SYS_close_range, 3, ~0U, 0) != 0) _exit(126);
        alarm(NFT_SECONDS);
        execve(nft, argv, environment);
        _exit(127);
    }
    int status = await(child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) fault("egress", ENOENT);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fault("egress", EINVAL);
}

int main(int argc, char **argv) {
    int next = 1;
    for (; next < argc && strcmp(argv[next], "--") != 0; next++) {
        const char *value = strchr(argv[next], '=');
        if (strncmp(argv[next], "slirp=/", 7) == 0) slirp = value + 1;
        else if (strncmp(argv[next], "nft=/", 5) == 0) nft = value + 1;
        else if (strncmp(argv[next], "rules=/", 7) == 0) rules = value + 1;
        else if (strcmp(argv[next], "raw=1") == 0) raw = 1;
        else fault("option", EINVAL);
    }
    if (next + 1 >= argc || argv[next + 1][0] != '/' || !slirp || !nft || !rules) fault("option", EINVAL);
    if (fcntl(STATUS, F_GETFD) < 0 || syscall(SYS_close_range, 4, ~0U, 0) != 0) _exit(125);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fault("nnp", errno);
    connect_out();
    load_rules();
    if (raw && refuse_bypasses() != 0) fault("seccomp", errno);
    if (reduce(raw ? 1U << CAP_NET_RAW : 0) != 0) fault("caps", errno);
    execv(argv[next + 1], argv + next + 1);
    fault("exec", errno);
}
