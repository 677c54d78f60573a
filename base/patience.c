#include "base/patience.h"

#include <pthread.h>
#include <sched.h>

static _Thread_local bool is_patient;

void patience_set(bool patient)
{
    const struct sched_param none = {0};
    if (patient != is_patient && pthread_setschedparam(pthread_self(), patient ? SCHED_BATCH : SCHED_OTHER, &none) == 0)
        is_patient = patient;
}
