/* attacker COORDINATE... ATTACK... : tries what a taken-over tool would try and prints one line each,
 * "<attack>=refused|reached|unknown [detail]", then "done". Run at start inside a confined process, it proves the
 * confinement; run bare, it proves that it would notice. It harms nothing but its own process and removes what it
 * makes. Coordinates: listed=IPV4:PORT unlisted=IPV4:PORT secret=PATH outside=DIR other=/abs/program abstract=NAME fill=PATH gateway=PID port=N
 * closedport=N memory=BYTES disk=BYTES. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "attacker.h"

static const struct { const char *name; enum outcome (*try)(const struct target *); } ATTACKS[] = {
  {"read-key", read_key},                 {"write-outside", write_outside},     {"exec-other", exec_other},
  {"list-home", list_home},               {"link-result", link_result},         {"exec-written", exec_written},
  {"memfd-exec", memfd_exec},             {"fill-disk", fill_disk},             {"connect-unlisted", connect_unlisted},
  {"connect-mptcp", connect_mptcp},       {"connect-fastopen", connect_fastopen}, {"unix-socket", unix_socket},
  {"abstract-socket", abstract_socket},   {"packet-socket", packet_socket},     {"raw-socket", raw_socket},
  {"netlink-diag", netlink_diag},       {"signal-gateway", signal_gateway},   {"limit-gateway", limit_gateway},
  {"read-environ", read_environ},         {"read-memory", read_memory},         {"setsid", new_session},
  {"setpgid", new_group},                 {"ptrace", trace},                    {"fork-limit", fork_limit},
  {"memory", memory},                     {"userns", userns},                   {"mount", mount_new},
  {"io-uring", io_uring},                 {"keyring", keyring},                 {"sysv-ipc", sysv_ipc},
  {"bpf", load_bpf},                      {"personality", set_personality},     {"suid-gain", suid_gain},
  {"foreign-abi", foreign_abi},           {"egress-listed", egress_listed},      {"egress-unlisted", egress_unlisted},
  {"egress-datagram", egress_datagram},   {"frame-listed", frame_listed},        {"frame-unlisted", frame_unlisted},           {"change-mode", change_mode},
  {"bind-port", bind_port},
};
static struct target target = {.memory = 3L << 30, .disk = 1L << 30};

enum outcome judge(long result) {
  return result >= 0 ? REACHED : REFUSED;
}

/* True when the argument is a coordinate, which it then takes. */
static int take_coordinate(const char *argument) {
  const struct { const char *name; const char **text; long *number; } known[] = {
    {"secret=", &target.secret, NULL},     {"outside=", &target.outside, NULL},  {"other=", &target.other, NULL},
    {"listed=", &target.listed, NULL},     {"unlisted=", &target.unlisted, NULL},
    {"abstract=", &target.abstract, NULL}, {"fill=", &target.fill, NULL},        {"port=", NULL, &target.port},
    {"closedport=", NULL, &target.closedport}, {"memory=", NULL, &target.memory}, {"disk=", NULL, &target.disk},
  };
  if (strncmp(argument, "gateway=", 8) == 0) return (target.gateway = (pid_t)strtol(argument + 8, NULL, 10)) >= 1; /* 1 in a container of its own */
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    const size_t length = strlen(known[i].name);
    if (strncmp(argument, known[i].name, length) != 0) continue;
    if (known[i].text != NULL) *known[i].text = argument + length;
    else *known[i].number = strtol(argument + length, NULL, 10);
    return 1;
  }
  return 0;
}

/* errno(3) by name, as far as refusals have one; error_name(3) is newer than some systems. */
static const char *error_name(int error) {
  static const struct { int error; const char *name; } names[] = {
    {EPERM, "EPERM"},   {EACCES, "EACCES"}, {ENOENT, "ENOENT"}, {ENOSYS, "ENOSYS"}, {EAGAIN, "EAGAIN"}, {ENOMEM, "ENOMEM"},
    {EFBIG, "EFBIG"},   {ENOSPC, "ENOSPC"}, {EDQUOT, "EDQUOT"}, {EROFS, "EROFS"},   {ESRCH, "ESRCH"},   {EXDEV, "EXDEV"},
    {EINVAL, "EINVAL"}, {ENETUNREACH, "ENETUNREACH"},           {ECONNREFUSED, "ECONNREFUSED"},
    {EAFNOSUPPORT, "EAFNOSUPPORT"},         {EPROTONOSUPPORT, "EPROTONOSUPPORT"},   {EOPNOTSUPP, "EOPNOTSUPP"},
  };
  static char number[16];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (names[i].error == error) return names[i].name;
  }
  if (error == 0) return "";
  snprintf(number, sizeof number, "errno-%d", error);
  return number;
}

