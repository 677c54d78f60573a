/* bertd-card: the process behind an emulated card. XRT's emulation shim starts it without arguments when an xclbin is
 * loaded; with words it asks for faults and shows counts (accel/device/control.h). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accel/device/control.h"
#include "accel/device/session.h"
#include "accel/device/socket.h"
#include "base/file.h"

enum { CONNECT_SECONDS = 60, SLACK = 4096 };

static const char usage[] =
    "usage: bertd-card fault FILE KIND [COUNT [VALUE]]\n"
    "       bertd-card counts FILE\n"
    "\n"
    "Without arguments it is a card: XRT's emulation starts it so. deploy/xrt-emu sets up what that needs.\n"
    "\n"
    "FILE is the card's control file: card0, card1, .. in the folder BERTD_CARD_DIR. KIND, and what VALUE says:\n"
    "  hang         a list never ends\n"
    "  die          the process ends when a list starts\n"
    "  slow         a list takes VALUE microseconds longer\n"
    "  corrupt-in   a bit of a transfer to the card flips, of one of at least VALUE bytes\n"
    "  corrupt-out  likewise from the card\n"
    "  lose         the card is gone until COUNT is set to 0\n"
    "  refuse       an xclbin is not taken\n"
    "COUNT (1): how many times. counts prints what happened since the file is there, as JSON.\n";

static int complain(const struct error *err)
{
    fprintf(stderr, "bertd-card: %s\n", err->message);
    return 1;
}

/* Words ----------------------------------------------------------------------------------------------------------- */

static int ask_for_fault(int argc, char **argv)
{
    struct device_control *control = NULL;
    struct error err;
    enum device_fault fault = 0;
    while (fault < DEVICE_FAULTS && strcmp(device_fault_word(fault), argv[3]) != 0)
        fault++;
    if (fault == DEVICE_FAULTS) {
        fprintf(stderr, "bertd-card: no fault is called \"%s\"\n%s", argv[3], usage);
        return 2;
    }
    if (device_control_open(&control, argv[2], &err))
        return complain(&err);
    device_control_set(control, fault, argc > 4 ? strtoull(argv[4], NULL, 0) : 1,
                       argc > 5 ? strtoull(argv[5], NULL, 0) : 0);
    device_control_close(&control);
    return 0;
}

static int show_counts(const char *path)
{
    struct device_control *control = NULL;
    struct error err;
    if (device_control_open(&control, path, &err))
        return complain(&err);
    printf("{\"process\": %" PRIu64, atomic_load(&control->process));
    for (enum device_count i = 0; i < DEVICE_COUNTS; i++)
        printf(", \"%s\": %" PRIu64, device_count_word(i), atomic_load(&control->counts[i]));
    printf("}\n");
    device_control_close(&control);
    return 0;
}

/* The card -------------------------------------------------------------------------------------------------------- */

/* The control file of this card, by the number in its socket's name; NULL: nobody watches it. */
static enum status open_control(struct device_control **ret, const char *name, struct error *err)
{
    char path[FILE_MAX_PATH];
    const char *folder = getenv("BERTD_CARD_DIR");
    unsigned index;
    if (!folder || sscanf(name, "device%u_", &index) != 1)
        return STATUS_OK;
    snprintf(path, sizeof path, "%s/card%u", folder, index);
    return device_control_open(ret, path, err);
}

static enum status serve(int socket, struct device_session *session, struct device_control *control, struct error *err)
{
    struct buf body = {0}, answer = {0};
    enum status status = STATUS_OK;
    for (bool over = false; !over && !status;) {
        uint32_t call;
        status = device_socket_read(socket, DEVICE_MAX_TRANSFER + SLACK, &call, &body, &over, err);
        if (status || over)
            break;
        if (device_control_take(control, DEVICE_FAULT_LOSE, NULL))
            _exit(1);
        answer.len = 0;
        status = device_session_answer(session, call, body.data, body.len, &answer, &over, err);
        if (*device_session_refusal(session))
            fprintf(stderr, "bertd-card: %s\n", device_session_refusal(session));
        if (!status)
            status = device_socket_write(socket, &answer, err);
    }
    buf_finish(&body);
    buf_finish(&answer);
    return status;
}

static int be_a_card(const char *name, struct device_control *control)
{
    char path[FILE_MAX_PATH];
    const char *user = getenv("USER");
    struct device_session *session = NULL;
    struct error err;
    int socket = -1;
    if (device_control_take(control, DEVICE_FAULT_LOSE, NULL))
        return 1;
    if (control)
        atomic_store(&control->process, (uint64_t)getpid());
    device_control_add(control, DEVICE_COUNT_STARTS, 1);
    if (user)
        snprintf(path, sizeof path, "/tmp/%s/%s", user, name);
    else
        snprintf(path, sizeof path, "/tmp/xcl_sock"); /* as the shim has it */
    enum status status = device_socket_connect(&socket, path, CONNECT_SECONDS, &err);
    if (!status)
        status = device_session_create(&session, control, &err);
    if (!status)
        status = serve(socket, session, control, &err);
    device_session_destroy(&session);
    if (socket >= 0)
        close(socket);
    if (control)
        atomic_store(&control->process, 0);
    return status ? complain(&err) : 0;
}

int main(int argc, char **argv)
{
    struct device_control *control = NULL;
    struct error err;
    const char *name = getenv("EMULATION_SOCKETID");
    if (argc > 3 && strcmp(argv[1], "fault") == 0)
        return ask_for_fault(argc, argv);
    if (argc == 3 && strcmp(argv[1], "counts") == 0)
        return show_counts(argv[2]);
    if (argc > 1 || !name) {
        bool asked = argc == 2 && strcmp(argv[1], "--help") == 0;
        fputs(usage, asked ? stdout : stderr);
        return asked ? 0 : 2;
    }
    if (open_control(&control, name, &err))
        return complain(&err);
    int result = be_a_card(name, control);
    device_control_close(&control);
    return result;
}
