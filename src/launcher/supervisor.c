/* supervisor [cgroup=/abs/path/cgroup.procs]... [grace=MS] [caps=none|net_raw] [shield=1] -- /abs/program args
 *
 * Starts one program and leaves nothing of its tree behind: when the program ends, when descriptor 3 (a socket held by
 * the gateway: the lifeline) is closed, or when a TERM is not obeyed within the grace. What leaves its group and its
 * session comes back here, because this process is the subreaper. No allocation, no threads; reads /proc, and passes the
 * program's input and output on (streams.h).
 *
 * Says on descriptor 3: "fault STEP ERRNO" (nothing ran, exit 125) · "end KILLED" (nothing is left; so many processes
 * outlived the program and were killed). Ends as the program ended: same exit code, same signal.
 * prctl(2) PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE · proc(5) /proc/pid/task/tid/children · signalfd(2) · waitid(2) */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "streams.h"

static const int FORWARDED[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
enum { LIFELINE = 3, MOST_CGROUPS = 8, MOST_REAPED = 256, MOST_WAIT_MS = 5000, REFUSED = 125 };
static int cgroups[MOST_CGROUPS], cgroup_count, children_file, signals, keeps_raw, is_shielded;
static long grace_ms = 2000;
static pid_t program;

/* launcher.c, linked in: one execve(2) less where the launcher comes next. */
int become_program(int argc, char **argv);

static _Noreturn void fault(const char *step, int error) {
  dprintf(LIFELINE, "fault %s %d\n", step, error);
  _exit(REFUSED);
}

static long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void take_option(const char *option) {
  if (strncmp(option, "cgroup=/", 8) == 0) {
    if (cgroup_count == MOST_CGROUPS) fault("option", E2BIG);
    /* Opened here, before the fork: the program must not be able to choose another one. */
    cgroups[cgroup_count] = open(option + 7, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (cgroups[cgroup_count++] < 0) fault("cgroup", errno);
  } else if (strncmp(option, "grace=", 6) == 0 && option[6] >= '0' && option[6] <= '9') {
    char *end;
    errno = 0;
    grace_ms = strtol(option + 6, &end, 10);
    if (*end != '\0' || errno != 0 || grace_ms > 3600000) fault("option", EINVAL);
  } else if (strcmp(option, "shield=1") == 0) {
    is_shielded = 1;
  } else if (strcmp(option, "caps=net_raw") == 0) {
    keeps_raw = 1;
  } else if (strcmp(option, "caps=none") != 0) {
    fault("option", EINVAL);
  }
}

static _Noreturn void run_program(int argc, char **argv, pid_t supervisor) {
  const sigset_t none = {{0}};
  setpgid(0, 0);
  /* Attack: whoever kills the supervisor would free the program. Survives execve(2) of what is not set-user-ID. */
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fault("fork", errno);
  if (getppid() != supervisor) _exit(REFUSED);
  if (take_streams() != 0) fault("fork", errno);
  for (int i = 0; i < cgroup_count; i++) {
    if (write(cgroups[i], "0", 1) != 1) fault("cgroup", errno);
  }
  sigprocmask(SIG_SETMASK, &none, NULL);
  /* The gateway's NET_RAW is for raw tools alone; bubblewrap also refuses to start with what it cannot explain. */
  if (!keeps_raw && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) fault("caps", errno);
  /* What only passes on (bubblewrap) must not die of the TERM that is meant for the program: it would take it along at
   * once. The launcher behind it restores the defaults. */
  for (size_t i = 0; is_shielded && i < sizeof FORWARDED / sizeof *FORWARDED; i++) signal(FORWARDED[i], SIG_IGN);
  const char *name = strrchr(argv[0], '/');
  if (strcmp(name, "/launcher") == 0) {
    prctl(PR_SET_DUMPABLE, 1); /* as after execve(2): /proc/self belongs to the program */
    _exit(become_program(argc, argv));
  }
  execv(argv[0], argv);
  fault("exec", errno);
}

/* True once the program has ended. It stays a zombie until the end, so that its process group cannot be given to
 * someone else while this process still sends signals to it. */
static int program_ended(void) {
  siginfo_t own = {.si_pid = 0};
  if (waitid(P_PID, (id_t)program, &own, WEXITED | WNOHANG | WNOWAIT) == 0 && own.si_pid == program) return 1;
  /* Attack: children made for us by clone(2) with CLONE_PARENT, without end; the lifeline has to be looked at between. */
  for (int reaped = 0; reaped < MOST_REAPED; reaped++) {
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return 0;
    if (info.si_pid == program) return 1;
    waitpid(info.si_pid, NULL, WNOHANG);
  }
  return 0;
}

static void wait_for_signal(int timeout_ms, struct signalfd_siginfo *got) {
  struct pollfd poll_signals = {.fd = signals, .events = POLLIN};
  if (poll(&poll_signals, 1, timeout_ms) != 1 || read(signals, got, sizeof *got) != (ssize_t)sizeof *got) got->ssi_signo = 0;
}

/* Kills and reaps every child but the program; the children of the killed become ours and follow in the next round.
 * Returns how many were still there, -1 when that cannot be read. */
static int sweep(int *killed) {
  static char list[65536];
  int left = 0;
  ssize_t size = pread(children_file, list, sizeof list - 1, 0);
  if (size < 0) return -1;
  list[size] = '\0';
  for (char *at = list, *end; *at != '\0'; at = end) {
    int status;
    const pid_t child = (pid_t)strtol(at, &end, 10);
    if (end == at) break;
    if (child <= 1) continue; /* kill(2) takes them for more than one process */
    kill(child, SIGKILL);
    if (child == program) continue;
    left++;
    if (waitpid(child, &status, WNOHANG) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ++*killed;
  }
  return left;
}

/* Leaves nothing. The time is bounded: a process in the kernel's hands cannot be killed, and then there is no `end`. */
static int kill_all(int *status) {
  struct signalfd_siginfo ignored;
  const long deadline = now_ms() + MOST_WAIT_MS;
  int killed = 0;
  do {
    /* First this, then the list: the end of the program makes its children ours. */
    siginfo_t info = {.si_pid = 0};
    const int ended = waitid(P_PID, (id_t)program, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == program;
    kill(-program, SIGKILL);
    const int left = sweep(&killed);
    if (left == 0 && ended) {
      if (waitpid(program, status, 0) != program) return -1;
      /* The proof: waitpid(2) knows of no child, and nobody else can have one of ours. */
      return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? killed : -1;
    }
    wait_for_signal(left > 0 ? 1 : 5, &ignored);
  } while (now_ms() < deadline);
  return -1;
}

/* Returns when everything has to end: the program did, the gateway did, or TERM was not obeyed in time. */
static void watch(void) {
  struct signalfd_siginfo got;
  long deadline = -1;
  for (;;) {
    struct pollfd events[2 + STREAMS] = {{.fd = LIFELINE, .events = POLLIN | POLLRDHUP}, {.fd = signals, .events = POLLIN}};
    for (int each = 0; each < STREAMS; each++) events[2 + each] = stream_event(&streams[each]);
    long wait = deadline < 0 ? -1 : deadline - now_ms();
    if (deadline >= 0 && wait <= 0) return;
    if (poll(events, 2 + STREAMS, (int)wait) < 0 && errno != EINTR) return;
    /* The gateway never writes: whatever happens there means that nobody waits for this program any more. */
    if (events[0].revents != 0) return;
    for (int each = 0; each < STREAMS; each++) {
      if (events[2 + each].revents != 0) move_stream(&streams[each]);
    }
    wait_for_signal(0, &got);
    if (got.ssi_signo == SIGCHLD) {
      if (program_ended()) return;
    } else if (got.ssi_signo != 0) {
      kill(-program, (int)got.ssi_signo);
      if (deadline < 0) deadline = now_ms() + grace_ms;
    }
  }
}

int main(int argc, char **argv) {
  sigset_t all, wanted;
  int first = 1, status = 0;
  if (fcntl(LIFELINE, F_GETFD) < 0) return REFUSED;
  /* What is ignored is inherited through execve(2): the program gets the defaults, and an ignored SIGCHLD would make
   * the kernel reap what is counted here. */
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  if (syscall(SYS_close_range, LIFELINE + 1, ~0U, 0) != 0) fault("fork", errno);
  while (first < argc && strcmp(argv[first], "--") != 0) take_option(argv[first++]);
  if (++first >= argc || argv[first][0] != '/') fault("option", EINVAL);
  children_file = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  if (children_file < 0) fault("lifeline", errno);
  /* Attack: the program has our user id; it could open our memory and our end of the lifeline through /proc. */
  if (prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) fault("fork", errno);
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGCHLD);
  for (size_t i = 0; i < sizeof FORWARDED / sizeof *FORWARDED; i++) sigaddset(&wanted, FORWARDED[i]);
  signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) fault("fork", errno);

  if (make_streams() != 0) fault("fork", errno);
  const pid_t self = getpid();
  program = fork();
  if (program < 0) fault("fork", errno);
  if (program == 0) run_program(argc - first, argv + first, self);
  setpgid(program, program); /* whoever comes first: the group exists before the first signal to it */
  for (int i = 0; i < cgroup_count; i++) close(cgroups[i]);
  leave_streams();

  watch();
  const int killed = kill_all(&status);
  if (killed < 0) _exit(REFUSED);
  dprintf(LIFELINE, "end %d\n", killed);
  finish_streams(MOST_WAIT_MS);
  if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
  /* Ends by the same signal, without a second core file. */
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  sigemptyset(&all);
  sigaddset(&all, WTERMSIG(status)); /* alone: another may be pending, like PIPE from a closed lifeline */
  sigprocmask(SIG_UNBLOCK, &all, NULL);
  kill(self, WTERMSIG(status));
  _exit(128 + WTERMSIG(status));
}
