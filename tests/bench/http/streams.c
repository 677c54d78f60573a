/* Many streams of gRPC open at once, on as many connections as the server's limit on streams asks for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/bench/http/surfaces.h"

enum { TEXTS = 2, LEAST_TOKENS = 3, WINDOW = 64 };

/* A connection and its streams. */
struct lane {
    struct h2 *h2;
    struct h2_stream *streams; /* [n] */
    int n;
};

static double resident_bytes(int pid)
{
    char path[64], line[256];
    double kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtod(line + 6, NULL);
    if (file)
        fclose(file);
    return kib * 1024;
}

/* Streams that have sent nothing yet but their heads. */
static void open_streams(struct lane *lane, int port, int n)
{
    int most = (int)nghttp2_session_get_remote_settings(
        lane->h2 ? lane->h2->session : (lane->h2 = h2_open(port))->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    lane->n = n < most ? n : most;
    lane->streams = calloc((size_t)lane->n, sizeof *lane->streams);
    if (!lane->streams)
        fail("no memory");
    for (int s = 0; s < lane->n; s++)
        h2_begin(lane->h2, &lane->streams[s], &surface_stream);
    h2_meet(lane->h2);
}

/* The tokens of a stream's texts: they differ, so that answers in the wrong order are seen. */
static int tokens_of(int stream, int text)
{
    return LEAST_TOKENS + (stream + text) % 3;
}

static void send_texts(const struct lane *lane, int s, const struct texts *texts)
{
    struct h2_stream *stream = &lane->streams[s];
    for (int t = 0; t < TEXTS; t++)
        request_write_stream(&stream->out, texts, tokens_of(s, t), (uint64_t)(s * TEXTS + t));
    stream->ends = true;
    h2_resume(lane->h2, stream);
}

/* All of a connection's streams, so many at a time. */
static void ask(struct lane *lane, const struct texts *texts)
{
    int asked = 0, done = 0;
    while (done < lane->n) {
        while (asked < lane->n && asked - done < WINDOW)
            send_texts(lane, asked++, texts);
        if (!h2_turn(lane->h2))
            fail("the server has closed a connection");
        while (done < asked && lane->streams[done].closed)
            done++;
    }
}

static int count_wrong(const struct lane *lane)
{
    int wrong = 0;
    for (int s = 0; s < lane->n; s++) {
        uint32_t tokens[TEXTS] = {0};
        const struct answer *answer = &lane->streams[s].answer;
        int n = answer_stream_tokens(answer, tokens, TEXTS);
        bool right = n == TEXTS && answer->code == 200 && answer->grpc_status == 0;
        for (int t = 0; t < TEXTS; t++)
            right = right && (int)tokens[t] == tokens_of(s, t);
        wrong += !right;
    }
    return wrong;
}

static void close_lane(struct lane *lane)
{
    h2_close(lane->h2);
    for (int s = 0; s < lane->n; s++) {
        buf_finish(&lane->streams[s].out);
        buf_finish(&lane->streams[s].answer.body);
    }
    free(lane->streams);
}

void streams_run(int port, int pid, int n_streams, const struct texts *texts)
{
    struct lane *lanes = calloc((size_t)n_streams, sizeof *lanes);
    int n_lanes = 0, wrong = 0;
    if (!lanes)
        fail("no memory");
    double before = resident_bytes(pid);
    uint64_t began = clock_now_ns();
    for (int open = 0; open < n_streams; open += lanes[n_lanes++].n)
        open_streams(&lanes[n_lanes], port, n_streams - open);
    uint64_t opened = clock_now_ns();
    double with_all = resident_bytes(pid);
    for (int l = 0; l < n_lanes; l++)
        ask(&lanes[l], texts);
    uint64_t answered = clock_now_ns();
    double after_answers = resident_bytes(pid);
    for (int l = 0; l < n_lanes; l++) {
        wrong += count_wrong(&lanes[l]);
        close_lane(&lanes[l]);
    }
    sleep(1);
    printf("{\"streams\": %d, \"connections\": %d, \"texts\": %d, \"wrong\": %d, \"open_s\": %.3f, \"ask_s\": %.3f, "
           "\"resident_before\": %.0f, \"resident_open\": %.0f, \"resident_answered\": %.0f, "
           "\"resident_after\": %.0f}\n",
           n_streams, n_lanes, TEXTS, wrong, (double)(opened - began) * 1e-9, (double)(answered - opened) * 1e-9,
           before, with_all, after_answers, resident_bytes(pid));
    free(lanes);
}
