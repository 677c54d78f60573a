/* bertctl embed at work: chunks go out, answers come back in any order, and are written in the order of the input. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/cli/chunk.h"
#include "clients/cli/connection.h"
#include "clients/cli/embed.h"
#include "clients/cli/stop.h"
#include "clients/cli/terminal.h"

struct pipeline {
    struct cli_embed *embed;
    struct bertd_queue *queue;
    struct cli_chunk *chunks; /* [parallel] a ring */
    size_t parallel;
    size_t head;  /* the oldest that is under way */
    size_t count; /* under way; the one behind them is being filled */
    bool ended;   /* the input has */
    float *zeros;
};

static struct cli_chunk *chunk_at(struct pipeline *pipeline, size_t i)
{
    return &pipeline->chunks[(pipeline->head + i) % pipeline->parallel];
}

/* Out ----------------------------------------------------------------------------------------------------------- */

static int submit(struct pipeline *pipeline, struct cli_chunk *chunk)
{
    struct bertd_error error = {0};
    chunk->call = NULL;
    chunk->done = chunk->sent == 0;
    pipeline->count++;
    if (chunk->done || bertd_submit_embed(pipeline->queue, chunk->texts, chunk->lengths, chunk->sent,
                                          &pipeline->embed->call, chunk, &chunk->call, &error) == BERTD_OK)
        return CLI_OK;
    return cli_failed(NULL, &error);
}

/* Read and submit as much as may be under way, without waiting for the input while answers are due. */
static int send_chunks(struct pipeline *pipeline)
{
    const struct cli_embed_settings *settings = pipeline->embed->settings;
    while (!pipeline->ended && pipeline->count < pipeline->parallel) {
        struct cli_chunk *chunk = chunk_at(pipeline, pipeline->count);
        enum cli_chunk_filled filled = cli_chunk_fill(chunk, pipeline->embed->reader, (size_t)settings->batch,
                                                      (enum cli_empty)settings->empty, pipeline->count == 0);
        if (filled == CLI_CHUNK_WAIT)
            return CLI_OK;
        if (filled == CLI_CHUNK_WRONG)
            return cli_stopped() ? CLI_INTERRUPTED : CLI_FILE;
        pipeline->ended = filled == CLI_CHUNK_LAST;
        int code = submit(pipeline, chunk);
        if (code != CLI_OK)
            return code;
    }
    return CLI_OK;
}

/* In ------------------------------------------------------------------------------------------------------------ */

static int tell_failed(const struct cli_chunk *chunk, const struct bertd_error *error)
{
    char what[64] = "";
    if (error->input >= 0 && (uint64_t)error->input < chunk->sent)
        snprintf(what, sizeof what, "record %llu (counted from 0)",
                 (unsigned long long)chunk->sent_records[error->input]);
    return cli_failed(*what ? what : NULL, error);
}

/* Whether the server gave a vector for each text, of values that are numbers. False, having said why. */
static bool is_whole(const struct cli_chunk *chunk, const struct bertd_embeddings *found)
{
    size_t rows = found ? found->rows : 0;
    if (rows != chunk->sent) {
        cli_say("the server gave %zu vectors for %zu texts", rows, chunk->sent);
        return false;
    }
    for (size_t i = 0; rows > 0 && i < rows * found->width; i++) {
        if (isfinite(found->vectors[i]))
            continue;
        cli_say("the server gave a vector for record %llu (counted from 0) whose values are not all numbers",
                (unsigned long long)chunk->sent_records[i / found->width]);
        return false;
    }
    return true;
}

static int write_chunk(struct pipeline *pipeline, struct cli_chunk *chunk)
{
    struct cli_embed *embed = pipeline->embed;
    struct bertd_embeddings *found = NULL;
    struct bertd_error error = {0};
    if (chunk->call && bertd_call_embeddings(chunk->call, &found, &error) != BERTD_OK)
        return tell_failed(chunk, &error);
    if (!is_whole(chunk, found)) {
        bertd_free(found);
        return CLI_FAILED;
    }
    const float *vector = found ? found->vectors : NULL;
    bool good = true;
    for (size_t i = 0; good && i < chunk->n; i++) {
        if (chunk->empty[i]) {
            good = cli_writer_put(embed->writer, chunk->records[i], pipeline->zeros, embed->width);
        } else {
            good = cli_writer_put(embed->writer, chunk->records[i], vector, found->width);
            vector += found->width;
        }
    }
    bertd_free(found);
    bertd_call_destroy(&chunk->call);
    if (good) { /* these two belong together */
        embed->position = chunk->end;
        embed->written = cli_writer_written(embed->writer);
    }
    cli_chunk_clear(chunk);
    return good ? CLI_OK : CLI_FILE;
}

