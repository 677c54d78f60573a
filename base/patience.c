#include "base/patience.h"

#include <pthread.h>
#include <sched.h>

/* A thread to which somebody else gave another policy keeps it. */
static _Thread_local enum { NEW, NOT_OURS, HURRIED, PATIENT } state;

void patience_set(bool patient)
{
    const struct sched_param none = {0};
    if (state == NEW)
        state = sched_getscheduler(0) == SCHED_OTHER ? HURRIED : NOT_OURS;
    if (state == NOT_OURS || patient == (state == PATIENT))
        return;
    int refused = pthread_setschedparam(pthread_self(), patient ? SCHED_BATCH : SCHED_OTHER, &none);
    state = refused ? NOT_OURS : patient ? PATIENT : HURRIED;
}
