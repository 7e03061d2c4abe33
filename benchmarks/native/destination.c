/* Responds as Rayo, LaPyme and Centelar do when they accept an order, after a fixed delay. It validates nothing.
 *
 *   destination PORT DELAY_MS
 *
 * One thread and epoll. POST .../auth returns a Rayo token; any other POST is an order. GET /times returns a line for
 * each order number ("BM" and 8 digits in the body) that arrived: the number, the time of its first arrival
 * (CLOCK_MONOTONIC, ns), and how often it arrived. GET /count returns the number of orders that were responded to.
 * GET /reset clears both.
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
#define MAX_ORDERS 20000000

struct connection {
    int fd;
    size_t received;
    char *request;
    struct connection *next; /* in the queue of connections that wait for a response */
    long long due_ns;
};

struct arrival {
    long long first_ns;
    int times;
};

static int epoll_fd;
static long long delay_ns;
static struct arrival *arrivals;
static long highest = -1, responses;
static struct connection *first_due, *last_due;

static long long now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void close_connection(struct connection *c) {
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

static void send_response(struct connection *c, const char *body, size_t length) {
    char head[160];
    int n = sprintf(head, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", length);
    char *response = malloc(n + length);
    memcpy(response, head, n);
    memcpy(response + n, body, length);
    send_all(c->fd, response, n + length);
    free(response);
}

static void record_arrival(const char *body, size_t length, long long now) {
    const char *marker = memmem(body, length, "BM", 2);
    while (marker && !(marker + 10 <= body + length && strspn(marker + 2, "0123456789") >= 8))
        marker = memmem(marker + 2, body + length - marker - 2, "BM", 2);
    long number = -1;
    if (marker) {
        char digits[9] = {0};
        memcpy(digits, marker + 2, 8);
        number = atol(digits);
    }
    if (number < 0 || number >= MAX_ORDERS) return;
    if (!arrivals[number].times++) arrivals[number].first_ns = now;
    if (number > highest) highest = number;
}

static void send_times(struct connection *c) {
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    for (long i = 0; i <= highest; i++)
        if (arrivals[i].times) fprintf(out, "%ld %lld %d\n", i, arrivals[i].first_ns, arrivals[i].times);
    fclose(out);
    send_response(c, text, length);
    free(text);
}

/* Responds to the complete request in `c`. */
static void respond(struct connection *c) {
    static long order_id;
    char body[256];
    char *line_end = strstr(c->request, "\r\n");
    *line_end = 0;
    int n;
    if (strstr(c->request, "/auth")) { /* a token that expires in the year 2100 */
        n = sprintf(body, "{\"AuthWithAPIkey\":{\"accessToken\":\"eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDB9.\"}}");
    } else if (strstr(c->request, "/api/rest/")) {
        n = sprintf(body, "{\"orden\":{\"ordenRef\":\"6f1c8a52-0d4e-4b7e-9a53-%012lx\"}}", ++order_id);
    } else if (strstr(c->request, "/api/v1/")) {
        n = sprintf(body, "{\"request_id\":\"req\",\"data\":{\"order\":{\"id\":\"5b0c7a1e-52d3-4f6a-9e0b-%012lx\"}}}", ++order_id);
    } else {
        n = sprintf(body, "{\"success\":true,\"order_id\":%ld}", ++order_id);
    }
    if (!strncmp(c->request, "POST ", 5) && !strstr(c->request, "/auth")) responses++;
    send_response(c, body, n);
}

static void handle(struct connection *c) {
    char *head_end = strstr(c->request, "\r\n\r\n");
    if (!head_end) return;
    char *length = strcasestr(c->request, "\r\ncontent-length:");
    size_t body = length && length < head_end ? strtoul(length + 17, NULL, 10) : 0;
    size_t length_with_head = head_end + 4 - c->request + body;
    if (c->received < length_with_head) return;
    long long now = now_ns();
    if (!strncmp(c->request, "GET /times", 10)) {
        send_times(c);
    } else if (!strncmp(c->request, "GET /count", 10)) {
        char count[32];
        send_response(c, count, sprintf(count, "%ld", responses));
    } else if (!strncmp(c->request, "GET /reset", 10)) {
        memset(arrivals, 0, sizeof *arrivals * (highest + 1));
        highest = -1;
        responses = 0;
        send_response(c, "{}", 2);
    } else {
        int is_order = !strncmp(c->request, "POST ", 5) && !memmem(c->request, head_end - c->request, "/auth", 5);
        if (is_order) record_arrival(head_end + 4, body, now);
        if (delay_ns && is_order) { /* the delay is constant: the first to arrive is the first to be due */
            c->due_ns = now + delay_ns;
            c->next = NULL;
            if (last_due) last_due->next = c;
            else first_due = c;
            last_due = c;
            struct epoll_event no_events = {.events = 0, .data.ptr = c};
            epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &no_events);
            return;
        }
        respond(c);
    }
    c->received = 0;
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: see the top of destination.c\n"), 2;
    delay_ns = atof(argv[2]) * 1e6;
    arrivals = calloc(MAX_ORDERS, sizeof *arrivals); /* the kernel allocates only the pages that are used */
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), enabled = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &enabled, sizeof enabled);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) return perror("listen"), 1;
    epoll_fd = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, events[256];
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        long long now = now_ns();
        int wait_ms = first_due ? (int)((first_due->due_ns - now + 999999) / 1000000) : -1;
        int ready = epoll_wait(epoll_fd, events, 256, first_due && wait_ms < 0 ? 0 : wait_ms);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c) {
                for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &enabled, sizeof enabled);
                    c = calloc(1, sizeof *c);
                    c->fd = fd;
                    c->request = malloc(REQUEST_BYTES + 1);
                    struct epoll_event readable = {.events = EPOLLIN, .data.ptr = c};
                    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &readable);
                }
                continue;
            }
            if (c->due_ns) { /* the client closed it while it waited: the response is sent first, and then closes it */
                struct epoll_event no_events = {.events = 0, .data.ptr = c};
                epoll_ctl(epoll_fd, EPOLL_CTL_DEL, c->fd, &no_events);
                continue;
            }
            ssize_t n = recv(c->fd, c->request + c->received, REQUEST_BYTES - c->received, 0);
            if (n < 0 && errno == EAGAIN) continue;
            if (n <= 0) {
                close_connection(c);
                continue;
            }
            c->received += n;
            c->request[c->received] = 0;
            handle(c);
        }
        for (now = now_ns(); first_due && first_due->due_ns <= now;) {
            struct connection *c = first_due;
            first_due = c->next;
            if (!first_due) last_due = NULL;
            respond(c);
            c->received = 0;
            c->due_ns = 0;
            struct epoll_event readable = {.events = EPOLLIN, .data.ptr = c};
            if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &readable)) close_connection(c);
        }
    }
}
