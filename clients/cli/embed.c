/* bertctl embed: vectors of many texts, into a file. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clients/cli/chunk.h"
#include "clients/cli/connection.h"
#include "clients/cli/embed.h"
#include "clients/cli/plain.h"
#include "clients/cli/stop.h"
#include "clients/cli/terminal.h"

#define FIELD(name) offsetof(struct cli_embed_settings, name)

static const struct cli_option options[] = {
    {"output", 'o', CLI_NAME, "FILE", "Where vectors go; -: standard output, which is the default", FIELD(output), 0,
     0},
    {"format", 'f', CLI_CHOICE, "auto|npy|jsonl|fvecs", "Of the output; auto: by its ending; standard output: jsonl",
     FIELD(format), 0, 0},
    {"input", 'i', CLI_NAME, "FILE", "Where texts come from; -: standard input", FIELD(input), 0, 0},
    {"input-format", 0, CLI_CHOICE, "auto|text|jsonl|csv", "Of the input; auto: by its ending, else text: a line each",
     FIELD(form), 0, 0},
    {"field", 0, CLI_TEXT, "NAME", "Of JSONL: the field that has the text (text)", FIELD(field), 0, 0},
    {"column", 'c', CLI_TEXT, "NAME", "Of CSV: the column that has the text, by name or number (1)", FIELD(column), 0,
     0},
    {"separator", 0, CLI_TEXT, "C", "Of CSV: what is between columns (,); tab for a tab", FIELD(separator), 0, 0},
    {"no-header", 0, CLI_FLAG, NULL, "Of CSV: the first line is a record, too", FIELD(no_header), 0, 0},
    {"resume", 0, CLI_FLAG, NULL, "Go on with an interrupted job; begin where there is none", FIELD(resume), 0, 0},
    {"force", 0, CLI_FLAG, NULL, "Replace the output, and forget an interrupted job", FIELD(force), 0, 0},
    {"empty", 0, CLI_CHOICE, "fail|skip|zero", "Texts that are empty: an error, left out, or a vector of zeros",
     FIELD(empty), 0, 0},
    {"truncate", 0, CLI_CHOICE, "default|yes|no", "Cut texts that are too long, or fail; default: as the server does",
     FIELD(truncate), 0, 0},
    {"dimensions", 'd', CLI_NUMBER, "N", "Keep so many values of a vector", FIELD(dimensions), 1, 1000000},
    {"no-normalize", 0, CLI_FLAG, NULL, "Vectors as the model gives them, not of length 1", FIELD(no_normalize), 0, 0},
    {"prompt-name", 0, CLI_TEXT, "NAME", "One of the model's prompts, put before each text", FIELD(prompt_name), 0, 0},
    {"batch", 'b', CLI_NUMBER, "N", "Texts in one request (128)", FIELD(batch), 1, CLI_CHUNK_TEXTS},
    {"parallel", 'p', CLI_NUMBER, "N", "Requests at once (8)", FIELD(parallel), 1, CLI_EMBED_PARALLEL},
    {"checkpoint", 0, CLI_NUMBER, "SECONDS", "How often the state of the job is kept (5)", FIELD(checkpoint), 0, 86400},
};

static void defaults(void *into, struct cli_line *line)
{
    struct cli_embed_settings *settings = into;
    settings->output = "-";
    settings->field = "text";
    settings->separator = ",";
    settings->batch = 128;
    settings->parallel = 8;
    settings->checkpoint = 5;
    line->connection.timeout = 300;
    line->connection.retries = 12;
    line->connection.priority = 2;
}

/* What the result depends on beside the bytes of the input. Returns -1 or the exit code, having said why. */
static int identify(const struct cli_embed_settings *settings, const struct cli_line *line,
                    const struct cli_embed *embed, char *text, size_t size)
{
    struct bertd_info *info = NULL;
    struct bertd_error error = {0};
    if (bertd_get_info(embed->client, &embed->call, &info, &error) != BERTD_OK)
        return cli_failed(NULL, &error);
    int n =
        snprintf(text, size,
                 "model %s %s %s, longest %u, cut %d %u, format %d, input %u field %s column %s separator %s "
                 "header %d, empty %u, dimensions %.0f, normalize %d, prompt %s, asked for %s",
                 info->model_id, info->model_dtype, info->pooling, info->max_input_length, info->auto_truncate,
                 settings->truncate, (int)embed->format, settings->form, settings->field,
                 settings->column ? settings->column : "", settings->separator, !settings->no_header, settings->empty,
                 settings->dimensions, !settings->no_normalize, settings->prompt_name ? settings->prompt_name : "",
                 line->connection.model ? line->connection.model : "");
    bertd_free(info);
    if (n >= 0 && (size_t)n < size) {
        cli_plain_utf8(text); /* it goes into JSON */
        return -1;
    }
    cli_say("the names of options are too long");
    return CLI_USAGE;
}

