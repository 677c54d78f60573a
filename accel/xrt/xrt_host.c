#include "accel/xrt/xrt_host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
    OPEN_MS = 30000,    /* an xclbin takes a card some seconds */
    ANSWER_MS = 5000,   /* any request, and .. */
    BYTES_A_MS = 10000, /* .. for so many bytes that go over a millisecond more: PCIe does a thousand times as many */
    RUN_MS = 600000,    /* a list; the scheduler gives up long before, but for the first measurements */
    LOOK_MS = 20,       /* whether an answer is still wanted */
    GRACE_MS = 200,     /* to finish a list that nobody wants any more */
    END_MS = 5000,      /* to free everything and close the card */
    REAP_US = 1000,     /* how long a process that has closed its files is given to be gone: .. */
    REAP_TRIES = 200    /* .. so many times this */
};

struct xrt_host {
    atomic_uint references;
    atomic_bool dead;
    pid_t pid;
    pthread_mutex_t reaping; /* guards `reaped` and `how` */
    bool reaped;
    int how;                /* it ended, as waitpid has it */
    pthread_mutex_t asking; /* one request on the control channel */
    int control;
    int channels[XRT_MAX_UNITS]; /* -1: none */
    struct xrt_sensors *sensors; /* shared with it */
    struct xrt_hello hello;
    char card[40];
    uint32_t patience; /* opening and answers may take so many times as long */
};

/* The process ------------------------------------------------------------------------------------------------------ */

extern char **environ;

static enum status find_program(char path[PATH_MAX], const char *program, struct error *err)
{
    static const char name[] = "bertd-xrt-host";
    if (program) {
        snprintf(path, PATH_MAX, "%s", program);
    } else {
        ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - sizeof name);
        while (length > 0 && path[length - 1] != '/')
            length--;
        memcpy(path + (length > 0 ? length : 0), name, sizeof name);
    }
    struct stat what;
    if (access(path, X_OK) == 0 && stat(path, &what) == 0) {
        if (!S_ISDIR(what.st_mode))
            return STATUS_OK;
        errno = EISDIR;
    }
    return error_set(err, STATUS_USAGE,
                     "there is no %s, which opens cards (%s): it is built where XRT is installed (libxrt-dev), and "
                     "--xrt-host names another place",
                     path, strerror(errno));
}

/* In a session of its own: XRT ends its process group where a card breaks. Its words would be in the way of the log. */
static enum status spawn(struct xrt_host *host, const char *path, const char *card, const char *xclbin, int control,
                         int sensors, struct error *err)
{
    char *const arguments[] = {(char *)path, (char *)card, (char *)xclbin, NULL};
    const char *words = getenv("BERTD_XRT_LOG");
    int log = open(words ? words : "/dev/null", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0)
        return error_set(err, STATUS_USAGE, "BERTD_XRT_LOG is %s: %s", words ? words : "not set", strerror(errno));
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, log, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&files, control, XRT_CONTROL_FD);
    posix_spawn_file_actions_adddup2(&files, sensors, XRT_SENSORS_FD);
    posix_spawn_file_actions_addclosefrom_np(&files, XRT_SENSORS_FD + 1);
    int failed = posix_spawn(&host->pid, path, &files, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    close(log);
    return failed ? error_set(err, failed == ENOEXEC ? STATUS_USAGE : STATUS_IO, "%s does not start: %s", path,
                              strerror(failed))
                  : STATUS_OK;
}

/* With `reaping`. */
static bool reap(struct xrt_host *host)
{
    if (!host->reaped && waitpid(host->pid, &host->how, WNOHANG) == host->pid)
        host->reaped = true;
    return host->reaped;
}

/* Give it a moment to be gone; one that is stuck in the driver is left to itself. */
static bool await_end(struct xrt_host *host)
{
    bool gone = false;
    for (int i = 0; i < REAP_TRIES && !gone; i++) {
        pthread_mutex_lock(&host->reaping);
        gone = reap(host);
        pthread_mutex_unlock(&host->reaping);
        if (!gone)
            usleep(REAP_US);
    }
    return gone;
}