static int write_chunks(struct pipeline *pipeline)
{
    while (pipeline->count > 0 && chunk_at(pipeline, 0)->done) {
        int code = write_chunk(pipeline, chunk_at(pipeline, 0));
        if (code != CLI_OK)
            return code;
        pipeline->head = (pipeline->head + 1) % pipeline->parallel;
        pipeline->count--;
    }
    return CLI_OK;
}

/* State --------------------------------------------------------------------------------------------------------- */

static bool checkpoint(struct cli_embed *embed, bool done)
{
    if (!cli_writer_sync(embed->writer))
        return false;
    embed->checkpointed = cli_now();
    embed->kept = embed->position.offset;
    struct cli_state state = {.input = embed->position, .output = embed->written, .done = done};
    return !embed->job || cli_job_save(embed->job, &state);
}

static void tell_progress(struct cli_embed *embed)
{
    uint64_t rows = embed->written.rows - embed->resumed_rows;
    double whole = (double)cli_reader_size(embed->reader);
    cli_progress_tell(&embed->progress, (double)rows, (double)embed->position.offset, whole);
}

/* Work ---------------------------------------------------------------------------------------------------------- */

/* Rows of zeros are as wide as others, which one text tells. */
static int find_width(struct pipeline *pipeline)
{
    struct bertd_embeddings *found = NULL;
    struct bertd_error error = {0};
    const char *text = "a";
    if (pipeline->embed->settings->empty != CLI_EMPTY_ZERO)
        return CLI_OK;
    if (bertd_embed(pipeline->embed->client, &text, NULL, 1, &pipeline->embed->call, &found, &error) != BERTD_OK)
        return cli_failed(NULL, &error);
    pipeline->embed->width = found->width;
    pipeline->zeros = calloc(found->width, sizeof *pipeline->zeros);
    bertd_free(found);
    return pipeline->zeros ? CLI_OK : CLI_FAILED;
}

static int work(struct pipeline *pipeline)
{
    struct cli_embed *embed = pipeline->embed;
    int code = find_width(pipeline);
    while (code == CLI_OK && (!pipeline->ended || pipeline->count > 0)) {
        code = cli_stopped() ? CLI_INTERRUPTED : send_chunks(pipeline);
        if (code != CLI_OK)
            break;
        struct bertd_call *call = bertd_queue_wait(pipeline->queue, 50);
        for (; call; call = bertd_queue_poll(pipeline->queue))
            ((struct cli_chunk *)bertd_call_cookie(call))->done = true;
        code = write_chunks(pipeline);
        bool due =
            embed->position.offset != embed->kept && cli_now() - embed->checkpointed >= embed->settings->checkpoint;
        if (code == CLI_OK && due && !checkpoint(embed, false))
            code = CLI_FILE;
        tell_progress(embed);
    }
    return code;
}

int cli_embed_run(struct cli_embed *embed)
{
    struct pipeline pipeline = {.embed = embed, .parallel = (size_t)embed->settings->parallel};
    struct bertd_error error = {0};
    embed->position = cli_reader_position(embed->reader);
    embed->written = cli_writer_written(embed->writer);
    embed->kept = embed->position.offset;
    embed->progress.begin_done = (double)embed->position.offset;
    embed->checkpointed = cli_now();
    pipeline.chunks = calloc(pipeline.parallel, sizeof *pipeline.chunks);
    int code = CLI_FAILED;
    if (!pipeline.chunks)
        cli_say("no memory");
    else if (bertd_queue_create(embed->client, &pipeline.queue, &error) != BERTD_OK)
        code = cli_failed(NULL, &error);
    else
        code = work(&pipeline);
    if (code == CLI_OK)
        code = cli_writer_end(embed->writer) && checkpoint(embed, true) ? CLI_OK : CLI_FILE;
    else if (embed->job && pipeline.queue && checkpoint(embed, false))
        cli_say("%llu rows are kept; --resume goes on", (unsigned long long)embed->written.rows);
    for (size_t i = 0; pipeline.chunks && i < pipeline.parallel; i++) {
        bertd_call_destroy(&pipeline.chunks[i].call);
        free(pipeline.chunks[i].bytes);
    }
    bertd_queue_destroy(&pipeline.queue);
    free(pipeline.chunks);
    free(pipeline.zeros);
    return code;
}
