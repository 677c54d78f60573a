/* What bertctl reads, on any bytes: .npy, texts in each form, the state of a job, the names that a hub gives, and the
 * readings of a server on the terminal. The first byte says which. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/utf8.h"
#include "clients/cli/cache.h"
#include "clients/cli/job.h"
#include "clients/cli/metrics.h"
#include "clients/cli/npy.h"
#include "clients/cli/reader.h"
#include "clients/cli/view.h"
#include "tests/fuzz/require.h"

enum { COLUMNS = 80 };

static volatile double sink;
static char path[32];  /* of a file in memory with the bytes */
static char there[64]; /* a folder for the files of a job */

static void write_file(int fd, const uint8_t *data, size_t size)
{
    REQUIRE(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
}

static void remove_folder(void)
{
    char name[80];
    snprintf(name, sizeof name, "%s/out.part", there);
    unlink(name);
    snprintf(name, sizeof name, "%s/out.bertctl", there);
    unlink(name);
    rmdir(there);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    int fd = memfd_create("input", MFD_CLOEXEC);
    REQUIRE(fd >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    snprintf(there, sizeof there, "/dev/shm/bertctl-fuzz-XXXXXX");
    REQUIRE(mkdtemp(there) && atexit(remove_folder) == 0);
    stderr = fopen("/dev/null", "we"); /* for what bertctl says; findings go to the descriptor */
    REQUIRE(stderr);
    return 0;
}

static void read_matrix(void)
{
    struct cli_matrix matrix;
    double sum = 0;
    if (!cli_npy_open(path, &matrix))
        return;
    for (uint64_t i = 0; i < matrix.rows * matrix.width; i++)
        sum += (double)matrix.values[i];
    sink = sum;
    cli_npy_close(&matrix);
}

/* All texts; then the same from a position in the middle. */
static void read_texts(enum cli_form form, bool no_header, const char *column)
{
    struct cli_reader_settings settings = {
        .path = path, .form = form, .field = "text", .column = column, .separator = ',', .no_header = no_header};
    struct cli_reader *reader = cli_reader_open(&settings);
    struct cli_position position = {0};
    const char *text;
    size_t length, n = 0, m = 0;
    int found = 0;
    while (reader && (found = cli_reader_next(reader, &text, &length)) == 1) {
        sink = length > 0 ? text[0] + text[length - 1] : 0;
        if (++n == 2)
            position = cli_reader_position(reader);
    }
    cli_reader_close(reader);
    if (n < 2 || found != 0)
        return;
    reader = cli_reader_open(&settings);
    REQUIRE(reader && cli_reader_resume(reader, &position));
    while ((found = cli_reader_next(reader, &text, &length)) == 1)
        m++;
    REQUIRE(found == 0 && m + 2 == n);
    cli_reader_close(reader);
}

static void read_job(const uint8_t *data, size_t size)
{
    char output[80], name[90];
    struct cli_job job = {.output = output, .identity = "same"};
    struct cli_state state;
    snprintf(output, sizeof output, "%s/out", there);
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s%s", output, i == 0 ? ".part" : ".bertctl");
        int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        REQUIRE(fd >= 0);
        write_file(fd, data, i == 0 ? 0 : size);
        close(fd);
    }
    if (cli_job_open(&job, true, false, &state) != CLI_JOB_RESUMED)
        return;
    uint64_t sizes[] = {state.input.offset, state.input.records, state.output.rows, state.output.bytes,
                        state.output.width};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        REQUIRE(sizes[i] <= INT64_MAX);
    cli_job_leave(&job);
}

/* A name that is taken stays below its folder, and is one line. */
static void read_name(const char *text)
{
    if (!cli_cache_is_name(text))
        return;
    REQUIRE(text[0] != '/' && text[0] != '\0' && strcmp(text, "..") != 0 && strncmp(text, "../", 3) != 0);
    REQUIRE(!strstr(text, "/../") && !strstr(text, "//"));
    REQUIRE(strlen(text) < 3 || strcmp(text + strlen(text) - 3, "/..") != 0);
    for (; *text; text++)
        REQUIRE((unsigned char)*text >= ' ' && *text != 0x7f);
}

/* A reading: /metrics, NUL, /boards. No line of the view is too long, and nothing of the server's rules the terminal.
 */
static void view(char *text, size_t size)
{
    struct cli_reading reading = {.metrics = text, .interval = 1, .hit_share = -1};
    struct cli_view settings = {.endpoint = text, .model = text, .version = text, .columns = COLUMNS, .rows = 20};
    size_t used = strlen(text) + 1;
    reading.boards = json_loadb(text + used, size - used, 0, NULL);
    reading.memory_bytes = cli_metrics_sum(text, "m", NULL);
    reading.cpu = cli_metrics_sum(text, "m", "a=\"b\"");
    reading.classes[0].p50 = cli_metrics_quantile(text, NULL, "h", NULL, 0.5);
    reading.classes[0].p99 = cli_metrics_quantile(text, text, "h", "a", 0.99);
    json_t *json = cli_reading_json(&reading);
    REQUIRE(json || !reading.boards);
    json_decref(json);
    char *shown = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&shown, &length);
    REQUIRE(out);
    cli_view_show(&settings, &reading, out);
    REQUIRE(fclose(out) == 0 && utf8_valid(shown, length) == length);
    size_t columns = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)shown[i];
        columns = c == '\n' ? 0 : columns + ((c & 0xc0) != 0x80);
        REQUIRE(columns <= COLUMNS && (c == '\n' || (c >= ' ' && c != 0x7f)));
    }
    free(shown);
    json_decref(reading.boards);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    uint8_t kind = *data++;
    size--;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    REQUIRE(fd >= 0);
    write_file(fd, data, size);
    close(fd);
    char *text = calloc(size + 2, 1);
    REQUIRE(text);
    memcpy(text, data, size);
    switch (kind) {
    case 'n':
        read_matrix();
        break;
    case 'l':
        read_texts(CLI_FORM_LINES, false, NULL);
        break;
    case 'j':
        read_texts(CLI_FORM_JSONL, false, NULL);
        break;
    case 'c':
        read_texts(CLI_FORM_CSV, false, "text");
        break;
    case 'h':
        read_texts(CLI_FORM_CSV, true, "2");
        break;
    case 's':
        read_job(data, size);
        break;
    case 'p':
        read_name(text);
        break;
    default:
        view(text, size + 1);
        break;
    }
    free(text);
    return 0;
}