/* All of its session, with the device process of an emulated card. Until it is gone its number is nobody else's. */
static void kill_all(struct xrt_host *host)
{
    pthread_mutex_lock(&host->reaping);
    if (!reap(host))
        kill(-host->pid, SIGKILL);
    pthread_mutex_unlock(&host->reaping);
    await_end(host);
}

void xrt_host_kill(struct xrt_host *host)
{
    atomic_store(&host->dead, true);
    kill_all(host);
}

bool xrt_host_is_dead(const struct xrt_host *host)
{
    return atomic_load(&host->dead);
}

/* It has closed a channel: it ends. How it ended is worth telling, so it has a moment before it is killed. */
static enum status say_ended(struct xrt_host *host, struct error *err)
{
    bool known = atomic_exchange(&host->dead, true);
    await_end(host);
    kill_all(host);
    if (known)
        return error_set(err, STATUS_BACKEND, "card %s failed, and is to be opened again", host->card);
    if (WIFSIGNALED(host->how))
        return error_set(
            err, STATUS_BACKEND,
            "card %s: its host process was ended by signal %d (%s): the card is lost, or XRT does not work", host->card,
            WTERMSIG(host->how), strsignal(WTERMSIG(host->how)));
    return error_set(err, STATUS_BACKEND,
                     "card %s: its host process ended with exit code %d: the card is lost, or XRT does not work",
                     host->card, WEXITSTATUS(host->how));
}

static enum status say_strange(struct xrt_host *host, enum status status, struct error *err)
{
    xrt_host_kill(host);
    return error_set(err, status,
                     "card %s: bertd does not know what its host process says: is bertd-xrt-host of the same version? "
                     "Install both together",
                     host->card);
}

/* Channels --------------------------------------------------------------------------------------------------------- */

enum { STRANGE = -2, CLOSED, NOTHING_YET, CAME };

static int receive(int channel, void *message, size_t size, int timeout_ms)
{
    struct pollfd channels = {.fd = channel, .events = POLLIN};
    int n = poll(&channels, 1, timeout_ms);
    if (n <= 0)
        return n < 0 && errno != EINTR ? CLOSED : NOTHING_YET;
    ssize_t length = recv(channel, message, size, MSG_TRUNC);
    return length == (ssize_t)size ? CAME : length > 0 ? STRANGE : CLOSED;
}

static bool send_with(int channel, const struct xrt_request *request, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec data = {(void *)request, sizeof *request};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        *head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(head), &fd, sizeof fd);
    }
    return sendmsg(channel, &message, MSG_NOSIGNAL) == sizeof *request;
}

/* What a host process says of itself is not believed: XRT may have written over its memory. */
static enum status told(uint32_t status, const char *message, size_t size, struct error *err)
{
    if (status == STATUS_OK)
        return STATUS_OK;
    return error_set(err, status < STATUS_COUNT ? (enum status)status : STATUS_BACKEND, "%.*s", (int)size, message);
}

static enum status answered(const struct xrt_answer *answer, struct error *err)
{
    return told(answer->status, answer->message, sizeof answer->message, err);
}

/* Wait on the control channel. */
static enum status await_control(struct xrt_host *host, void *message, size_t size, uint64_t limit_ms,
                                 struct error *err)
{
    limit_ms *= host->patience;
    uint64_t until = clock_now_ns() + limit_ms * 1000000ull;
    int came = NOTHING_YET;
    while (came == NOTHING_YET && clock_now_ns() < until)
        came = receive(host->control, message, size, LOOK_MS);
    if (came == CAME)
        return STATUS_OK;
    if (came == CLOSED)
        return say_ended(host, err);
    if (came == STRANGE)
        return say_strange(host, STATUS_USAGE, err);
    xrt_host_kill(host);
    return error_set(err, STATUS_BACKEND, "card %s: XRT did not answer within %llu seconds", host->card,
                     (unsigned long long)limit_ms / 1000);
}

