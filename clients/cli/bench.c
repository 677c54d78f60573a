/* bertctl bench: how fast a server answers. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clients/cli/connection.h"
#include "clients/cli/load.h"
#include "clients/cli/plot.h"
#include "clients/cli/reader.h"
#include "clients/cli/stop.h"
#include "clients/cli/terminal.h"

#define TEXTS_MAX 100000
#define BATCH_MAX 4096

struct settings {
    double concurrency;
    double rate;
    unsigned arrivals;
    double duration;
    double warmup;
    double requests;
    double batch;
    const char *input;
    double words;
    double seed;
    const char *svg;
    bool plot;
};

#define FIELD(name) offsetof(struct settings, name)

static const struct cli_option options[] = {
    {"concurrency", 'c', CLI_NUMBER, "N", "Closed loop: so many requests at once (8)", FIELD(concurrency), 1,
     CLI_LOAD_AT_ONCE},
    {"rate", 'r', CLI_NUMBER, "N", "Open loop: so many requests a second, whatever the server does", FIELD(rate), 0.001,
     1000000},
    {"arrivals", 0, CLI_CHOICE, "poisson|constant", "Open loop: by chance or evenly spaced", FIELD(arrivals), 0, 0},
    {"duration", 'd', CLI_NUMBER, "SECONDS", "How long what counts takes (10)", FIELD(duration), 0.01, 86400},
    {"warmup", 0, CLI_NUMBER, "SECONDS", "Before that, not counted (1)", FIELD(warmup), 0, 3600},
    {"requests", 'n', CLI_NUMBER, "N", "End after so many", FIELD(requests), 1, 1e12},
    {"batch", 'b', CLI_NUMBER, "N", "Texts in one request (1)", FIELD(batch), 1, BATCH_MAX},
    {"input", 'i', CLI_NAME, "FILE", "Texts, a line each, else made up; 100,000 at most", FIELD(input), 0, 0},
    {"words", 'w', CLI_NUMBER, "N", "Words of a text that is made up (12)", FIELD(words), 1, 10000},
    {"seed", 0, CLI_NUMBER, "N", "Of texts and arrivals (1)", FIELD(seed), 0, 4294967295.0},
    {"svg", 0, CLI_NAME, "FILE", "Draw latencies by their share", FIELD(svg), 0, 0},
    {"plot", 0, CLI_FLAG, NULL, "Draw them in lines; the default on a terminal", FIELD(plot), 0, 0},
};

static void defaults(void *into, struct cli_line *line)
{
    struct settings *settings = into;
    settings->concurrency = 8;
    settings->duration = 10;
    settings->warmup = 1;
    settings->batch = 1;
    settings->words = 12;
    settings->seed = 1;
    line->connection.retries = 0;
}

/* Texts --------------------------------------------------------------------------------------------------------- */

struct texts {
    char **items; /* [n + batch]; those behind n are the first ones again */
    size_t n;
};

static char *make_text(size_t words, uint64_t *random)
{
    static const char *const some[] = {"the",   "river",  "market", "quiet", "engine", "of",     "light", "seven",
                                       "paper", "winter", "garden", "moves", "under",  "signal", "bread", "north"};
    size_t used = 0, room = words * 8 + 1;
    char *text = malloc(room);
    for (size_t i = 0; text && i < words; i++) {
        *random = *random * 6364136223846793005u + 1442695040888963407u;
        used += (size_t)snprintf(text + used, room - used, "%s%s", i > 0 ? " " : "", some[*random >> 60]);
    }
    return text;
}

static bool read_texts(const char *path, struct texts *texts)
{
    struct cli_reader_settings from = {.path = path, .form = CLI_FORM_LINES};
    struct cli_reader *reader = cli_reader_open(&from);
    const char *text;
    size_t length;
    int found = reader ? 1 : -1;
    while (found == 1 && texts->n < TEXTS_MAX && (found = cli_reader_next(reader, &text, &length)) == 1) {
        if (length > 0 && (texts->items[texts->n] = strndup(text, length)) != NULL)
            texts->n++;
    }
    cli_reader_close(reader);
    if (found >= 0 && texts->n == 0)
        cli_say("%s has no texts", path);
    return found >= 0 && texts->n > 0;
}

static bool get_texts(const struct settings *settings, struct texts *texts)
{
    size_t batch = (size_t)settings->batch;
    uint64_t random = (uint64_t)settings->seed;
    texts->items = calloc(TEXTS_MAX + batch, sizeof *texts->items);
    if (!texts->items) {
        cli_say("no memory");
        return false;
    }
    if (settings->input && !read_texts(settings->input, texts))
        return false;
    while (!settings->input && texts->n < 4096 &&
           (texts->items[texts->n] = make_text((size_t)settings->words, &random)))
        texts->n++;
    for (size_t i = 0; texts->n > 0 && i < batch; i++)
        texts->items[texts->n + i] = texts->items[i];
    return texts->n > 0;
}

static void free_texts(struct texts *texts)
{
    for (size_t i = 0; i < texts->n; i++)
        free(texts->items[i]);
    free(texts->items);
}

/* Results ------------------------------------------------------------------------------------------------------- */

static void describe(const struct settings *settings, char *text, size_t size)
{
    if (settings->rate > 0)
        snprintf(text, size, "open loop, %g requests/s, %g texts each", settings->rate, settings->batch);
    else
        snprintf(text, size, "closed loop, %g at once, %g texts each", settings->concurrency, settings->batch);
}

