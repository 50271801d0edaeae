/* Attacks of the attacker over sockets. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "attacker.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static struct sockaddr_in loopback(long port) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A refusal by the other machine says that the packet came there: that is reached. */
static enum outcome judge_connection(long result) {
  return result >= 0 || errno == ECONNREFUSED || errno == ECONNRESET || errno == EINPROGRESS ? REACHED : REFUSED;
}

static enum outcome connect_port(int protocol, long port) {
  const struct sockaddr_in address = loopback(port);
  const int socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);
  if (socket_ < 0) return REFUSED;
  return judge_connection(connect(socket_, (const struct sockaddr *)&address, sizeof address));
}

enum outcome connect_unlisted(const struct target *target) {
  if (target->port == 0 && target->closedport == 0) return UNKNOWN;
  if (target->port != 0 && connect_port(IPPROTO_TCP, target->port) == REACHED) return REACHED;
  return target->closedport == 0 ? REFUSED : connect_port(IPPROTO_TCP, target->closedport);
}

/* Landlock's TCP rules look at TCP sockets; this is another protocol that speaks TCP. */
enum outcome connect_mptcp(const struct target *target) {
  const long port = target->port != 0 ? target->port : target->closedport;
  return port == 0 ? UNKNOWN : connect_port(IPPROTO_MPTCP, port);
}

/* Connects by sending, past whatever looks at connect(2). */
enum outcome connect_fastopen(const struct target *target) {
  const long port = target->port != 0 ? target->port : target->closedport;
  const struct sockaddr_in address = loopback(port);
  if (port == 0) return UNKNOWN;
  const int socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return REFUSED;
  return judge_connection(sendto(socket_, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (const struct sockaddr *)&address, sizeof address));
}

/* A port that is known to others: whoever has it answers in the place of another service. */
enum outcome bind_port(const struct target *target) {
  const struct sockaddr_in address = loopback(target->closedport);
  if (target->closedport == 0) return UNKNOWN;
  return judge(bind(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), (const struct sockaddr *)&address, sizeof address));
}

enum outcome unix_socket(const struct target *target) {
  (void)target;
  return judge(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

enum outcome abstract_socket(const struct target *target) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (target->abstract == NULL || strlen(target->abstract) + 2 > sizeof address.sun_path) return UNKNOWN;
  strcpy(address.sun_path + 1, target->abstract);
  const int socket_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return REFUSED;
  const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(target->abstract));
  return judge(connect(socket_, (const struct sockaddr *)&address, size));
}

enum outcome packet_socket(const struct target *target) {
  (void)target;
  return judge(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
}

enum outcome raw_socket(const struct target *target) {
  (void)target;
  return judge(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
}

/* "10.0.0.1:80" as an address; 0 when it is none. */
static int parse(const char *text, struct sockaddr_in *address) {
  char host[INET_ADDRSTRLEN] = "";
  const char *colon = text == NULL ? NULL : strchr(text, ':');
  if (colon == NULL || (size_t)(colon - text) >= sizeof host) return 0;
  memcpy(host, text, (size_t)(colon - text));
  *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10))};
  return inet_pton(AF_INET, host, &address->sin_addr) == 1;
}

/* Any answer of the network within a second, also that it has no way there, means that the packet left this process. */
static enum outcome connect_over_network(const char *text) {
  struct sockaddr_in address;
  int error = 0;
  socklen_t size = sizeof error;
  if (!parse(text, &address)) return UNKNOWN;
  const int socket_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (connect(socket_, (const struct sockaddr *)&address, sizeof address) == 0) return REACHED;
  if (errno != EINPROGRESS) return errno == ENETUNREACH || errno == EHOSTUNREACH || errno == ECONNREFUSED ? REACHED : REFUSED;
  struct pollfd answer = {.fd = socket_, .events = POLLOUT};
  if (poll(&answer, 1, 1000) != 1) {
    errno = ETIMEDOUT;
    return REFUSED;
  }
  if (getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return UNKNOWN;
  errno = error;
  return error == EPERM || error == EACCES || error == ETIMEDOUT ? REFUSED : REACHED;
}

enum outcome egress_listed(const struct target *target) {
  return connect_over_network(target->listed);
}

enum outcome egress_unlisted(const struct target *target) {
  return connect_over_network(target->unlisted);
}

enum outcome egress_datagram(const struct target *target) {
  struct sockaddr_in address;
  if (!parse(target->unlisted, &address)) return UNKNOWN;
  const int socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  return judge(sendto(socket_, "x", 1, 0, (const struct sockaddr *)&address, sizeof address));
}

/* A SYN in an Ethernet frame of our own making, past every look at sockets, to the router of slirp4netns(1) on tap0. */
static enum outcome send_frame(const char *text) {
  enum { LINK_HEADER = 14, IP_HEADER = 20, TCP_HEADER = 20 };
  static const unsigned char router[] = {0x52, 0x55, 0xc0, 0, 2, 2}, source[] = {192, 0, 2, 100};
  unsigned char frame[LINK_HEADER + IP_HEADER + TCP_HEADER] = {0};
  unsigned char *ip = frame + LINK_HEADER, *tcp = ip + IP_HEADER;
  struct sockaddr_in address;
  if (!parse(text, &address)) return UNKNOWN;
  const struct sockaddr_ll link = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)if_nametoindex("tap0")};
  const int socket_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_IP));
  if (socket_ < 0 || link.sll_ifindex == 0) return UNKNOWN;
  memcpy(frame, router, sizeof router);
  frame[12] = 0x08; /* ETH_P_IP */
  ip[0] = 0x45;     /* version 4, five words */
  ip[3] = IP_HEADER + TCP_HEADER;
  ip[8] = 64; /* time to live */
  ip[9] = IPPROTO_TCP;
  memcpy(ip + 12, source, sizeof source);
  memcpy(ip + 16, &address.sin_addr, 4);
  tcp[0] = 0x9c; /* from a port that nobody has */
  memcpy(tcp + 2, &address.sin_port, 2);
  tcp[12] = 0x50; /* five words */
  tcp[13] = 0x02; /* SYN */
  return judge(sendto(socket_, frame, sizeof frame, 0, (const struct sockaddr *)&link, sizeof link));
}

enum outcome frame_listed(const struct target *target) {
  return send_frame(target->listed);
}

enum outcome frame_unlisted(const struct target *target) {
  return send_frame(target->unlisted);
}

/* Every netlink protocol but routing configures the kernel or spies on others' sockets. */
enum outcome netlink_diag(const struct target *target) {
  (void)target;
  return judge(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
}