static void report(const char *name, enum outcome outcome, const char *detail) {
  static const char *const words[] = {"refused", "reached", "unknown"};
  printf("%s=%s%s%s\n", name, words[outcome], *detail == '\0' ? "" : " ", detail);
  fflush(stdout);
}

/* In a process of its own: what one attack gains or breaks must not change the next one. */
static void run_apart(const char *name, enum outcome (*try)(const struct target *)) {
  char detail[40] = "";
  int status = 0;
  const pid_t child = fork();
  if (child == 0) {
    errno = 0;
    const enum outcome outcome = try(&target);
    const int error = outcome == REFUSED && errno < 256 ? errno : 0;
    /* 256 exit codes hold either the errno of a refusal or what is no refusal. */
    _exit(outcome == REACHED ? 255 : outcome == UNKNOWN ? 254 : error);
  }
  if (child < 0 || waitpid(child, &status, 0) != child) return report(name, UNKNOWN, error_name(errno));
  if (WIFSIGNALED(status)) {
    snprintf(detail, sizeof detail, "signal %d", WTERMSIG(status));
    return report(name, REFUSED, detail);
  }
  const int code = WEXITSTATUS(status);
  if (code >= 254) return report(name, code == 255 ? REACHED : UNKNOWN, "");
  report(name, REFUSED, error_name(code));
}

/* Any descriptor but the standard ones was inherited: this program opens none before. */
static void count_descriptors(void) {
  char detail[40] = "";
  int found = 0, first = -1;
  for (int each = 3; each < 65536; each++) {
    if (fcntl(each, F_GETFD) < 0) continue;
    if (found++ == 0) first = each;
  }
  if (found > 0) snprintf(detail, sizeof detail, "%d open, first %d", found, first);
  report("descriptors", found > 0 ? REACHED : REFUSED, detail);
}

static void print_status(void) {
  char line[512];
  FILE *file = fopen("/proc/self/status", "re");
  if (file == NULL) return report("status", REFUSED, error_name(errno));
  while (fgets(line, sizeof line, file) != NULL) {
    char *colon = strchr(line, ':');
    if (colon == NULL) continue;
    *colon = '\0';
    char *value = colon + 1 + strspn(colon + 1, " \t");
    value[strcspn(value, "\n")] = '\0';
    printf("status:%s=%s\n", line, value);
  }
  fclose(file);
}

int main(int argc, char **argv) {
  target.self = argv[0];
  for (int i = 1; i < argc; i++) {
    if (strchr(argv[i], '=') != NULL) {
      if (take_coordinate(argv[i])) continue;
      fprintf(stderr, "unknown coordinate: %s\n", argv[i]);
      return 2;
    }
  }
  for (int i = 1; i < argc; i++) {
    size_t at = 0;
    if (strchr(argv[i], '=') != NULL) continue;
    if (strcmp(argv[i], "descriptors") == 0) count_descriptors();
    else if (strcmp(argv[i], "status") == 0) print_status();
    else if (strcmp(argv[i], "daemon") == 0) leave_daemon();
    else if (strcmp(argv[i], "tree") == 0) leave_tree();
    else {
      while (at < sizeof ATTACKS / sizeof *ATTACKS && strcmp(ATTACKS[at].name, argv[i]) != 0) at++;
      if (at == sizeof ATTACKS / sizeof *ATTACKS) {
        fprintf(stderr, "unknown attack: %s\n", argv[i]);
        return 2;
      }
      run_apart(ATTACKS[at].name, ATTACKS[at].try);
    }
  }
  puts("done");
  return 0;
}
