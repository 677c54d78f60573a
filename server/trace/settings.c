#include "server/trace/settings.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "base/mem.h"

enum { MAX_WORD = 4096 };

typedef const char *get_env_function(const char *name);

/* An empty variable is one that is not set. */
static const char *value_of(get_env_function *get_env, const char *name)
{
    const char *value = get_env(name);
    return value && *value ? value : NULL;
}

/* The variable for traces, else the one for all signals; `ret_name` is the one that counts. */
static const char *exporter_value(get_env_function *get_env, const char *suffix, char ret_name[64])
{
    snprintf(ret_name, 64, "OTEL_EXPORTER_OTLP_TRACES_%s", suffix);
    const char *value = value_of(get_env, ret_name);
    if (value)
        return value;
    snprintf(ret_name, 64, "OTEL_EXPORTER_OTLP_%s", suffix);
    return value_of(get_env, ret_name);
}

static enum status read_number(const char *name, const char *value, uint32_t least, uint32_t *ret, struct error *err)
{
    if (!value)
        return STATUS_OK;
    char *end = NULL;
    errno = 0;
    unsigned long number = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || errno || number < least || number > 100000000)
        return error_set(err, STATUS_USAGE, "%s: expected a whole number from %u to 100000000", name, least);
    *ret = (uint32_t)number;
    return STATUS_OK;
}

static enum status read_numbers(struct trace_settings *s, get_env_function *get_env, struct error *err)
{
    char name[64];
    const char *timeout = exporter_value(get_env, "TIMEOUT", name);
    const struct {
        const char *name, *value;
        uint32_t least;
        uint32_t *ret;
    } rows[] = {
        {name, timeout, 1, &s->timeout_ms},
        {"OTEL_BSP_SCHEDULE_DELAY", value_of(get_env, "OTEL_BSP_SCHEDULE_DELAY"), 1, &s->delay_ms},
        {"OTEL_BSP_MAX_QUEUE_SIZE", value_of(get_env, "OTEL_BSP_MAX_QUEUE_SIZE"), 1, &s->max_queue},
        {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", value_of(get_env, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"), 1, &s->max_batch},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum status status = read_number(rows[i].name, rows[i].value, rows[i].least, rows[i].ret, err);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status read_sampler(struct trace_settings *s, get_env_function *get_env, struct error *err)
{
    static const char parent[] = "parentbased_";
    static const char *const words[] = {
        [TRACE_ALL] = "always_on", [TRACE_NONE] = "always_off", [TRACE_RATIO] = "traceidratio"};
    const char *text = value_of(get_env, "OTEL_TRACES_SAMPLER"), *given = text;
    const char *argument = value_of(get_env, "OTEL_TRACES_SAMPLER_ARG");
    s->parent_based = true;
    s->ratio = 1;
    if (!text)
        return STATUS_OK;
    s->parent_based = strncmp(text, parent, sizeof parent - 1) == 0;
    text += s->parent_based ? sizeof parent - 1 : 0;
    size_t i = 0;
    while (i < sizeof words / sizeof *words && strcmp(text, words[i]) != 0)
        i++;
    if (i == sizeof words / sizeof *words)
        return error_set(err, STATUS_USAGE,
                         "OTEL_TRACES_SAMPLER: \"%.40s\" is not always_on, always_off, traceidratio, or one of these "
                         "behind parentbased_",
                         given);
    s->sampler = (enum trace_sampler)i;
    char *end = NULL;
    if (s->sampler == TRACE_RATIO && argument)
        s->ratio = strtod(argument, &end);
    if (end && (*end || !(s->ratio >= 0 && s->ratio <= 1)))
        return error_set(err, STATUS_USAGE, "OTEL_TRACES_SAMPLER_ARG: \"%.40s\" is not a number from 0 to 1", argument);
    return STATUS_OK;
}

/* Undo %XX, and leave out white space around it. */
static bool decode(char *to, const char *text, size_t len)
{
    while (len > 0 && (*text == ' ' || *text == '\t'))
        text++, len--;
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    if (len >= MAX_WORD)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        int byte = base_hex_escape(text + i, len - i);
        if (byte >= 0) {
            c = (char)byte;
            i += 2;
        }
        if ((unsigned char)c < ' ' || c == 0x7F)
            return false;
        *to++ = c;
    }
    *to = '\0';
    return true;
}

