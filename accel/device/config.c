#include "accel/device/config.h"

#include <string.h>

#include "accel_constants.h"
#include "base/json.h"

enum { ROWS = 64, SLICES = 4, MOST = 65535 };

static enum status optional(const json_t *object, const char *field, uint32_t *ret, struct error *err)
{
    return json_object_get(object, field) ? base_json_count(object, field, 0, MOST, ret, err) : STATUS_OK;
}

static enum status read_way(const json_t *object, enum device_way *ret, struct error *err)
{
    const char *word;
    enum status status = base_json_required_text(object, "compute", &word, err);
    if (status)
        return status;
    if (strcmp(word, "cpu") == 0)
        *ret = DEVICE_CPU;
    else if (strcmp(word, "rtl") == 0)
        *ret = DEVICE_RTL;
    else
        return error_set(err, STATUS_FORMAT, "\"compute\" is \"%s\", not \"cpu\" or \"rtl\"", base_json_shown(word));
#ifndef BERTD_RTL
    if (*ret == DEVICE_RTL)
        return error_set(err, STATUS_UNSUPPORTED,
                         "\"compute\" is \"rtl\", but this program is built without the simulated engine: build the "
                         "preset rtl");
#endif
    return STATUS_OK;
}

enum status device_config_parse(struct device_config *ret, const void *text, size_t size, struct error *err)
{
    struct device_config config = {.version = ACCEL_ENGINE_VERSION, .rows = ROWS, .slices = SLICES};
    json_t *object;
    enum status status = base_json_parse(&object, text, size, err);
    if (status)
        return error_prefix(err, status, "the xclbin's bitstream is not that of an emulated card: ");
    status = read_way(object, &config.compute, err);
    if (!status)
        status = base_json_count(object, "units", 1, DEVICE_MAX_UNITS, &config.units, err);
    if (!status)
        status = optional(object, "version", &config.version, err);
    if (!status)
        status = optional(object, "rows", &config.rows, err);
    if (!status)
        status = optional(object, "slices", &config.slices, err);
    json_decref(object);
    if (!status)
        *ret = config;
    return status;
}
