/* Texts that are sent in one call. Where one ends depends on the texts alone, so a job that goes on has the same. */
#ifndef CLIENTS_CLI_CHUNK_H
#define CLIENTS_CLI_CHUNK_H

#include "clients/c/bertd.h"
#include "clients/cli/reader.h"

#define CLI_CHUNK_TEXTS 1024

/** After so many bytes of texts no further one is added. */
#define CLI_CHUNK_BYTES ((size_t)1000000)

enum cli_empty { CLI_EMPTY_FAIL = 0, CLI_EMPTY_SKIP = 1, CLI_EMPTY_ZERO = 2 };

struct cli_chunk {
    char *bytes; /**< [room] the texts, one behind the other */
    size_t used;
    size_t room;
    size_t n;                          /**< rows that come of it */
    uint64_t records[CLI_CHUNK_TEXTS]; /**< [n] numbers of the texts in the input */
    bool empty[CLI_CHUNK_TEXTS];       /**< [n] a row of zeros, not sent */
    size_t sent;                       /**< texts that are sent */
    uint64_t sent_records[CLI_CHUNK_TEXTS];
    const char *texts[CLI_CHUNK_TEXTS]; /**< [sent]; set when the chunk is full */
    size_t lengths[CLI_CHUNK_TEXTS];
    struct cli_position end; /**< of the input behind it */
    struct bertd_call *call;
    bool done;
};

enum cli_chunk_filled { CLI_CHUNK_FULL, CLI_CHUNK_LAST, CLI_CHUNK_WAIT, CLI_CHUNK_WRONG };

/** Fill a chunk, on from where it is.
 *  most     texts of a whole one, at most CLI_CHUNK_TEXTS
 *  wait     false: come back with WAIT rather than wait for the input
 *  Returns  FULL; LAST: the input has ended, and the chunk may be empty; WRONG: said why, or a signal has come */
enum cli_chunk_filled cli_chunk_fill(struct cli_chunk *chunk, struct cli_reader *reader, size_t most,
                                     enum cli_empty empty, bool wait);

/** Make it empty, for other texts. */
void cli_chunk_clear(struct cli_chunk *chunk);

#endif
