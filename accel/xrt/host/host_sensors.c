#include "accel/xrt/host/host_sensors.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* XRT writes numbers as strings, and "N/A" where there is none. */
static double number_of(const json_t *value)
{
    if (json_is_number(value))
        return json_number_value(value);
    const char *text = json_string_value(value);
    char *end = NULL;
    double number = text ? strtod(text, &end) : 0;
    return text && end != text && *end == '\0' ? number : NAN;
}

/* The hottest place of the FPGA, of those that are there. */
static double temperature_of(const json_t *report)
{
    const json_t *thermals = json_object_get(report, "thermals"), *place;
    double hottest = NAN;
    size_t i;
    json_array_foreach((json_t *)thermals, i, place)
    {
        const char *id = json_string_value(json_object_get(place, "location_id"));
        const char *present = json_string_value(json_object_get(place, "is_present"));
        if (id && strncasecmp(id, "fpga", 4) == 0 && present && strcmp(present, "true") == 0)
            hottest = fmax(hottest, number_of(json_object_get(place, "temp_C")));
    }
    return hottest;
}

static double ecc_of(const json_t *memory)
{
    const json_t *error = json_object_get(json_object_get(json_object_get(memory, "extended_info"), "ecc"), "error");
    double corrected = number_of(json_object_get(json_object_get(error, "correctable"), "count"));
    double others = number_of(json_object_get(json_object_get(error, "uncorrectable"), "count"));
    return corrected + others;
}

static double ecc_errors_of(const json_t *report)
{
    const json_t *board = json_object_get(report, "board"), *memory;
    const json_t *memories = json_object_get(json_object_get(board, "memory"), "memories");
    double sum = NAN;
    size_t i;
    json_array_foreach((json_t *)memories, i, memory)
    {
        double errors = ecc_of(memory);
        if (!isnan(errors))
            sum = isnan(sum) ? errors : sum + errors;
    }
    return sum;
}

void host_sensors_read(struct xrt_sensors *ret, const char *thermal, const char *electrical, const char *memory)
{
    json_t *reports[] = {json_loads(thermal, 0, NULL), json_loads(electrical, 0, NULL), json_loads(memory, 0, NULL)};
    ret->temperature = temperature_of(reports[0]);
    ret->power = number_of(json_object_get(reports[1], "power_consumption_watts"));
    ret->ecc_errors = ecc_errors_of(reports[2]);
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++)
        json_decref(reports[i]);
}