enum status xrt_host_ask(struct xrt_host *host, const struct xrt_request *request, int fd, struct xrt_answer *ret,
                         struct error *err)
{
    uint64_t limit_ms = ANSWER_MS + request->layout.memory / BYTES_A_MS;
    pthread_mutex_lock(&host->asking);
    enum status status = send_with(host->control, request, fd) ? await_control(host, ret, sizeof *ret, limit_ms, err)
                                                               : say_ended(host, err);
    pthread_mutex_unlock(&host->asking);
    if (status)
        return status;
    status = answered(ret, err);
    if (status == STATUS_IO)
        xrt_host_kill(host);
    return status;
}

enum status xrt_host_tell(struct xrt_host *host, uint32_t unit, const struct xrt_request *request, struct error *err)
{
    return send_with(host->channels[unit], request, -1) ? STATUS_OK : say_ended(host, err);
}

enum status xrt_host_await(struct xrt_host *host, uint32_t unit, const atomic_bool *stop, struct xrt_answer *ret,
                           struct error *err)
{
    uint64_t until = clock_now_ns() + RUN_MS * 1000000ull;
    bool stopped = false;
    int came = NOTHING_YET;
    while (came == NOTHING_YET && clock_now_ns() < until) {
        came = receive(host->channels[unit], ret, sizeof *ret, LOOK_MS);
        if (!stopped && stop && atomic_load(stop)) {
            stopped = true;
            until = clock_now_ns() + GRACE_MS * 1000000ull;
        }
    }
    if (came == CLOSED)
        return say_ended(host, err);
    if (came == STRANGE)
        return say_strange(host, STATUS_BACKEND, err);
    if (came == CAME) {
        enum status status = answered(ret, err);
        if (status == STATUS_IO)
            xrt_host_kill(host);
        return status;
    }
    xrt_host_kill(host);
    return stopped ? error_set(err, STATUS_CANCELLED, "the card does not finish what it does; it is opened again")
                   : error_set(err, STATUS_BACKEND, "card %s did not finish a list within %d seconds", host->card,
                               RUN_MS / 1000);
}

/* Begin and end ---------------------------------------------------------------------------------------------------- */

static enum status open_unit(struct xrt_host *host, uint32_t unit, struct error *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return error_set(err, STATUS_IO, "no socket for a compute unit: %s", strerror(errno));
    host->channels[unit] = ends[0];
    struct xrt_request request = {.kind = XRT_UNIT, .unit = unit};
    struct xrt_answer answer;
    enum status status = xrt_host_ask(host, &request, ends[1], &answer, err);
    close(ends[1]);
    return status;
}

static enum status greet(struct xrt_host *host, struct error *err)
{
    enum status status = await_control(host, &host->hello, sizeof host->hello, OPEN_MS, err);
    if (status)
        return status;
    if (host->hello.protocol != XRT_PROTOCOL || host->hello.n_units > XRT_MAX_UNITS)
        return say_strange(host, STATUS_USAGE, err);
    host->hello.bdf[sizeof host->hello.bdf - 1] = '\0';
    status = told(host->hello.status, host->hello.message, sizeof host->hello.message, err);
    for (uint32_t u = 0; u < host->hello.n_units && !status; u++)
        status = open_unit(host, u, err);
    return status;
}

/* The same file out of the way of the numbers that the host process knows; -1 where it was or becomes none. */
static int move_up(int fd)
{
    int moved = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, XRT_SENSORS_FD + 1) : -1;
    if (fd >= 0)
        close(fd);
    return moved;
}

