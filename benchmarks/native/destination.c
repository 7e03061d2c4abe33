/* Answers as Rayo, LaPyme and Centelar do when they take an order, after a fixed delay; it checks nothing.
 *
 *   destination PORT DELAY_MS
 *
 * One thread and epoll. Paths: .../auth gives a Rayo token; any other POST is taken as an order; GET /times gives a line
 * for each order number ("BM" and 8 digits, found in the body) that arrived: number, when it first arrived
 * (CLOCK_MONOTONIC, ns), how often; GET /count how many orders were answered; GET /reset forgets both.
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
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_BYTES 65536
#define MOST_ORDERS 20000000

struct connection {
    int fd;
    size_t got;
    char *request;
    struct connection *later; /* in the queue of those that wait for their answer, or of free ones */
    long long due_ns;
};

struct arrival {
    long long first_ns;
    int times;
};

static int epoll_fd;
static long long delay_ns;
static struct arrival *arrivals;
static long highest = -1, answered;
static struct connection *first_due, *last_due;

static long long now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void end(struct connection *c) {
    close(c->fd);
    free(c->request);
    free(c);
}

static void send_all(int fd, const char *bytes, size_t length) {
    while (length) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            usleep(100);
        } else if (n <= 0) {
            return;
        } else {
            bytes += n;
            length -= n;
        }
    }
}

static void reply(struct connection *c, const char *body, size_t length) {
    char head[160];
    int n = sprintf(head, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", length);
    char *whole = malloc(n + length);
    memcpy(whole, head, n);
    memcpy(whole + n, body, length);
    send_all(c->fd, whole, n + length);
    free(whole);
}

static void note_arrival(const char *body, size_t length, long long now) {
    const char *marker = memmem(body, length, "BM", 2);
    while (marker && !(marker + 10 <= body + length && strspn(marker + 2, "0123456789") >= 8))
        marker = memmem(marker + 2, body + length - marker - 2, "BM", 2);
    long number = -1;
    if (marker) {
        char digits[9] = {0};
        memcpy(digits, marker + 2, 8);
        number = atol(digits);
    }
    if (number < 0 || number >= MOST_ORDERS) return;
    if (!arrivals[number].times++) arrivals[number].first_ns = now;
    if (number > highest) highest = number;
}

static void tell_times(struct connection *c) {
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    for (long i = 0; i <= highest; i++)
        if (arrivals[i].times) fprintf(out, "%ld %lld %d\n", i, arrivals[i].first_ns, arrivals[i].times);
    fclose(out);
    reply(c, text, length);
    free(text);
}

/* Answers the request that is whole in `c`, and says how long it was. */
static void answer(struct connection *c) {
    static long order_id;
    char body[256];
    char *line_end = strstr(c->request, "\r\n");
    *line_end = 0;
    int n;
    if (strstr(c->request, "/auth")) { /* a token that runs out in the year 2100 */
        n = sprintf(body, "{\"AuthWithAPIkey\":{\"accessToken\":\"eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDB9.\"}}");
    } else if (strstr(c->request, "/api/rest/")) {
        n = sprintf(body, "{\"orden\":{\"ordenRef\":\"6f1c8a52-0d4e-4b7e-9a53-%012lx\"}}", ++order_id);
    } else if (strstr(c->request, "/api/v1/")) {
        n = sprintf(body, "{\"request_id\":\"req\",\"data\":{\"order\":{\"id\":\"5b0c7a1e-52d3-4f6a-9e0b-%012lx\"}}}", ++order_id);
    } else {
        n = sprintf(body, "{\"success\":true,\"order_id\":%ld}", ++order_id);
    }
    if (!strncmp(c->request, "POST ", 5) && !strstr(c->request, "/auth")) answered++;
    reply(c, body, n);
}

static void take(struct connection *c) {
    char *head_end = strstr(c->request, "\r\n\r\n");
    if (!head_end) return;
    char *length = strcasestr(c->request, "\r\ncontent-length:");
    size_t body = length && length < head_end ? strtoul(length + 17, NULL, 10) : 0;
    size_t whole = head_end + 4 - c->request + body;
    if (c->got < whole) return;
    long long now = now_ns();
    if (!strncmp(c->request, "GET /times", 10)) {
        tell_times(c);
    } else if (!strncmp(c->request, "GET /count", 10)) {
        char count[32];
        reply(c, count, sprintf(count, "%ld", answered));
    } else if (!strncmp(c->request, "GET /reset", 10)) {
        memset(arrivals, 0, sizeof *arrivals * (highest + 1));
        highest = -1;
        answered = 0;
        reply(c, "{}", 2);
    } else {
        int is_order = !strncmp(c->request, "POST ", 5) && !memmem(c->request, head_end - c->request, "/auth", 5);
        if (is_order) note_arrival(head_end + 4, body, now);
        if (delay_ns && is_order) { /* the same delay for all: who came first is due first */
            c->due_ns = now + delay_ns;
            c->later = NULL;
            if (last_due) last_due->later = c;
            else first_due = c;
            last_due = c;
            struct epoll_event none = {.events = 0, .data.ptr = c};
            epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &none);
            return;
        }
        answer(c);
    }
    c->got = 0;
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: see the top of destination.c\n"), 2;
    delay_ns = atof(argv[2]) * 1e6;
    arrivals = calloc(MOST_ORDERS, sizeof *arrivals); /* of which the kernel gives only what is touched */
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 4096)) return perror("listen"), 1;
    epoll_fd = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, events[256];
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        long long now = now_ns();
        int wait_ms = first_due ? (int)((first_due->due_ns - now + 999999) / 1000000) : -1;
        int heard = epoll_wait(epoll_fd, events, 256, first_due && wait_ms < 0 ? 0 : wait_ms);
        for (int i = 0; i < heard; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c) {
                for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    c = calloc(1, sizeof *c);
                    c->fd = fd;
                    c->request = malloc(REQUEST_BYTES + 1);
                    struct epoll_event in = {.events = EPOLLIN, .data.ptr = c};
                    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &in);
                }
                continue;
            }
            if (c->due_ns) { /* it hung up while it waited; its answer comes first, and ends it */
                struct epoll_event none = {.events = 0, .data.ptr = c};
                epoll_ctl(epoll_fd, EPOLL_CTL_DEL, c->fd, &none);
                continue;
            }
            ssize_t n = recv(c->fd, c->request + c->got, REQUEST_BYTES - c->got, 0);
            if (n < 0 && errno == EAGAIN) continue;
            if (n <= 0) {
                end(c);
                continue;
            }
            c->got += n;
            c->request[c->got] = 0;
            take(c);
        }
        for (now = now_ns(); first_due && first_due->due_ns <= now;) {
            struct connection *c = first_due;
            first_due = c->later;
            if (!first_due) last_due = NULL;
            answer(c);
            c->got = 0;
            c->due_ns = 0;
            struct epoll_event in = {.events = EPOLLIN, .data.ptr = c};
            if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &in)) end(c);
        }
    }
}
