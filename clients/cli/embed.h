/* What the two files of bertctl embed share. */
#ifndef CLIENTS_CLI_EMBED_H
#define CLIENTS_CLI_EMBED_H

#include "clients/c/bertd.h"
#include "clients/cli/command.h"
#include "clients/cli/job.h"
#include "clients/cli/progress.h"
#include "clients/cli/reader.h"
#include "clients/cli/writer.h"

#define CLI_EMBED_PARALLEL 64

struct cli_embed_settings {
    const char *output;
    unsigned format;
    const char *input;
    unsigned form;
    const char *field;
    const char *column;
    const char *separator;
    bool no_header;
    bool resume;
    bool force;
    unsigned empty;
    unsigned truncate;
    double dimensions;
    bool no_normalize;
    const char *prompt_name;
    double batch;
    double parallel;
    double checkpoint;
};

struct cli_embed {
    const struct cli_embed_settings *settings;
    struct bertd_client *client;
    struct bertd_call_options call;
    struct cli_reader *reader;
    struct cli_writer *writer;
    enum cli_file_format format;
    struct cli_job *job; /**< NULL: the output is not a file, and cannot be resumed */
    struct cli_progress progress;
    struct cli_position position; /**< of the input, behind the texts of `written` */
    struct cli_written written;
    uint64_t resumed_rows;
    size_t width;        /**< of rows of zeros */
    double checkpointed; /**< when, of cli_now */
    uint64_t kept;       /**< the offset of the input that the state then had */
};

/** Embed what the reader has, from where it stands, into the writer, and keep states of the job meanwhile.
 *  Returns  the exit code; what was written before a failure is kept, too */
int cli_embed_run(struct cli_embed *embed);

#endif
