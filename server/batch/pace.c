#include "server/batch/pace.h"

#include <math.h>

enum { ROUNDS = 8 /* a pace is of about so many */, HALVINGS = 40 };

static double known(const struct pace *pace)
{
    return pace->of_late > 0 ? pace->of_late : 1;
}

bool pace_speeds(struct pace *pool, const uint32_t *boards, uint32_t n, uint64_t now_ns, double *ret_speeds)
{
    double fastest = INFINITY, alike_sum = 0;
    uint32_t alike = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct pace *pace = &pool[boards[i]];
        if (pace->of_late > 0 && now_ns - pace->since_ns > PACE_MEMORY_NS)
            *pace = (struct pace){0};
        fastest = fmin(fastest, known(pace));
    }
    for (uint32_t i = 0; i < n; i++) {
        struct pace *pace = &pool[boards[i]];
        pace->differs = known(pace) > fastest * (pace->differs ? PACE_ALIKE : PACE_DIFFERS);
        alike += !pace->differs;
        alike_sum += pace->differs ? 0 : known(pace);
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct pace *pace = &pool[boards[i]];
        ret_speeds[i] = pace->differs ? alike_sum / alike / known(pace) : 1;
    }
    return alike < n;
}

double pace_after(double pace, double took)
{
    double seen = fmin(fmax(took, pace / 2), pace * 2);
    return pace + (seen - pace) / ROUNDS;
}

void pace_note(struct pace *pace, double of_late, uint64_t now_ns)
{
    if (pace->of_late == 0)
        pace->since_ns = now_ns;
    pace->of_late = of_late;
}

static double part_of(double speed, double end, double fixed, double least)
{
    return fmax(speed * end - fixed, least);
}

/* All that have more than the least end at one time: the one at which the parts add up. */
void pace_divide(double work, double fixed, double least, const double *speeds, uint32_t n, double *ret)
{
    double early = 0, late = INFINITY;
    for (uint32_t p = 0; p < n; p++)
        late = fmin(late, (work + fixed) / speeds[p]);
    for (int i = 0; i < HALVINGS; i++) {
        double end = (early + late) / 2, sum = 0;
        for (uint32_t p = 0; p < n; p++)
            sum += part_of(speeds[p], end, fixed, least);
        *(sum < work ? &early : &late) = end;
    }
    double before = 0;
    for (uint32_t p = 0; p < n; p++) {
        ret[p] = before;
        before += part_of(speeds[p], early, fixed, least);
    }
}
