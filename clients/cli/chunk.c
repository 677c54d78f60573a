#include "clients/cli/chunk.h"

#include <stdlib.h>
#include <string.h>

#include "clients/cli/stop.h"
#include "clients/cli/terminal.h"

/* False, having said why: there is no memory. */
static bool add(struct cli_chunk *chunk, const char *text, size_t length)
{
    if (chunk->room - chunk->used < length) {
        size_t room = chunk->room * 2 > chunk->used + length ? chunk->room * 2 : chunk->used + length;
        char *more = realloc(chunk->bytes, room);
        if (!more) {
            cli_say("no memory");
            return false;
        }
        chunk->bytes = more;
        chunk->room = room;
    }
    memcpy(chunk->bytes + chunk->used, text, length);
    chunk->used += length;
    chunk->lengths[chunk->sent++] = length;
    return true;
}

static enum cli_chunk_filled close_chunk(struct cli_chunk *chunk, struct cli_reader *reader, bool last)
{
    const char *at = chunk->bytes;
    for (size_t i = 0; i < chunk->sent; i++) {
        chunk->texts[i] = at;
        at += chunk->lengths[i];
    }
    chunk->end = cli_reader_position(reader);
    return last ? CLI_CHUNK_LAST : CLI_CHUNK_FULL;
}

enum cli_chunk_filled cli_chunk_fill(struct cli_chunk *chunk, struct cli_reader *reader, size_t most,
                                     enum cli_empty empty, bool wait)
{
    while (chunk->n < most && chunk->used < CLI_CHUNK_BYTES) {
        const char *text;
        size_t length;
        if (cli_stopped())
            return CLI_CHUNK_WRONG;
        if (!wait && !cli_reader_ready(reader))
            return CLI_CHUNK_WAIT;
        uint64_t record = cli_reader_position(reader).records;
        int found = cli_reader_next(reader, &text, &length);
        if (found < 0)
            return CLI_CHUNK_WRONG;
        if (found == 0)
            return close_chunk(chunk, reader, true);
        if (length == 0 && empty == CLI_EMPTY_SKIP)
            continue;
        if (length == 0 && empty == CLI_EMPTY_FAIL) {
            cli_say("record %llu is empty (counted from 0): see --empty", (unsigned long long)record);
            return CLI_CHUNK_WRONG;
        }
        chunk->empty[chunk->n] = length == 0;
        chunk->sent_records[chunk->sent] = record;
        chunk->records[chunk->n++] = record;
        if (length > 0 && !add(chunk, text, length))
            return CLI_CHUNK_WRONG;
    }
    return close_chunk(chunk, reader, false);
}

void cli_chunk_clear(struct cli_chunk *chunk)
{
    chunk->used = chunk->n = chunk->sent = 0;
    chunk->done = false;
    if (chunk->room > 4 * CLI_CHUNK_BYTES) { /* a giant has passed */
        free(chunk->bytes);
        chunk->bytes = NULL;
        chunk->room = 0;
    }
}