/* Takes one "name=value" of a list. */
typedef bool take_pair(struct trace_settings *s, json_t *attributes, const char *name, const char *value);

static enum status read_pairs(struct trace_settings *s, json_t *attributes, const char *variable, const char *list,
                              take_pair *take, struct error *err)
{
    char name[MAX_WORD], value[MAX_WORD];
    while (list && *list) {
        size_t len = strcspn(list, ","), equals = strcspn(list, "=");
        bool blank = strspn(list, " \t") >= len;
        if (!blank && (equals >= len || !decode(name, list, equals) ||
                       !decode(value, list + equals + 1, len - equals - 1) || !*name))
            return error_set(err, STATUS_USAGE, "%s: expected name=value, with commas between", variable);
        if (!blank && !take(s, attributes, name, value))
            return error_set(err, STATUS_USAGE, "%s: a name or value in it cannot be sent", variable);
        list += len + (list[len] == ',');
    }
    return STATUS_OK;
}

static bool add_header(struct trace_settings *s, const char *line)
{
    struct curl_slist *longer = curl_slist_append(s->headers, line);
    s->headers = longer ? longer : s->headers;
    return longer != NULL;
}

static bool take_header(struct trace_settings *s, json_t *attributes, const char *name, const char *value)
{
    char line[2 * MAX_WORD];
    (void)attributes;
    if (strpbrk(name, " :\t\"(),/;<=>?@[\\]{}"))
        return false;
    snprintf(line, sizeof line, *value ? "%s: %s" : "%s;", name, value); /* a header without a value ends so */
    return add_header(s, line);
}

static bool put_attribute(json_t *attributes, const char *name, json_t *string)
{
    json_t *attribute = json_pack("{s:s, s:{s:o}}", "key", name, "value", "stringValue", string);
    return attribute && json_array_append_new(attributes, attribute) == 0;
}

/* The service's name and version have been said before. */
static bool take_attribute(struct trace_settings *s, json_t *attributes, const char *name, const char *value)
{
    (void)s;
    if (strcmp(name, "service.name") == 0 || strcmp(name, "service.version") == 0)
        return true;
    json_t *string = json_string(value);
    return string && put_attribute(attributes, name, string);
}

static bool find_service(struct trace_settings *s, json_t *attributes, const char *name, const char *value)
{
    (void)s;
    if (strcmp(name, "service.name") == 0)
        return json_string_set(json_object_get(json_object_get(json_array_get(attributes, 0), "value"), "stringValue"),
                               value) == 0;
    return true;
}

/* OTEL_SERVICE_NAME, else service.name of OTEL_RESOURCE_ATTRIBUTES, else bertd. */
static enum status read_resource(struct trace_settings *s, const char *version, get_env_function *get_env,
                                 struct error *err)
{
    static const char variable[] = "OTEL_RESOURCE_ATTRIBUTES";
    const char *list = value_of(get_env, variable), *service = value_of(get_env, "OTEL_SERVICE_NAME");
    json_t *attributes = json_array();
    json_t *name = json_string(service ? service : "bertd");
    if (!name) {
        json_decref(attributes);
        return error_set(err, STATUS_USAGE, "OTEL_SERVICE_NAME: it is not UTF-8");
    }
    bool made = put_attribute(attributes, "service.name", name) &&
                put_attribute(attributes, "service.version", json_string(version));
    enum status status = STATUS_OK;
    if (!service)
        status = read_pairs(s, attributes, variable, list, find_service, err);
    if (status == STATUS_OK)
        status = read_pairs(s, attributes, variable, list, take_attribute, err);
    json_t *resource = json_pack("{s:o}", "attributes", attributes);
    char *text = made && resource ? json_dumps(resource, JSON_COMPACT) : NULL;
    s->resource = text ? mem_strdup(text) : NULL;
    free(text);
    json_decref(resource);
    if (status == STATUS_OK && !s->resource)
        return error_set(err, STATUS_NO_MEMORY, "no memory for traces");
    return status;
}

