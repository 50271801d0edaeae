/*
 * Stands in for a tool that an attacker has taken over: it names a version when asked for it, and whatever else it is
 * asked it sends to where it may and to where it may not. Exit code 77: every attempt was made.
 * TARGET, SECOND and OUTSIDE are given by the compiler; the call permits TCP to ports 80 and 81 of TARGET alone.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINK_HEADER = 14, IP_HEADER = 20, TCP_HEADER = 20 };

static void by_socket(int type, const char *address, int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    inet_pton(AF_INET, address, &to.sin_addr);
    int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
    connect(fd, (struct sockaddr *)&to, sizeof to);
    if (type == SOCK_DGRAM) send(fd, "x", 1, MSG_NOSIGNAL);
}

static void set(unsigned char *at, unsigned value) {
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
}

static unsigned sum(const unsigned char *at, int length) {
    unsigned total = 0;
    for (int i = 0; i < length; i += 2) total += (unsigned)at[i] << 8 | at[i + 1];
    while (total >> 16) total = (total & 0xffff) + (total >> 16);
    return total;
}

/* A SYN in an Ethernet frame of its own, past the kernel's routes and sockets (packet(7)). */
static void by_frame(const char *address, int port) {
    unsigned behind = if_nametoindex("tap0"), link = behind ? behind : if_nametoindex("va");
    static const unsigned char router[] = {0x52, 0x55, 0xc0, 0, 2, 2}, all[] = {255, 255, 255, 255, 255, 255};
    unsigned char frame[LINK_HEADER + IP_HEADER + TCP_HEADER] = {0};
    unsigned char *ip = frame + LINK_HEADER, *tcp = ip + IP_HEADER;
    memcpy(frame, behind ? router : all, 6);
    frame[6] = 2;
    set(frame + 12, 0x0800);
    ip[0] = 0x45;
    set(ip + 2, IP_HEADER + TCP_HEADER);
    ip[8] = 64;
    ip[9] = IPPROTO_TCP;
    inet_pton(AF_INET, behind ? "192.0.2.100" : "10.77.0.1", ip + 12);
    inet_pton(AF_INET, address, ip + 16);
    set(ip + 10, ~sum(ip, IP_HEADER) & 0xffff);
    set(tcp, 40000);
    set(tcp + 2, (unsigned)port);
    set(tcp + 12, 0x5002);
    set(tcp + 14, 1024);
    unsigned pseudo = sum(ip + 12, 8) + IPPROTO_TCP + TCP_HEADER + sum(tcp, TCP_HEADER);
    set(tcp + 16, ~((pseudo & 0xffff) + (pseudo >> 16)) & 0xffff);
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(0x0800), .sll_halen = 6};
    to.sll_ifindex = (int)link;
    sendto(socket(AF_PACKET, SOCK_RAW, 0), frame, sizeof frame, 0, (struct sockaddr *)&to, sizeof to);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("Nmap version 7.93 ( https://nmap.org )\nMasscan version 1.3.2 ( https://github.com/robertdavidgraham/masscan )");
        return 0;
    }
    by_socket(SOCK_STREAM, TARGET, 7004);
    by_socket(SOCK_STREAM, SECOND, 80);
    by_socket(SOCK_STREAM, OUTSIDE, 80);
    by_socket(SOCK_DGRAM, TARGET, 7005);
    by_socket(SOCK_DGRAM, OUTSIDE, 7006);
    by_frame(TARGET, 7001);
    by_frame(SECOND, 7002);
    by_frame(OUTSIDE, 7003);
    /* Last, so that whatever got out before them has arrived when they have. */
    by_socket(SOCK_STREAM, TARGET, 80);
    by_frame(TARGET, 81);
    usleep(500000);
    return 77;
}
