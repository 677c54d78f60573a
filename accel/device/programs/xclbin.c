/* bertd-xclbin: an xclbin of the engine for XRT's software emulation, with its kernel as schemas/accel.json and
 * accel/card/kernel.h have it, or wrong in a way that is asked for. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xclbin.h>

#include "accel/card/kernel.h"
#include "accel/device/session.h"
#include "base/buf.h"

#define PLATFORM       "bertd_emulated_card_1"
#define MAX_PLATFORM   64
#define KB_PER_MB      1024u
#define REGISTER_RANGE 0x1000u

enum { MAX_UNITS = 16, SECTIONS = 6, ALIGN = 8, ROWS = 64, SLICES = 4, MEMORY_MB = 16 << 10, CLOCK_MHZ = 300 };

struct options {
    const char *output;
    const char *compute, *kernel, *platform, *without;
    const char *uuid, *interface; /* 32 hexadecimal digits; NULL: of what the file says, of the platform */
    unsigned units, memory_mb, version, rows, slices;
};

static const char usage[] =
    "usage: bertd-xclbin FILE [OPTION VALUE]...\n"
    "\n"
    "Writes an xclbin of bertd's engine for XRT's software emulation (sw_emu), for the device process bertd-card.\n"
    "\n"
    "  --compute cpu|rtl   what computes: the CPU's kernels (default), or the simulated engine\n"
    "  --units N           compute units (1)\n"
    "  --memory MB         of the one memory bank (16384)\n"
    "  --rows N, --slices N, --version N\n"
    "                      the engine that records of lists tell of (64, 4, this one's version)\n"
    "\n"
    "To be wrong on purpose:\n"
    "  --kernel NAME       the kernel's name (bertd_kernel)\n"
    "  --without ARGUMENT  leave out one of list, count, record, weights\n"
    "  --platform NAME     the platform that it is for (" PLATFORM ")\n"
    "  --uuid HEX          of the xclbin, 32 digits (of its contents)\n"
    "  --interface HEX     of the platform, 32 digits (of the platform's name)\n";

static void fail(const char *what, const char *which)
{
    fprintf(stderr, "bertd-xclbin: %s: %s\n", which, what);
    exit(1);
}

/* Sections -------------------------------------------------------------------------------------------------------- */

static void put_memory(struct buf *out, const struct options *o)
{
    struct mem_topology topology = {.m_count = 1};
    topology.m_mem_data[0] =
        (struct mem_data){.m_type = MEM_DDR4, .m_used = 1, .m_size = (uint64_t)o->memory_mb * KB_PER_MB};
    memcpy(topology.m_mem_data[0].m_tag, "bank0", sizeof "bank0");
    buf_append(out, &topology, sizeof topology);
}

static void put_units(struct buf *out, const struct options *o)
{
    struct ip_layout head = {.m_count = (int32_t)o->units};
    buf_append(out, &head, offsetof(struct ip_layout, m_ip_data));
    for (unsigned i = 0; i < o->units; i++) {
        struct ip_data unit = {.m_type = IP_KERNEL,
                               .properties = AP_CTRL_HS << IP_CONTROL_SHIFT,
                               .m_base_address = DEVICE_UNIT_BASE + i * DEVICE_UNIT_SIZE};
        snprintf((char *)unit.m_name, sizeof unit.m_name, "%.24s:%.24s_%u", o->kernel, o->kernel, i + 1);
        buf_append(out, &unit, sizeof unit);
    }
}

static bool has_arg(const struct options *o, size_t i)
{
    return strcmp(card_args[i].name, o->without) != 0;
}

static void put_connectivity(struct buf *out, const struct options *o)
{
    struct connectivity head = {0};
    for (int32_t i = 0; i < CARD_ARGS; i++)
        head.m_count += card_args[i].pointer && has_arg(o, (size_t)i) ? (int32_t)o->units : 0;
    buf_append(out, &head, offsetof(struct connectivity, m_connection));
    for (int32_t unit = 0; unit < (int32_t)o->units; unit++)
        for (int32_t i = 0, id = 0; i < CARD_ARGS; i++) {
            if (!has_arg(o, (size_t)i))
                continue;
            struct connection connection = {.arg_index = id++, .m_ip_layout_index = unit, .mem_data_index = 0};
            if (card_args[i].pointer)
                buf_append(out, &connection, sizeof connection);
        }
}

static void put_arg(struct buf *out, size_t i, unsigned id)
{
    const struct card_arg *arg = &card_args[i];
    const char *port = !arg->pointer ? "S_AXI_CONTROL" : i == CARD_ARG_WEIGHTS ? "M_AXI_WEIGHTS" : "M_AXI_DATA";
    buf_printf(out,
               "<arg name=\"%s\" addressQualifier=\"%d\" id=\"%u\" port=\"%s\" size=\"0x%x\" offset=\"0x%x\" "
               "hostOffset=\"0x0\" hostSize=\"0x%x\" type=\"%s\"/>",
               arg->name, arg->pointer, id, port, arg->pointer ? 8u : 4u, arg->offset, arg->pointer ? 8u : 4u,
               arg->pointer ? "void*" : "uint");
}

