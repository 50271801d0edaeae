/* Pipes between the program and the sockets that the gateway holds as its standard descriptors; the supervisor moves the
 * bytes. Attack: over a socket the program hands the gateway a descriptor (SCM_RIGHTS, unix(7)) that nobody asked for,
 * and whoever closes it last waits: a TCP socket with SO_LINGER and unsent data holds the gateway's only thread, and with
 * it every time limit, for as long as the sender likes. pipe(7) socket(7) */
#ifndef STREAMS_H
#define STREAMS_H
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STREAMS = 3 };
/* What was read from `from` and is not yet written to `to`; both -1 when there is nothing more to move. */
static struct stream {
  int from, to, programs_end;
  size_t start, end;
  char bytes[65536];
} streams[STREAMS];

static void close_stream(struct stream *stream) {
  if (stream->from >= 0) close(stream->from);
  if (stream->to >= 0) close(stream->to);
  stream->from = stream->to = -1;
  stream->start = stream->end = 0;
}

/* Before the fork. A file or a device is handed on as it is: it leads to nobody. Returns 0, or -1 with errno. */
static int make_streams(void) {
  for (int standard = 0; standard < STREAMS; standard++) {
    struct stat found;
    int pipe[2];
    streams[standard].from = streams[standard].to = streams[standard].programs_end = -1;
    if (fstat(standard, &found) != 0 || !S_ISSOCK(found.st_mode)) continue;
    if (pipe2(pipe, O_CLOEXEC) != 0) return -1;
    const int is_input = standard == 0;
    streams[standard].programs_end = is_input ? pipe[0] : pipe[1];
    streams[standard].from = is_input ? standard : pipe[0];
    streams[standard].to = is_input ? pipe[1] : standard;
    /* Only these ends: the program's has flags of its own. */
    if (fcntl(streams[standard].from, F_SETFL, O_NONBLOCK) != 0 || fcntl(streams[standard].to, F_SETFL, O_NONBLOCK) != 0) return -1;
  }
  return 0;
}

/* In the child. The gateway's sockets are gone with that. */
static int take_streams(void) {
  for (int standard = 0; standard < STREAMS; standard++) {
    const int end = streams[standard].programs_end;
    if (end >= 0 && dup2(end, standard) < 0) return -1;
  }
  return 0;
}

/* In the supervisor: the reader sees the end when the program closes it, as if nobody stood between. */
static void leave_streams(void) {
  for (int standard = 0; standard < STREAMS; standard++) {
    if (streams[standard].programs_end >= 0) close(streams[standard].programs_end);
    else close(standard);
  }
}

/* What the stream waits for: bytes, or room for those that it has. poll(2) skips a negative descriptor. */
static struct pollfd stream_event(const struct stream *stream) {
  const int is_empty = stream->start == stream->end;
  return (struct pollfd){.fd = is_empty ? stream->from : stream->to, .events = is_empty ? POLLIN : POLLOUT};
}

static void move_stream(struct stream *stream) {
  if (stream->start == stream->end) {
    const ssize_t got = read(stream->from, stream->bytes, sizeof stream->bytes);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return close_stream(stream);
    if (got < 0) return;
    stream->start = 0;
    stream->end = (size_t)got;
  }
  /* PIPE is blocked in the supervisor: a reader that is gone is an error like any other. */
  const ssize_t put = write(stream->to, stream->bytes + stream->start, stream->end - stream->start);
  if (put >= 0) stream->start += (size_t)put;
  else if (errno != EAGAIN && errno != EINTR) close_stream(stream);
}

/* After the last process: what it had written. Gives up when the reader takes nothing for `quiet_ms`. */
static void finish_streams(int quiet_ms) {
  close_stream(&streams[0]);
  for (int standard = 1; standard < STREAMS; standard++) {
    while (streams[standard].from >= 0) {
      struct pollfd event = stream_event(&streams[standard]);
      if (poll(&event, 1, quiet_ms) == 0) return;
      move_stream(&streams[standard]);
    }
  }
}
#endif
