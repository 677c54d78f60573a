/* Teams: members wait for each other, leave a broken one, and whoever is at fault is told apart. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "accel/team.h"

enum { MEMBERS = 4, MEETINGS = 2000 };

struct member {
    pthread_t thread;
    struct board_team *team;
    uint32_t index;
    uint32_t *marks; /* [MEMBERS], not atomic: what is written before a meeting is seen after it */
    uint32_t stays;  /* meetings that it comes to */
    uint32_t came;
    enum status status;
    struct error err;
};

static void start(struct member *members, struct board_team *team, uint32_t *marks, void *(*work)(void *))
{
    board_team_init(team, MEMBERS, NULL);
    for (uint32_t m = 0; m < MEMBERS; m++) {
        members[m].team = team;
        members[m].index = m;
        members[m].marks = marks;
    }
    for (uint32_t m = 0; m < MEMBERS; m++)
        cr_assert_eq(pthread_create(&members[m].thread, NULL, work, &members[m]), 0);
}

static void *come_and_mark(void *argument)
{
    struct member *member = argument;
    for (uint32_t i = 1; i <= MEETINGS; i++) {
        member->marks[member->index] = i;
        if (!board_team_meet(member->team, member->index))
            break;
        for (uint32_t m = 0; m < MEMBERS; m++)
            member->came += member->marks[m] == i;
        if (!board_team_meet(member->team, member->index))
            break;
    }
    return NULL;
}

Test(team, nobody_goes_on_before_all_have_come)
{
    struct member members[MEMBERS] = {{0}};
    struct board_team team;
    uint32_t marks[MEMBERS] = {0};
    start(members, &team, marks, come_and_mark);
    for (uint32_t m = 0; m < MEMBERS; m++) {
        pthread_join(members[m].thread, NULL);
        cr_expect_eq(members[m].came, MEMBERS * MEETINGS, "member %u saw %u marks", m, members[m].came);
    }
}

static void *come_and_leave(void *argument)
{
    struct member *member = argument;
    while (member->came < member->stays && board_team_meet(member->team, member->index))
        member->came++;
    if (member->came == member->stays) {
        error_set(&member->err, STATUS_BACKEND, "member %u is broken", member->index);
        member->status = board_team_leave(member->team, member->index, STATUS_BACKEND, &member->err);
    } else {
        error_set(&member->err, STATUS_CANCELLED, "another did not go on");
        member->status = board_team_leave(member->team, member->index, STATUS_CANCELLED, &member->err);
    }
    return NULL;
}

/* However long the others have waited: spinning, yielding, asleep. */
Test(team, one_that_fails_lets_the_others_go)
{
    static const uint32_t stays[] = {0, 1, 5, 100};
    for (size_t i = 0; i < sizeof stays / sizeof *stays; i++) {
        struct member members[MEMBERS] = {{0}};
        struct board_team team;
        for (uint32_t m = 0; m < MEMBERS; m++)
            members[m].stays = m == i ? stays[i] : UINT32_MAX;
        start(members, &team, NULL, come_and_leave);
        for (uint32_t m = 0; m < MEMBERS; m++)
            pthread_join(members[m].thread, NULL);
        for (uint32_t m = 0; m < MEMBERS; m++) {
            cr_expect_eq(members[m].status, m == i ? STATUS_BACKEND : STATUS_CANCELLED);
            cr_expect(members[m].came == stays[i] || members[m].came + 1 == stays[i], "%u of %u", members[m].came,
                      stays[i]); /* to whoever is slow to see that all have come it is broken already */
            cr_expect(strstr(members[m].err.message, "is broken"), "%s", members[m].err.message);
        }
    }
}