static void put_port(struct buf *out, const char *name, const char *mode, const char *range, unsigned width)
{
    buf_printf(out,
               "<port name=\"%s\" mode=\"%s\" range=\"%s\" dataWidth=\"%u\" portType=\"addressable\" base=\"0x0\"/>",
               name, mode, range, width);
}

static void put_metadata(struct buf *out, const struct options *o)
{
    buf_printf(out,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?><project name=\"bertd\">"
               "<platform vendor=\"bertd\" boardid=\"emulated\" name=\"%s\" featureRomTime=\"0\">"
               "<version major=\"0\" minor=\"1\"/><device name=\"fpga0\" fpgaDevice=\"virtexuplus:xcu280\">"
               "<core name=\"OCL_REGION_0\" target=\"csim\" type=\"clc_region\" clockFreq=\"%dMHz\" "
               "numComputeUnits=\"%u\"><kernelClocks><clock port=\"KERNEL_CLK\" frequency=\"%dMHz\"/></kernelClocks>"
               "<kernel name=\"%s\" language=\"c\" type=\"pl\">",
               o->platform, CLOCK_MHZ, o->units, CLOCK_MHZ, o->kernel);
    put_port(out, "M_AXI_WEIGHTS", "master", "0xFFFFFFFFFFFFFFFF", 512);
    put_port(out, "M_AXI_DATA", "master", "0xFFFFFFFFFFFFFFFF", 512);
    put_port(out, "S_AXI_CONTROL", "slave", "0x1000", 32);
    for (unsigned i = 0, id = 0; i < CARD_ARGS; i++)
        if (has_arg(o, i))
            put_arg(out, i, id++);
    for (unsigned i = 0; i < o->units; i++)
        buf_printf(out,
                   "<instance name=\"%s_%u\"><addrRemap base=\"0x%x\" range=\"0x%x\" port=\"S_AXI_CONTROL\"/>"
                   "</instance>",
                   o->kernel, i + 1, DEVICE_UNIT_BASE + i * DEVICE_UNIT_SIZE, DEVICE_UNIT_SIZE);
    buf_puts(out, "</kernel></core></device></platform></project>\n");
}

static void put_build(struct buf *out, const struct options *o)
{
    (void)o;
    buf_puts(out, "{\"schema_version\": {\"major\": \"1\", \"minor\": \"0\", \"patch\": \"0\"}, \"build_metadata\": "
                  "{\"xclbin\": {\"generated_by\": {\"name\": \"bertd-xclbin\", \"version\": \"2022.1\"}}}}");
}

/* What bertd-card reads (accel/device/config.h). */
static void put_card(struct buf *out, const struct options *o)
{
    buf_printf(out, "{\"compute\": \"%s\", \"units\": %u, \"version\": %u, \"rows\": %u, \"slices\": %u}\n", o->compute,
               o->units, o->version, o->rows, o->slices);
}

static const struct section {
    uint32_t kind;
    const char *name;
    void (*put)(struct buf *out, const struct options *o);
} sections[SECTIONS] = {
    {BITSTREAM, "bitstream", put_card},
    {MEM_TOPOLOGY, "mem_topology", put_memory},
    {IP_LAYOUT, "ip_layout", put_units},
    {CONNECTIVITY, "connectivity", put_connectivity},
    {EMBEDDED_METADATA, "embedded", put_metadata},
    {BUILD_METADATA, "build_md", put_build},
};

/* The file -------------------------------------------------------------------------------------------------------- */

/* 16 bytes of 32 digits. */
static void read_uuid(unsigned char *uuid, const char *digits, const char *option)
{
    if (strlen(digits) != 32 || strspn(digits, "0123456789abcdefABCDEF") != 32)
        fail("32 hexadecimal digits are wanted", option);
    for (size_t i = 0; i < 16; i++)
        sscanf(digits + 2 * i, "%2hhx", &uuid[i]);
}

/* One that is the same for the same bytes (FNV-1a, twice). Never zero, which means none. */
static void make_uuid(unsigned char *uuid, const void *bytes, size_t size)
{
    for (size_t half = 0; half < 2; half++) {
        uint64_t hash = 14695981039346656037u + half;
        for (size_t i = 0; i < size; i++)
            hash = (hash ^ ((const unsigned char *)bytes)[i]) * 1099511628211u;
        hash |= 1;
        memcpy(uuid + 8 * half, &hash, sizeof hash);
    }
}

static void pad(struct buf *out)
{
    static const char zeros[ALIGN];
    buf_append(out, zeros, (ALIGN - out->len % ALIGN) % ALIGN);
}

