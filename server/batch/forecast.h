/* When a request would be done that came now, from what waits, runs and is suspended. */
#ifndef BERTD_BATCH_FORECAST_H
#define BERTD_BATCH_FORECAST_H

#include "server/batch/sched.h"

/** Whether a work that came now would be done in so long by any estimate: then no forecast is needed, which takes far
 *  longer; with the lock. */
bool sched_is_surely_in_time(const struct batch *batch, const struct batch_work *work, double left_ns);
/** Predicted nanoseconds until a work would be done that came now; with the lock. */
double sched_forecast_ns(struct batch *batch, const struct batch_work *work);
/** Predicted nanoseconds that all boards need for what waits; with the lock. */
double sched_backlog_ns(const struct batch *batch);

#endif