Test(team, one_that_does_not_come_is_late_and_the_others_leave_when_told)
{
    struct member members[MEMBERS] = {{0}};
    struct board_team team;
    for (uint32_t m = 0; m < MEMBERS; m++)
        members[m].stays = UINT32_MAX;
    board_team_init(&team, MEMBERS, NULL);
    for (uint32_t m = 0; m < MEMBERS; m++) {
        members[m].team = &team;
        members[m].index = m;
        cr_expect_not(board_team_is_late(&team, m));
    }
    for (uint32_t m = 1; m < MEMBERS; m++)
        cr_assert_eq(pthread_create(&members[m].thread, NULL, come_and_leave, &members[m]), 0);
    for (bool all = false; !all; usleep(1000)) {
        all = true;
        for (uint32_t m = 1; m < MEMBERS; m++)
            all &= atomic_load(&team.members[m].meetings) == 1;
    }
    for (uint32_t m = 0; m < MEMBERS; m++)
        cr_expect_eq(board_team_is_late(&team, m), m == 0);
    usleep(5000); /* some of them sleep now */
    const struct error err = {.status = STATUS_CANCELLED, .message = "enough"};
    board_team_break(&team, BOARD_TEAM_NOBODY, &err);
    for (uint32_t m = 1; m < MEMBERS; m++) {
        pthread_join(members[m].thread, NULL);
        cr_expect_eq(members[m].status, STATUS_CANCELLED);
        cr_expect(strstr(members[m].err.message, "enough"), "%s", members[m].err.message);
    }
    come_and_leave(&members[0]); /* late, and not blamed for it */
    cr_expect_eq(members[0].status, STATUS_CANCELLED);
}

Test(team, a_broken_one_is_left_though_all_have_come)
{
    struct board_team team;
    const struct error err = {.status = STATUS_CANCELLED, .message = "enough"};
    board_team_init(&team, 2, NULL);
    atomic_store(&team.members[1].meetings, 2);
    cr_expect(board_team_meet(&team, 0));
    board_team_break(&team, BOARD_TEAM_NOBODY, &err);
    cr_expect_not(board_team_meet(&team, 0));
}

Test(team, who_is_blamed_by_others_says_so_himself)
{
    struct board_team team;
    struct error first = {.status = STATUS_BACKEND, .message = "its sums are wrong"}, err = {0};
    board_team_init(&team, 3, NULL);
    board_team_break(&team, 1, &first);
    error_set(&err, STATUS_BACKEND, "another");
    board_team_break(&team, 2, &err);
    cr_expect_eq(board_team_leave(&team, 0, STATUS_BACKEND, &err), STATUS_CANCELLED);
    cr_expect_eq(board_team_leave(&team, 1, STATUS_CANCELLED, &err), STATUS_BACKEND);
    cr_expect_str_eq(err.message, "its sums are wrong");
    cr_expect_eq(board_team_leave(&team, 2, STATUS_CANCELLED, &err), STATUS_CANCELLED);
}

Test(team, who_fails_where_the_others_were_told_to_go_says_so)
{
    struct board_team team;
    const struct error told = {.status = STATUS_CANCELLED, .message = "enough"};
    struct error err = {0};
    board_team_init(&team, 2, NULL);
    board_team_break(&team, BOARD_TEAM_NOBODY, &told);
    error_set(&err, STATUS_BACKEND, "it was reset");
    cr_expect_eq(board_team_leave(&team, 0, STATUS_BACKEND, &err), STATUS_BACKEND);
    cr_expect_str_eq(err.message, "it was reset");
    cr_expect_eq(board_team_leave(&team, 1, STATUS_CANCELLED, &err), STATUS_CANCELLED);
}

/* Nobody told them: the first saw by itself that its job was cancelled. */
Test(team, who_leaves_what_was_cancelled_is_not_at_fault)
{
    struct board_team team;
    struct error err = {0};
    board_team_init(&team, 2, NULL);
    error_set(&err, STATUS_CANCELLED, "the job was cancelled");
    cr_expect_eq(board_team_leave(&team, 0, STATUS_CANCELLED, &err), STATUS_CANCELLED);
    cr_expect_eq(team.culprit, BOARD_TEAM_NOBODY);
    error_set(&err, STATUS_BACKEND, "it was reset");
    cr_expect_eq(board_team_leave(&team, 1, STATUS_BACKEND, &err), STATUS_BACKEND);
    cr_expect_str_eq(err.message, "it was reset");
}

Test(team, members_that_compute_in_other_ways_do_not_agree)
{
    static const char one[] = "avx2", other[] = "amx";
    struct board_team team;
    board_team_init(&team, 2, NULL);
    cr_expect(board_team_agrees(&team, one));
    cr_expect(board_team_agrees(&team, one));
    cr_expect_not(board_team_agrees(&team, other));
    board_team_init(&team, 2, NULL);
    cr_expect(board_team_agrees(&team, other));
}
