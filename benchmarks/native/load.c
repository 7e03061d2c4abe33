/* Posts prepared HTTP requests over several connections, and writes how long each took.
 *
 * One thread and epoll, because it shares the machine with what it measures.
 *
 *   load PORT CONNECTIONS PER_CONNECTION RATE MAX_S REQUESTS TIMES
 *
 * REQUESTS: each request as its length in 4 bytes (little-endian) and its bytes. TIMES: one line for each request that
 * was started: its number, its start and its duration (CLOCK_MONOTONIC, ns), the status (0: no response), and 1 if the
 * response contains "accepted". A connection is replaced after PER_CONNECTION requests. With RATE 0, the next request
 * is sent as soon as a connection is free; otherwise RATE per second, each timed from when it was due. No request is
 * started after MAX_S seconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RESPONSE_BYTES 16384
#define SILENCE_NS 60000000000LL

struct connection {
    int fd;
    long request; /* -1: free */
    size_t sent, received;
    long responses;
    char response[RESPONSE_BYTES + 1];
};

struct request {
    const char *bytes;
    uint32_t length;
    long long started_ns, duration_ns;
    int status, accepted;
};

static int epoll_fd, port;

static long long now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void close_connection(struct connection *c) {
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
}

static void open_connection(struct connection *c) {
    close_connection(c);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0) die("socket");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
    int enabled = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &enabled, sizeof enabled);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e) < 0) die("epoll_ctl");
    c->responses = 0;
}

/* Waits while the socket's buffer is full. */
static int send_request(struct connection *c, const struct request *r) {
    for (c->sent = c->received = 0; c->sent < r->length;) {
        ssize_t n = send(c->fd, r->bytes + c->sent, r->length - c->sent, MSG_NOSIGNAL);
        if (n > 0) {
            c->sent += n;
        } else if (n < 0 && errno == EAGAIN) {
            usleep(50);
        } else {
            return -1;
        }
    }
    return 0;
}

/* Returns 1 when the response is complete. `*keeps_alive` is 1 if the server keeps the connection open. */
static int is_complete(struct connection *c, int *keeps_alive) {
    c->response[c->received] = 0;
    char *end = strstr(c->response, "\r\n\r\n");
    if (!end) return 0;
    *end = 0;
    char *length = strcasestr(c->response, "\r\ncontent-length:");
    *keeps_alive = !strcasestr(c->response, "\r\nconnection: close");
    size_t body = length ? strtoul(length + 17, NULL, 10) : 0;
    int complete = c->received >= (size_t)(end + 4 - c->response) + body;
    *end = '\r';
    return complete;
}

int main(int argc, char **argv) {
    if (argc != 8) return fprintf(stderr, "usage: see the top of load.c\n"), 2;
    port = atoi(argv[1]);
    int connections = atoi(argv[2]);
    long per_connection = atol(argv[3]);
    double rate = atof(argv[4]), max_s = atof(argv[5]);
    int file = open(argv[6], O_RDONLY);
    struct stat status;
    if (file < 0 || fstat(file, &status) < 0) die(argv[6]);
    char *bytes = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    if (bytes == MAP_FAILED) die("mmap");
    long count = 0;
    for (off_t at = 0; at < status.st_size; count++) at += 4 + *(uint32_t *)(bytes + at);
    struct request *requests = calloc(count, sizeof *requests);
    char *at = bytes;
    for (long i = 0; i < count; i++) {
        memcpy(&requests[i].length, at, 4);
        requests[i].bytes = at + 4;
        at += 4 + requests[i].length;
    }

    epoll_fd = epoll_create1(0);
    struct connection *pool = calloc(connections, sizeof *pool);
    for (int i = 0; i < connections; i++) {
        pool[i].fd = -1;
        pool[i].request = -1;
    }
    struct epoll_event *events = calloc(connections, sizeof *events);
    long next = 0, done = 0;
    long long started = now_ns(), last_response = started;
    for (;;) {
        long long now = now_ns();
        int may_start = next < count && now - started < max_s * 1e9;
        if (!may_start && done == next) break;
        long long due = rate > 0 ? started + (long long)(next / rate * 1e9) : now;
        for (int i = 0; i < connections && may_start && due <= now; i++) {
            struct connection *c = &pool[i];
            if (c->request >= 0) continue;
            /* Opened only now: an idle connection would occupy one of the server's threads. */
            if (c->fd < 0 || c->responses >= per_connection) open_connection(c);
            struct request *r = &requests[next];
            c->request = next++;
            r->started_ns = rate > 0 ? due : now_ns();
            if (send_request(c, r) < 0) {
                open_connection(c);
                if (send_request(c, r) < 0) die("send");
            }
            may_start = next < count;
            due = rate > 0 ? started + (long long)(next / rate * 1e9) : now;
        }
        int wait_ms = rate > 0 && next < count && due > now ? (int)((due - now) / 1000000) : 1000;
        if (rate > 0 && wait_ms < 1) wait_ms = due > now ? 1 : 1000;
        int ready = epoll_wait(epoll_fd, events, connections, wait_ms);
        now = now_ns();
        if (ready > 0) last_response = now;
        if (now - last_response > SILENCE_NS) return fprintf(stderr, "no response for a minute\n"), 1;
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            ssize_t n = recv(c->fd, c->response + c->received, RESPONSE_BYTES - c->received, 0);
            if (n < 0 && errno == EAGAIN) continue;
            if (n <= 0) {
                int was_idle = c->responses > 0 && c->received == 0;
                close_connection(c);
                if (c->request < 0) continue;
                if (was_idle) { /* the server closed it while this request was sent: send it again, as clients do */
                    open_connection(c);
                    if (send_request(c, &requests[c->request]) < 0) die("send");
                    continue;
                }
                requests[c->request].duration_ns = now - requests[c->request].started_ns;
                c->request = -1;
                done++;
                continue;
            }
            c->received += n;
            int keeps_alive;
            if (c->request < 0 || !is_complete(c, &keeps_alive)) continue;
            struct request *r = &requests[c->request];
            r->duration_ns = now - r->started_ns;
            r->status = atoi(c->response + 9);
            r->accepted = strstr(c->response, "accepted") != NULL;
            c->request = -1;
            c->responses++;
            if (!keeps_alive) close_connection(c);
            done++;
        }
    }
    FILE *times = fopen(argv[7], "w");
    if (!times) die(argv[7]);
    for (long i = 0; i < next; i++) {
        struct request *r = &requests[i];
        fprintf(times, "%ld %lld %lld %d %d\n", i, r->started_ns, r->duration_ns, r->status, r->accepted);
    }
    return fclose(times) ? 1 : 0;
}