static void show_json(const struct settings *settings, const struct cli_load_result *result)
{
    const struct cli_histogram *latency = &result->latency;
    double per_second = result->seconds > 0 ? (double)latency->n / result->seconds : 0;
    json_t *errors = json_object();
    for (unsigned i = 0; i < CLI_LOAD_STATUSES; i++) {
        if (result->failed[i] > 0)
            json_object_set_new(errors, bertd_status_name((enum bertd_status)i),
                                json_integer((json_int_t)result->failed[i]));
    }
    json_t *times = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "mean", cli_histogram_mean(latency), "p50",
                              cli_histogram_quantile(latency, 0.5), "p90", cli_histogram_quantile(latency, 0.9), "p95",
                              cli_histogram_quantile(latency, 0.95), "p99", cli_histogram_quantile(latency, 0.99),
                              "p99.9", cli_histogram_quantile(latency, 0.999), "max", latency->most);
    json_t *root = json_pack(
        "{s:s, s:f, s:f, s:f, s:I, s:I, s:f, s:f, s:f, s:I, s:o, s:o}", "loop", settings->rate > 0 ? "open" : "closed",
        "concurrency", settings->rate > 0 ? 0 : settings->concurrency, "rate", settings->rate, "batch", settings->batch,
        "requests", (json_int_t)latency->n, "failed", (json_int_t)result->n_failed, "seconds", result->seconds,
        "requests_per_second", per_second, "texts_per_second", per_second * settings->batch, "most_at_once",
        (json_int_t)result->most_at_once, "errors", errors, "latency_seconds", times);
    json_dumpf(root, stdout, JSON_REAL_PRECISION(9));
    printf("\n");
    json_decref(root);
}

static void show_people(const struct settings *settings, const struct cli_load_result *result)
{
    const struct cli_histogram *latency = &result->latency;
    static const double shares[] = {0.5, 0.9, 0.99, 0.999};
    double per_second = result->seconds > 0 ? (double)latency->n / result->seconds : 0;
    char text[160], counts[3][32];
    describe(settings, text, sizeof text);
    printf("%s\n", text);
    printf("%s requests in %.1f s: %s requests/s, %s texts/s", cli_count(counts[0], (double)latency->n),
           result->seconds, cli_count(counts[1], per_second), cli_count(counts[2], per_second * settings->batch));
    printf("; %lu failed\n", result->n_failed);
    for (unsigned i = 0; i < CLI_LOAD_STATUSES; i++) {
        if (result->failed[i] > 0)
            printf("  %s %lu\n", bertd_status_name((enum bertd_status)i), result->failed[i]);
    }
    if (settings->plot || isatty(STDOUT_FILENO)) {
        cli_plot_bars(latency, cli_columns(STDOUT_FILENO), stdout);
        return;
    }
    printf("latency");
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        printf("  p%g %s", shares[i] * 100, cli_plot_time(text, cli_histogram_quantile(latency, shares[i])));
    printf("  max %s\n", cli_plot_time(text, latency->most));
}

static bool draw(const struct settings *settings, const struct cli_load_result *result)
{
    char title[160];
    FILE *file = fopen(settings->svg, "we");
    describe(settings, title, sizeof title);
    if (file)
        cli_plot_svg(&result->latency, title, file);
    bool good = file && !ferror(file);
    if (file)
        good = fclose(file) == 0 && good;
    if (!good)
        cli_say_errno(settings->svg);
    return good;
}

static int show(const struct settings *settings, const struct cli_line *line, const struct cli_load_result *result)
{
    if (line->common.json)
        show_json(settings, result);
    else
        show_people(settings, result);
    if (settings->svg && !draw(settings, result))
        return CLI_FILE;
    if (result->stopped)
        return CLI_INTERRUPTED;
    if (result->n_failed > 0)
        cli_failed("the last failure", &result->last_error);
    return result->latency.n > 0 || result->n_failed == 0 ? CLI_OK : (int)cli_exit_of(result->last_error.status);
}

static int run(const void *settings_, const struct cli_line *line)
{
    const struct settings *settings = settings_;
    struct texts texts = {0};
    struct bertd_error error = {0};
    struct cli_load load = {.call = cli_call_options(&line->connection),
                            .batch = (size_t)settings->batch,
                            .concurrency = (size_t)settings->concurrency,
                            .rate = settings->rate,
                            .constant = settings->arrivals == 1,
                            .warmup = settings->warmup,
                            .duration = settings->requests > 0 ? 86400 : settings->duration,
                            .requests = settings->requests,
                            .seed = (unsigned long)settings->seed};
    int code = cli_connect(&line->connection, &load.client);
    if (code >= 0)
        return code;
    struct cli_load_result *result = calloc(1, sizeof *result);
    code = CLI_FAILED;
    cli_stop_listen();
    if (!result || !get_texts(settings, &texts)) {
        code = result ? CLI_FILE : CLI_FAILED;
    } else {
        load.texts = (const char *const *)texts.items;
        load.n_texts = texts.n;
        code = cli_load_run(&load, result, &error) ? show(settings, line, result) : cli_failed(NULL, &error);
    }
    free_texts(&texts);
    free(result);
    bertd_client_destroy(&load.client);
    return code;
}

const struct cli_command cli_command_bench = {
    .name = "bench",
    .arguments = "",
    .summary = "How fast a server answers, in a closed or an open loop",
    .about =
        "Embeds texts over and over and tells rates and latencies. In a closed loop (--concurrency) a request is sent "
        "when another one has ended, so a slow server is asked less: its latencies say nothing about users who do not "
        "wait for each other. In an open loop (--rate) requests are due at times that do not depend on the server, and "
        "latency counts from when a request was due, also where it could not be sent then. Failures are not tried "
        "again "
        "unless --retries says so, and do not count as latencies.",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .settings_size = sizeof(struct settings),
    .defaults = defaults,
    .run = run,
    .connects = true,
};
