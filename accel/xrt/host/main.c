/* bertd-xrt-host: has one card open for bertd, which starts it; see accel/xrt/protocol.h. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accel/xrt/host/host_sensors.h"
#include "accel/xrt/host/host_unit.h"

enum { REPORT_BYTES = 1 << 16, GRACE_SECONDS = 5, SENSORS_MS = 5000 };

struct host {
    struct xrt_sensors *sensors;
    struct host_card *card;
    uint32_t n_units;
    struct host_place places[XRT_MAX_PLACES];
    struct host_thread threads[XRT_MAX_UNITS];
};

/* Bertd is gone. Whoever is caught in a call of the library does not notice. */
static void *watch(void *cookie)
{
    (void)cookie;
    struct pollfd control = {.fd = XRT_CONTROL_FD};
    while (poll(&control, 1, -1) < 0 || !(control.revents & POLLHUP))
        ;
    sleep(GRACE_SECONDS);
    kill(0, SIGKILL); /* this session: the device process of an emulated card too */
    return NULL;
}

/* A request, and the file descriptor that came with it (-1: none). False: bertd is gone. */
static bool receive(struct xrt_request *ret, int *ret_fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec data = {ret, sizeof *ret};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    *ret_fd = -1;
    if (recvmsg(XRT_CONTROL_FD, &message, MSG_CMSG_CLOEXEC) != sizeof *ret)
        return false;
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head && head->cmsg_type == SCM_RIGHTS)
        memcpy(ret_fd, CMSG_DATA(head), sizeof *ret_fd);
    return true;
}

static void tell_addresses(const struct host_place *place, struct xrt_answer *ret)
{
    ret->weights = host_buffer_address(place->weights);
    for (uint32_t i = 0; i < place->n_slots; i++)
        ret->slots[i] = host_buffer_address(place->slots[i].whole);
}

/* Each number by itself is whole for whoever reads it meanwhile. */
static void put(double *to, double value)
{
    __atomic_store(to, &value, __ATOMIC_RELAXED);
}

static void read_sensors(struct host *host)
{
    static char thermal[REPORT_BYTES], electrical[REPORT_BYTES], memory[REPORT_BYTES];
    struct xrt_sensors now;
    host_card_sensors(host->card, thermal, electrical, memory, REPORT_BYTES);
    host_sensors_read(&now, thermal, electrical, memory);
    put(&host->sensors->temperature, now.temperature);
    put(&host->sensors->power, now.power);
    put(&host->sensors->ecc_errors, now.ecc_errors);
    put(&host->sensors->clock_mhz, host_card_clock(host->card));
}

/* Until there is a request, or bertd is gone. */
static void wait_for_request(struct host *host)
{
    struct pollfd control = {.fd = XRT_CONTROL_FD, .events = POLLIN};
    while (poll(&control, 1, SENSORS_MS) == 0)
        read_sensors(host);
}

/* `fd` is closed, or somebody's, afterwards. */
static enum status carry_out(struct host *host, const struct xrt_request *request, int fd, struct xrt_answer *ret,
                             struct error *err)
{
    struct host_place *place = &host->places[request->place % XRT_MAX_PLACES];
    struct host_thread *thread = &host->threads[request->unit % XRT_MAX_UNITS];
    enum status status = STATUS_OK;
    switch (request->kind) {
    case XRT_UNIT:
        status = host_thread_start(thread, host->card, request->unit, fd, host->places, err);
        if (!status)
            return STATUS_OK;
        break;
    case XRT_PLACE:
        status = host_place_create(place, host->card, &request->layout, host->n_units, fd, err);
        if (!status)
            tell_addresses(place, ret);
        break;
    case XRT_SEND:
        return host_place_send(place, err);
    case XRT_VERIFY:
        return host_place_verify(place, err);
    case XRT_DROP:
        host_place_free(place);
        return STATUS_OK;
    case XRT_END:
    case XRT_RUN:
    case XRT_NO_MORE:
        break;
    }
    if (fd >= 0)
        close(fd);
    return status;
}

/* Until bertd says that it is over. False: it is gone without a word. */
static bool serve(struct host *host)
{
    struct xrt_request request;
    int fd;
    for (;;) {
        wait_for_request(host);
        if (!receive(&request, &fd))
            return false;
        host_hand_over();
        if (request.kind == XRT_END)
            return true;
        struct xrt_answer answer = {0};
        struct error err = {0};
        answer.status = (uint32_t)carry_out(host, &request, fd, &answer, &err);
        memcpy(answer.message, err.message, sizeof answer.message);
        host_hand_over();
        if (send(XRT_CONTROL_FD, &answer, sizeof answer, MSG_NOSIGNAL) != sizeof answer)
            return false;
    }
}

static bool say_hello(struct host *host, const char *address, const char *xclbin)
{
    struct xrt_hello hello = {.protocol = XRT_PROTOCOL};
    struct error err = {0};
    hello.status = (uint32_t)host_card_open(&host->card, address, xclbin, &hello, &err);
    memcpy(hello.message, err.message, sizeof hello.message);
    host->n_units = hello.n_units;
    return send(XRT_CONTROL_FD, &hello, sizeof hello, MSG_NOSIGNAL) == sizeof hello && hello.status == STATUS_OK;
}

static void close_all(struct host *host)
{
    for (uint32_t u = 0; u < XRT_MAX_UNITS; u++)
        host_thread_join(&host->threads[u]);
    for (uint32_t p = 0; p < XRT_MAX_PLACES; p++)
        host_place_free(&host->places[p]);
    host_card_close(&host->card);
}

/* The device process of an emulated card does not get them. */
static bool take_files(struct host *host)
{
    fcntl(XRT_CONTROL_FD, F_SETFD, FD_CLOEXEC);
    fcntl(XRT_SENSORS_FD, F_SETFD, FD_CLOEXEC);
    void *memory = mmap(NULL, sizeof *host->sensors, PROT_READ | PROT_WRITE, MAP_SHARED, XRT_SENSORS_FD, 0);
    host->sensors = memory;
    return memory != MAP_FAILED;
}

int main(int argc, char **argv)
{
    static struct host host;
    pthread_t watcher;
    bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
    if (argc != 3 || !take_files(&host)) {
        fprintf(help ? stdout : stderr, "usage: bertd-xrt-host CARD XCLBIN\n\nbertd starts it, for boards xrt:CARD.\n");
        return help ? 0 : 2;
    }
    if (pthread_create(&watcher, NULL, watch, NULL) != 0 || !say_hello(&host, argv[1], argv[2]))
        return 1;
    read_sensors(&host);
    if (!serve(&host))
        _exit(1);
    close_all(&host);
    return 0;
}
