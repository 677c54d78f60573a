/* Schedules of faults and the admin route's body on arbitrary bytes: no crash, no leak, nothing out of range. */
#include <stdint.h>
#include <string.h>

#include "server/faults/faults.h"
#include "tests/fuzz/require.h"

enum { BOARDS = 3 };

static void check_fault(const struct board_fault *fault)
{
    REQUIRE((unsigned)fault->kind < BOARD_FAULTS);
    REQUIRE(fault->kind != BOARD_FAULT_SLOW || fault->factor >= 1);
}

static void check_status(enum status status, const struct error *err)
{
    REQUIRE(status == STATUS_OK || (status == err->status && err->message[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct faults_schedule schedule = {0};
    enum status status = faults_read_schedule(&schedule, (const char *)data, size, BOARDS, &err);
    check_status(status, &err);
    REQUIRE(status == STATUS_OK || (!schedule.rules && schedule.n == 0));
    for (uint32_t i = 0; i < schedule.n; i++)
        check_fault(&schedule.rules[i].fault);
    faults_schedule_finish(&schedule);
    uint32_t board = 0;
    struct board_fault fault;
    status = faults_read_one(&board, &fault, (const char *)data, size, BOARDS, &err);
    check_status(status, &err);
    if (status == STATUS_OK) {
        REQUIRE(board < BOARDS);
        check_fault(&fault);
    }
    return 0;
}
