/* A job that can be interrupted at any moment: what it wrote, and a small file that says how far that is certain.
 *
 * OUTPUT.part has the vectors, OUTPUT.bertctl the state: a position of the input and a length of the part that belong
 * together. The state is replaced in one step, and only when what it says of the part is on the disk. At the end the
 * part becomes OUTPUT. So at any moment one of three holds: there is no state and the job begins anew, the state says
 * where it goes on, or OUTPUT is whole. */
#ifndef CLIENTS_CLI_JOB_H
#define CLIENTS_CLI_JOB_H

#include "clients/cli/reader.h"
#include "clients/cli/writer.h"

#define CLI_PATH_MAX 4096

struct cli_state {
    struct cli_position input;
    struct cli_written output;
    bool done; /**< nothing is missing but the part's new name */
};

struct cli_job {
    const char *output;
    char part[CLI_PATH_MAX];
    char state[CLI_PATH_MAX];
    const char *identity; /**< what the result depends on beside the input, in words of our own */
    int lock;             /**< a descriptor that others cannot lock while the job runs */
};

enum cli_job_begin {
    CLI_JOB_NEW,     /**< from the input's begin, into a new part */
    CLI_JOB_RESUMED, /**< from `ret_state` on */
    CLI_JOB_WHOLE,   /**< OUTPUT is there already */
    CLI_JOB_WRONG    /**< it cannot run, and why was said */
};

/** Begin or take up a job.
 *  job       output and identity set, borrowed; the rest is set here
 *  resume    go on with what there is; else what there is is in the way
 *  force     forget what there is
 *  Returns   NEW and RESUMED: end with cli_job_finish or cli_job_leave */
enum cli_job_begin cli_job_open(struct cli_job *job, bool resume, bool force, struct cli_state *ret_state);

/** Keep a state. The part has been synced to what it says. Returns false, having said why. */
bool cli_job_save(const struct cli_job *job, const struct cli_state *state);

/** Make the part the output; the last state said `done`. Returns false, having said why. */
bool cli_job_finish(struct cli_job *job);

/** Let others take the job up. */
void cli_job_leave(struct cli_job *job);

#endif