/* What --json and people are told at the end. */
static void tell(const struct cli_embed *embed, const struct cli_line *line, double seconds)
{
    struct cli_written written = cli_writer_written(embed->writer);
    double rows = (double)(written.rows - embed->resumed_rows);
    bool to_file = strcmp(embed->settings->output, "-") != 0;
    char count[32], fresh[32], rate[32], time[32];
    if (line->common.json && to_file) {
        json_t *root = json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:f}", "output",
                                 cli_plain_json(embed->settings->output), "rows", (json_int_t)written.rows, "width",
                                 (json_int_t)written.width, "records", (json_int_t)embed->position.records, "skipped",
                                 (json_int_t)embed->position.records - (json_int_t)written.rows, "resumed_rows",
                                 (json_int_t)embed->resumed_rows, "seconds", seconds);
        json_dumpf(root, stdout, JSON_REAL_PRECISION(6));
        printf("\n");
        json_decref(root);
    } else if (to_file && !line->common.quiet && isatty(STDERR_FILENO)) {
        cli_say("%s vectors of %llu values in %s; %s of them in %s, %s/s", cli_count(count, (double)written.rows),
                (unsigned long long)written.width, embed->settings->output, cli_count(fresh, rows),
                cli_time(time, seconds), cli_count(rate, seconds > 0 ? rows / seconds : 0));
    }
}

/* The whole of a job in a file: begun or taken up, run, finished. */
static int run_job(struct cli_embed *embed, const struct cli_line *line)
{
    char identity[4096];
    struct cli_job job = {.output = embed->settings->output, .identity = identity};
    struct cli_state state;
    int code = identify(embed->settings, line, embed, identity, sizeof identity);
    if (code >= 0)
        return code;
    enum cli_job_begin begin = cli_job_open(&job, embed->settings->resume, embed->settings->force, &state);
    if (begin == CLI_JOB_WRONG)
        return CLI_FILE;
    if (begin == CLI_JOB_WHOLE) {
        if (!line->common.quiet)
            cli_say("%s is whole already", job.output);
        return CLI_OK;
    }
    bool resumed = begin == CLI_JOB_RESUMED;
    code = CLI_FILE;
    if (!resumed || cli_reader_resume(embed->reader, &state.input))
        embed->writer = cli_writer_open(job.part, embed->format, resumed ? &state.output : NULL);
    if (embed->writer) {
        embed->job = &job;
        embed->resumed_rows = resumed ? state.output.rows : 0;
        code = cli_embed_run(embed);
    } else if (cli_stopped()) {
        code = CLI_INTERRUPTED;
    }
    if (code == CLI_OK)
        code = cli_job_finish(&job) ? CLI_OK : CLI_FILE;
    cli_job_leave(&job);
    return code;
}

static int run_stream(struct cli_embed *embed)
{
    embed->writer = cli_writer_open("-", embed->format, NULL);
    return embed->writer ? cli_embed_run(embed) : CLI_FILE;
}

/* The reader's settings. False, having said why. */
static bool choose_input(const struct cli_embed_settings *settings, const struct cli_line *line,
                         struct cli_reader_settings *ret)
{
    bool tab = strcmp(settings->separator, "tab") == 0;
    if (!tab && strlen(settings->separator) != 1) {
        cli_say("--separator takes one character, or tab");
        return false;
    }
    if (line->n_arguments > 0 && (settings->input || settings->resume)) {
        cli_say(settings->input ? "texts come from arguments or from --input, not from both"
                                : "--resume needs texts from --input");
        return false;
    }
    if (line->n_arguments == 0 && !settings->input && isatty(STDIN_FILENO)) {
        cli_say("no texts: give them as arguments, by --input FILE, or on standard input");
        return false;
    }
    *ret = (struct cli_reader_settings){.path = settings->input ? settings->input : "-",
                                        .arguments = line->n_arguments > 0 ? line->arguments : NULL,
                                        .n_arguments = line->n_arguments,
                                        .form = (enum cli_form)settings->form,
                                        .field = settings->field,
                                        .column = settings->column,
                                        .separator = tab ? '\t' : settings->separator[0],
                                        .no_header = settings->no_header};
    return true;
}