/* The host process's side is closed here, whatever comes. */
static enum status connect_and_spawn(struct xrt_host *host, const char *path, const char *card, const char *xclbin,
                                     struct error *err)
{
    int ends[2] = {-1, -1}, memory = move_up(memfd_create("bertd-xrt-sensors", MFD_CLOEXEC));
    bool made = memory >= 0 && ftruncate(memory, sizeof *host->sensors) == 0 &&
                socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0 && (ends[1] = move_up(ends[1])) >= 0;
    void *mapped = made ? mmap(NULL, sizeof *host->sensors, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0) : MAP_FAILED;
    enum status status = STATUS_OK;
    if (mapped == MAP_FAILED) {
        status = error_set(err, STATUS_IO, "no socket for a host process: %s", strerror(errno));
    } else {
        host->sensors = mapped;
        host->control = ends[0];
        status = spawn(host, path, card, xclbin, ends[1], memory, err);
        if (status)
            host->reaped = true; /* there is none */
    }
    if (ends[1] >= 0)
        close(ends[1]);
    if (memory >= 0)
        close(memory);
    return status;
}

enum status xrt_host_start(struct xrt_host **ret, const char *program, const char *card, const char *xclbin,
                           uint32_t patience, struct error *err)
{
    char path[PATH_MAX];
    enum status status = find_program(path, program, err);
    if (status)
        return status;
    struct xrt_host *host = mem_calloc(1, sizeof *host);
    if (!host)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a host process");
    atomic_init(&host->references, 1);
    pthread_mutex_init(&host->reaping, NULL);
    pthread_mutex_init(&host->asking, NULL);
    host->control = -1;
    for (uint32_t u = 0; u < XRT_MAX_UNITS; u++)
        host->channels[u] = -1;
    snprintf(host->card, sizeof host->card, "%s", card);
    host->patience = patience;
    status = connect_and_spawn(host, path, card, xclbin, err);
    if (!status)
        status = greet(host, err);
    if (status) {
        atomic_store(&host->dead, true);
        xrt_host_release(&host);
        return status;
    }
    *ret = host;
    return STATUS_OK;
}

struct xrt_host *xrt_host_retain(struct xrt_host *host)
{
    atomic_fetch_add(&host->references, 1);
    return host;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Ask it to end, and wait until it has closed the control channel. */
static void end_well(struct xrt_host *host)
{
    struct xrt_request request = {.kind = XRT_END};
    struct xrt_answer none;
    uint64_t until = clock_now_ns() + (uint64_t)END_MS * host->patience * 1000000u;
    bool sent = send_with(host->control, &request, -1);
    while (sent && receive(host->control, &none, sizeof none, LOOK_MS) == NOTHING_YET && clock_now_ns() < until)
        ;
}

void xrt_host_release(struct xrt_host **ref)
{
    struct xrt_host *host = *ref;
    *ref = NULL;
    if (!host || atomic_fetch_sub(&host->references, 1) > 1)
        return;
    for (uint32_t u = 0; u < XRT_MAX_UNITS; u++)
        close_one(&host->channels[u]);
    if (!xrt_host_is_dead(host))
        end_well(host);
    kill_all(host);
    close_one(&host->control);
    if (host->sensors)
        munmap(host->sensors, sizeof *host->sensors);
    pthread_mutex_destroy(&host->reaping);
    pthread_mutex_destroy(&host->asking);
    mem_free(host);
}

const struct xrt_hello *xrt_host_hello(const struct xrt_host *host)
{
    return &host->hello;
}

void xrt_host_sensors(const struct xrt_host *host, struct xrt_sensors *ret)
{
    const struct xrt_sensors *now = host->sensors;
    __atomic_load(&now->temperature, &ret->temperature, __ATOMIC_RELAXED);
    __atomic_load(&now->power, &ret->power, __ATOMIC_RELAXED);
    __atomic_load(&now->clock_mhz, &ret->clock_mhz, __ATOMIC_RELAXED);
    __atomic_load(&now->ecc_errors, &ret->ecc_errors, __ATOMIC_RELAXED);
}
