#include "accel/cpu/planes.h"

#include "base/round_up.h"

enum { ALIGN = 64 };

/* Of the planes; the offsets follow them. */
static size_t bytes_of(const struct image_linear *linear)
{
    return (size_t)linear->projections * linear->in * CPU_PLANES;
}

static struct cpu_planes place(const void *bytes, const struct image_linear *linear)
{
    if (!bytes || linear->in % CPU_PLANE_INPUTS != 0)
        return (struct cpu_planes){0};
    return (struct cpu_planes){bytes, (const uint32_t *)((const char *)bytes + bytes_of(linear))};
}

/* The lowest signed byte of a number, which is left without it. */
static int8_t take_byte(uint32_t *number)
{
    const int8_t byte = (int8_t)(uint8_t)(*number & 0xff);
    *number = (*number - (uint32_t)byte) >> 8;
    return byte;
}

void cpu_planes_split(const struct cpu_planes *to, const int32_t *checks, size_t projections, size_t in)
{
    for (size_t p = 0; p < projections; p++, checks += in) {
        int8_t *bytes = (int8_t *)to->bytes + p * in * CPU_PLANES;
        uint32_t sum = 0;
        for (size_t i = 0; i < in; i++) {
            int8_t *at = bytes + i / CPU_PLANE_INPUTS * CPU_PLANE_INPUTS * CPU_PLANES + i % CPU_PLANE_INPUTS;
            uint32_t rest = (uint32_t)checks[i];
            sum += rest;
            for (size_t plane = 0; plane < CPU_PLANES; plane++)
                at[plane * CPU_PLANE_INPUTS] = take_byte(&rest);
        }
        ((uint32_t *)to->offsets)[p] = 128 * sum;
    }
}

/* The section ----------------------------------------------------------------------------------------------------- */

static size_t section_size(const struct image_linear *linear)
{
    return linear->in % CPU_PLANE_INPUTS ? 0
                                         : bytes_of(linear) + round_up(linear->projections * sizeof(uint32_t), ALIGN);
}

static enum status section_fill(void *bytes, const struct image_linear *linear, struct error *err)
{
    (void)err;
    const struct cpu_planes to = place(bytes, linear);
    if (!to.bytes)
        return STATUS_OK;
    for (size_t i = 0; i < ALIGN / sizeof *to.offsets; i++) /* what lies behind the last too */
        ((uint32_t *)to.offsets)[i] = 0;
    cpu_planes_split(&to, linear->checks, linear->projections, linear->in);
    return STATUS_OK;
}

const struct image_section cpu_planes_section = {section_size, section_fill};

struct cpu_planes cpu_planes_of(const struct image *image, const struct image_linear *linear)
{
    return place(image_section(image, linear, &cpu_planes_section), linear);
}