/* The address, NULL where nothing is to be sent. */
static enum status read_endpoint(struct trace_settings *s, get_env_function *get_env, struct error *err)
{
    const char *disabled = value_of(get_env, "OTEL_SDK_DISABLED"),
               *exporter = value_of(get_env, "OTEL_TRACES_EXPORTER");
    const char *own = value_of(get_env, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    const char *base = own ? own : value_of(get_env, "OTEL_EXPORTER_OTLP_ENDPOINT");
    char name[64];
    if (!base || (disabled && strcasecmp(disabled, "true") == 0) || (exporter && strcmp(exporter, "none") == 0))
        return STATUS_OK;
    const char *variable = own ? "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" : "OTEL_EXPORTER_OTLP_ENDPOINT";
    if (strncasecmp(base, "http://", 7) != 0 && strncasecmp(base, "https://", 8) != 0)
        return error_set(err, STATUS_USAGE, "%s: it begins neither with http:// nor with https://", variable);
    const char *protocol = exporter_value(get_env, "PROTOCOL", name);
    if (protocol && strcmp(protocol, "grpc") == 0)
        return error_set(err, STATUS_UNSUPPORTED, "%s: spans are sent by OTLP/HTTP, not by grpc", name);
    size_t len = strlen(base);
    while (!own && len > 0 && base[len - 1] == '/')
        len--;
    size_t size = len + sizeof "/v1/traces";
    s->url = mem_alloc(size);
    if (!s->url)
        return error_set(err, STATUS_NO_MEMORY, "no memory for traces");
    snprintf(s->url, size, "%.*s%s", (int)len, base, own ? "" : "/v1/traces");
    return STATUS_OK;
}

enum status trace_settings_read(struct trace_settings *ret, const char *version, const char *(*get_env)(const char *),
                                struct error *err)
{
    struct trace_settings s = {.timeout_ms = 10000, .delay_ms = 5000, .max_queue = 2048, .max_batch = 512};
    char name[64];
    enum status status = read_endpoint(&s, get_env, err);
    if (status != STATUS_OK || !s.url) {
        if (status == STATUS_OK)
            *ret = s;
        return status;
    }
    const char *certificate = exporter_value(get_env, "CERTIFICATE", name);
    if (certificate && !(s.certificate = mem_strdup(certificate)))
        status = error_set(err, STATUS_NO_MEMORY, "no memory for traces");
    if (status == STATUS_OK)
        status = read_numbers(&s, get_env, err);
    if (status == STATUS_OK)
        status = read_sampler(&s, get_env, err);
    if (status == STATUS_OK)
        status = read_resource(&s, version, get_env, err);
    if (status == STATUS_OK && !(add_header(&s, "Content-Type: application/json") && add_header(&s, "Expect:")))
        status = error_set(err, STATUS_NO_MEMORY, "no memory for traces");
    const char *headers = exporter_value(get_env, "HEADERS", name);
    if (status == STATUS_OK)
        status = read_pairs(&s, NULL, name, headers, take_header, err);
    if (status == STATUS_OK)
        *ret = s;
    else
        trace_settings_finish(&s);
    return status;
}

void trace_settings_finish(struct trace_settings *settings)
{
    mem_free(settings->url);
    mem_free(settings->certificate);
    mem_free(settings->resource);
    curl_slist_free_all(settings->headers);
    *settings = (struct trace_settings){0};
}