static struct axlf make_head(const struct options *o)
{
    struct axlf head = {.m_signature_length = -1};
    memcpy(head.m_magic, "xclbin2", sizeof "xclbin2");
    memset(head.reserved, 0xff, sizeof head.reserved);
    head.m_header.m_versionMajor = 2;
    head.m_header.m_versionMinor = 13;
    head.m_header.m_mode = XCLBIN_SW_EMU;
    head.m_header.m_numSections = SECTIONS;
    snprintf((char *)head.m_header.m_platformVBNV, sizeof head.m_header.m_platformVBNV, "%s", o->platform);
    /* rom_uuid in XRT 2.13, m_interface_uuid later: 16 bytes before the platform's name. */
    unsigned char *interface = (unsigned char *)&head.m_header + offsetof(struct axlf_header, m_platformVBNV) - 16;
    if (o->interface)
        read_uuid(interface, o->interface, "--interface");
    else
        make_uuid(interface, o->platform, strlen(o->platform));
    return head;
}

static void put_file(struct buf *out, const struct options *o)
{
    struct axlf head = make_head(o);
    struct axlf_section_header headers[SECTIONS] = {{0}};
    const size_t begin = offsetof(struct axlf, m_sections);
    buf_append(out, &head, begin);
    buf_append(out, headers, sizeof headers);
    for (size_t i = 0; i < SECTIONS; i++) {
        pad(out);
        headers[i].m_sectionKind = sections[i].kind;
        snprintf(headers[i].m_sectionName, sizeof headers[i].m_sectionName, "%s", sections[i].name);
        headers[i].m_sectionOffset = out->len;
        sections[i].put(out, o);
        headers[i].m_sectionSize = out->len - headers[i].m_sectionOffset;
    }
    pad(out);
    if (out->failed)
        fail("no memory for it", o->output);
    head.m_header.m_length = out->len;
    memcpy(out->data + begin, headers, sizeof headers);
    if (o->uuid)
        read_uuid(head.m_header.uuid, o->uuid, "--uuid");
    else
        make_uuid(head.m_header.uuid, out->data, out->len);
    memcpy(out->data, &head, begin);
}

/* Options --------------------------------------------------------------------------------------------------------- */

static unsigned number(const char *option, const char *text, unsigned least, unsigned most)
{
    char *end;
    unsigned long value = strtoul(text, &end, 0);
    if (*end || end == text || value < least || value > most) {
        fprintf(stderr, "bertd-xclbin: %s: a number from %u to %u is wanted\n", option, least, most);
        exit(2);
    }
    return (unsigned)value;
}

static void read_option(struct options *o, const char *option, const char *value)
{
    const struct {
        const char *name;
        const char **text;
        unsigned *number;
        unsigned least, most;
    } known[] = {{"--compute", &o->compute, NULL, 0, 0},
                 {"--kernel", &o->kernel, NULL, 0, 0},
                 {"--platform", &o->platform, NULL, 0, 0},
                 {"--without", &o->without, NULL, 0, 0},
                 {"--uuid", &o->uuid, NULL, 0, 0},
                 {"--interface", &o->interface, NULL, 0, 0},
                 {"--units", NULL, &o->units, 1, MAX_UNITS},
                 {"--memory", NULL, &o->memory_mb, 1, 1 << 20},
                 {"--version", NULL, &o->version, 0, UINT16_MAX},
                 {"--rows", NULL, &o->rows, 0, UINT16_MAX},
                 {"--slices", NULL, &o->slices, 0, UINT16_MAX}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, option) != 0)
            continue;
        if (known[i].text)
            *known[i].text = value;
        else
            *known[i].number = number(option, value, known[i].least, known[i].most);
        return;
    }
    fprintf(stderr, "bertd-xclbin: %s is no option\n%s", option, usage);
    exit(2);
}

static void write_file(const char *path, const struct buf *bytes)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes->data, 1, bytes->len, file) != bytes->len || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    struct options o = {.compute = "cpu",
                        .kernel = CARD_KERNEL_NAME,
                        .platform = PLATFORM,
                        .without = "",
                        .units = 1,
                        .memory_mb = MEMORY_MB,
                        .version = ACCEL_ENGINE_VERSION,
                        .rows = ROWS,
                        .slices = SLICES};
    if (argc < 2 || argc % 2 || argv[1][0] == '-') {
        bool asked = argc == 2 && strcmp(argv[1], "--help") == 0;
        fputs(usage, asked ? stdout : stderr);
        return asked ? 0 : 2;
    }
    o.output = argv[1];
    for (int i = 2; i + 1 < argc; i += 2)
        read_option(&o, argv[i], argv[i + 1]);
    if (strlen(o.platform) >= MAX_PLATFORM)
        fail("a platform's name has up to 63 bytes", "--platform");
    struct buf file = {0};
    put_file(&file, &o);
    write_file(o.output, &file);
    buf_finish(&file);
    return 0;
}