/* The output's format. False, having said why. */
static bool choose_output(const struct cli_embed_settings *settings, enum cli_file_format *ret)
{
    bool stream = strcmp(settings->output, "-") == 0;
    enum cli_file_format format =
        settings->format ? (enum cli_file_format)settings->format : cli_writer_format(settings->output);
    if (format == CLI_FILE_AUTO)
        cli_say("%s: which format? Its ending is none of .npy, .jsonl, .fvecs: see --format", settings->output);
    else if (stream && format == CLI_FILE_NPY)
        cli_say("a .npy file says at its begin how long it is, so it cannot go to standard output: see --output");
    else if (stream && settings->resume)
        cli_say("--resume needs --output FILE");
    else if (stream && format == CLI_FILE_FVECS && isatty(STDOUT_FILENO))
        cli_say("fvecs is not for terminals: see --output");
    else {
        *ret = format;
        return true;
    }
    return false;
}

static int run(const void *settings_, const struct cli_line *line)
{
    static const enum bertd_choice choices[] = {BERTD_DEFAULT, BERTD_YES, BERTD_NO};
    const struct cli_embed_settings *settings = settings_;
    struct cli_embed embed = {.settings = settings, .call = cli_call_options(&line->connection)};
    struct cli_reader_settings input;
    if (!choose_input(settings, line, &input) || !choose_output(settings, &embed.format))
        return CLI_USAGE;
    int code = cli_connect(&line->connection, &embed.client);
    if (code >= 0)
        return code;
    embed.call.truncate = choices[settings->truncate];
    embed.call.dimensions = (uint32_t)settings->dimensions;
    embed.call.normalize = settings->no_normalize ? BERTD_NO : BERTD_DEFAULT;
    embed.call.prompt_name = settings->prompt_name;
    cli_stop_listen();
    double begin = cli_now();
    embed.reader = cli_reader_open(&input);
    code = CLI_FILE;
    if (embed.reader) {
        struct cli_common common = line->common;
        common.quiet |= strcmp(settings->output, "-") == 0 && isatty(STDOUT_FILENO); /* where vectors are shown */
        cli_progress_begin(&embed.progress, &common, "texts", 0);
        code = strcmp(settings->output, "-") != 0 ? run_job(&embed, line) : run_stream(&embed);
        cli_progress_end(&embed.progress);
    }
    if (code == CLI_OK && embed.writer)
        tell(&embed, line, cli_now() - begin);
    cli_writer_close(embed.writer);
    cli_reader_close(embed.reader);
    bertd_client_destroy(&embed.client);
    return code;
}

const struct cli_command cli_command_embed = {
    .name = "embed",
    .arguments = "[TEXT ..]",
    .summary = "Vectors of texts, into .npy, JSONL or .fvecs",
    .about =
        "Embeds texts: the arguments, or the lines of a file or of standard input, or a field of JSONL, or a column of "
        "CSV. A record may have 64 MiB. Memory does not grow with the input.\n\n"
        "An interrupted job (Ctrl-C, kill -9, a crash, an error) goes on with --resume and the same options and input. "
        "The output is the same, byte for byte, as if nothing had happened. Until it is whole it is called "
        "OUTPUT.part, "
        "and OUTPUT.bertctl says how far it is. Where the output is whole already, --resume does nothing.\n\n"
        "JSONL has an object a line: index, the number of the text in the input from 0, and embedding. .fvecs has for "
        "each vector its length as int32 and its values as binary32, little-endian. Vectors have length 1 unless told "
        "otherwise.",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .settings_size = sizeof(struct cli_embed_settings),
    .defaults = defaults,
    .run = run,
    .most_arguments = SIZE_MAX,
    .connects = true,
};
