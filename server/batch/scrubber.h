/* The thread that verifies the model image in memory from time to time and has it repaired where it is damaged. (What a
 * board holds of its own its health worker looks at.) */
#ifndef BERTD_BATCH_SCRUBBER_H
#define BERTD_BATCH_SCRUBBER_H

void *sched_scrubber_main(void *batch);

#endif
