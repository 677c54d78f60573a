/* Written for the C++ interface, which all releases of XRT document (2.13 to 2.25 were built with): its exceptions have
 * words, and it tells of an xclbin's kernels and of sensors, which the C interface does not. */
#include "accel/xrt/host/host_xrt.h"

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <vector>

#include <jansson.h>

#include <experimental/xrt_system.h>
#include <experimental/xrt_xclbin.h>
#if __has_include(<xrt/version.h>)
#include <xrt/version.h>
#elif __has_include(<xrt/detail/version-slim.h>)
#include <xrt/detail/version-slim.h>
#elif __has_include(<version.h>)
#include <version.h>
#endif
#include <xrt/xrt_bo.h>
#include <xrt/xrt_device.h>
#include <xrt/xrt_kernel.h>

#define _Alignas(n) /* the tables in accel_constants.h are written for C; nothing here reads them */
#include "accel/card/kernel.h"
#undef _Alignas

struct host_card {
    xrt::device device;
    xrt::uuid uuid;
    std::vector<std::string> units; /* "bertd_kernel:{engine_1}" */
    int group;                      /* of memories, that all pointers of all units reach */
};

struct host_buffer {
    xrt::bo bo;
};

struct host_unit {
    xrt::kernel kernel;
    xrt::run run;
};

namespace
{

const char *const KERNEL = CARD_KERNEL_NAME;

uint64_t size_of(const struct card_arg &argument)
{
    return argument.pointer ? 8 : 4;
}

/* What was caught, as a status; `doing` says what failed. */
enum status caught(struct error *err, enum status status, const std::string &doing)
{
    try {
        throw;
    } catch (const std::bad_alloc &) {
        return error_set(err, STATUS_NO_MEMORY, "%s: no memory", doing.c_str());
    } catch (const std::system_error &e) {
        const char *hint =
            e.code().value() == EBUSY ? ": the card is busy with another xclbin, or reserved. Whoever "
                                        "uses it must end first (xrt-smi examine tells)"
            : e.code().value() == EACCES || e.code().value() == EPERM
                ? ": perhaps this user may not use the card (/dev/dri/renderD*; in a container: --device)"
                : "";
        return error_set(err, status, "%s: %s%s", doing.c_str(), e.what(), hint);
    } catch (const std::exception &e) {
        return error_set(err, status, "%s: %s", doing.c_str(), e.what());
    } catch (...) {
        return error_set(err, status, "%s", doing.c_str());
    }
}

bool is_emulated()
{
    return getenv("XCL_EMULATION_MODE") != nullptr;
}

/* Where there is no device process to start, XRT goes on in two processes. */
enum status check_emulation(struct error *err)
{
    const char *root = getenv("XILINX_VITIS");
    std::string program =
        (root ? root : "") + std::string("/data/emulation/unified/cpu_em/generic_pcie/model/genericpciemodel");
    if (!is_emulated() || access(program.c_str(), X_OK) == 0)
        return STATUS_OK;
    return error_set(err, STATUS_USAGE,
                     "XILINX_VITIS is %s, and there is no %s: the device process of an emulated card (deploy/xrt-emu "
                     "lays it out)",
                     root ? root : "not set", program.c_str());
}

/* XRT 2.13 ends the process where it does not find its driver's library below $XILINX_XRT. 2.16 and later look beside
 * their own library too, and say what is missing. */
enum status check_environment(struct error *err)
{
#if defined(XRT_VERSION_CODE) && XRT_VERSION_CODE < XRT_VERSION(2, 16)
    const char *root = getenv("XILINX_XRT");
    if (!root || !*root)
        return error_set(err, STATUS_USAGE,
                         "XILINX_XRT is not set in the environment: it names the folder of XRT, which has "
                         "lib/libxrt_core.so.2 in it (source its setup.sh)");
    std::string library = std::string(root) + "/lib/libxrt_core.so.2";
    if (access(library.c_str(), R_OK) != 0)
        return error_set(err, STATUS_USAGE, "XILINX_XRT is %s, but there is no %s: XRT is somewhere else", root,
                         library.c_str());
#endif
    return check_emulation(err);
}

std::string names_of(const std::vector<xrt::xclbin::kernel> &kernels)
{
    std::string names;
    for (const auto &kernel : kernels)
        names += (names.empty() ? "" : ", ") + kernel.get_name();
    return names.empty() ? "none" : names;
}

enum status check_kernel(const xrt::xclbin::kernel &kernel, const char *path, struct error *err)
{
    auto found = kernel.get_args();
    if (found.size() != CARD_ARGS)
        return error_set(
            err, STATUS_USAGE,
            "--xclbin %s: %s has %zu arguments, this program writes %d (list, count, record, weights): the xclbin "
            "is of another version of the engine",
            path, KERNEL, found.size(), CARD_ARGS);
    for (int i = 0; i < CARD_ARGS; i++)
        if (found[i].get_name() != card_args[i].name || found[i].get_offset() != card_args[i].offset ||
            found[i].get_size() != size_of(card_args[i]))
            return error_set(
                err, STATUS_USAGE,
                "--xclbin %s: argument %d of %s is %s of %llu bytes at 0x%llx, this program writes %s of %llu bytes "
                "at 0x%llx: the xclbin is of another version of the engine",
                path, i, KERNEL, found[i].get_name().c_str(), (unsigned long long)found[i].get_size(),
                (unsigned long long)found[i].get_offset(), card_args[i].name, (unsigned long long)size_of(card_args[i]),
                (unsigned long long)card_args[i].offset);
    size_t n = kernel.get_cus().size();
    if (n == 0 || n > XRT_MAX_UNITS)
        return error_set(err, STATUS_USAGE, "--xclbin %s: it has %zu compute units of %s; a card has 1 to %d here",
                         path, n, KERNEL, XRT_MAX_UNITS);
    return STATUS_OK;
}

/* XRT follows them without a look. */
bool sections_lie_inside(std::ifstream &file, const struct axlf_header &head)
{
    uint64_t length = head.m_length, first = offsetof(struct axlf, m_sections);
    if (length < first || head.m_numSections > (length - first) / sizeof(struct axlf_section_header))
        return false;
    file.seekg((std::streamoff)first);
    for (uint32_t i = 0; i < head.m_numSections; i++) {
        struct axlf_section_header section;
        if (!file.read((char *)&section, sizeof section) || section.m_sectionOffset > length ||
            section.m_sectionSize > length - section.m_sectionOffset)
            return false;
    }
    return true;
}

/* What XRT would take for an xclbin without a look. A pipe would not even open. */
enum status check_file(const char *path, struct error *err)
{
    struct stat what;
    struct axlf head = {};
    if (stat(path, &what) != 0 || access(path, R_OK) != 0)
        return error_set(err, STATUS_USAGE, "--xclbin %s: %s", path, strerror(errno));
    std::ifstream file;
    if (S_ISREG(what.st_mode))
        file.open(path, std::ios::binary);
    if (!file.is_open() || !file.read((char *)&head, sizeof head) || memcmp(head.m_magic, "xclbin2", 8) != 0)
        return error_set(err, STATUS_USAGE, "--xclbin %s is not an xclbin", path);
    if ((uint64_t)what.st_size < head.m_header.m_length)
        return error_set(err, STATUS_USAGE, "--xclbin %s has %llu bytes of %llu: it is not all there", path,
                         (unsigned long long)what.st_size, (unsigned long long)head.m_header.m_length);
    if (!sections_lie_inside(file, head.m_header))
        return error_set(err, STATUS_USAGE, "--xclbin %s is damaged: it has sections behind its end", path);
    return STATUS_OK;
}

/* The xclbin by itself, before a card is touched. */
enum status read_xclbin(xrt::xclbin &ret, std::vector<std::string> &ret_units, const char *path, struct error *err)
{
    enum status status = check_file(path, err);
    if (status)
        return status;
    try {
        ret = xrt::xclbin{std::string(path)};
        auto kernels = ret.get_kernels();
        for (const auto &kernel : kernels) {
            if (kernel.get_name() != KERNEL)
                continue;
            for (const auto &unit : kernel.get_cus()) { /* "bertd_kernel:engine_1" */
                std::string name = unit.get_name();
                ret_units.push_back(std::string(KERNEL) + ":{" + name.substr(name.find(':') + 1) + "}");
            }
            return check_kernel(kernel, path, err);
        }
        return error_set(err, STATUS_USAGE, "--xclbin %s: its kernel is %s, not %s: it was not built from accel/rtl",
                         path, names_of(kernels).c_str(), KERNEL);
    } catch (...) {
        return caught(err, STATUS_USAGE, std::string("--xclbin ") + path + " is not an xclbin that XRT can read");
    }
}

/* XRT counts no emulated cards, and opens any index: how many are meant is in emconfig.json. */
unsigned emulated_cards()
{
    const char *folder = getenv("EMCONFIG_PATH");
    json_t *root = json_load_file(((folder ? folder : ".") + std::string("/emconfig.json")).c_str(), 0, NULL);
    json_t *boards = json_object_get(json_object_get(root, "Platform"), "Boards");
    json_t *devices = json_object_get(json_array_get(boards, 0), "Devices");
    const char *n = json_string_value(json_object_get(json_array_get(devices, 0), "NumDevices"));
    unsigned number = n ? (unsigned)strtoul(n, NULL, 10) : 0;
    json_decref(root);
    return number;
}

/* XRT itself says little where there is no such card. */
enum status open_device(xrt::device &ret, const char *address, struct error *err)
{
    std::string what = std::string("card ") + address;
    bool is_index = strspn(address, "0123456789") == strlen(address);
    try {
        unsigned n = is_emulated() ? emulated_cards() : xrt::system::enumerate_devices();
        unsigned long index = is_index ? strtoul(address, NULL, 10) : 0;
        if (n == 0)
            return error_set(err, STATUS_BACKEND,
                             "%s: XRT sees no card. Is its driver loaded, and may this user use it (/dev/dri/renderD*; "
                             "in a container: --device)?",
                             what.c_str());
        if (is_index && index >= n)
            return error_set(err, STATUS_BACKEND, "%s: XRT sees %u card%s, the last is %u", what.c_str(), n,
                             n == 1 ? "" : "s", n - 1);
        ret = is_index ? xrt::device((unsigned)index) : xrt::device(std::string(address));
        return STATUS_OK;
    } catch (const std::runtime_error &e) {
        if (strncmp(e.what(), "No such library", strlen("No such library")) == 0)
            return error_set(err, STATUS_USAGE,
                             "%s: XRT does not find the library of its driver (%s): it is not installed as a whole, or "
                             "XILINX_XRT names another place",
                             what.c_str(), e.what());
        return caught(err, STATUS_BACKEND, what + " does not open");
    } catch (...) {
        return caught(err, STATUS_BACKEND, what + " does not open");
    }
}

std::string name_of(const xrt::device &device)
{
    try {
        return device.get_info<xrt::info::device::name>();
    } catch (...) {
        return "";
    }
}

std::string bdf_of(const xrt::device &device)
{
    try {
        return device.get_info<xrt::info::device::bdf>();
    } catch (...) {
        return "";
    }
}

/* On a card the driver compares the platforms' UUIDs when the xclbin is loaded; nobody does in emulation. */
enum status check_platform(const xrt::device &device, const xrt::xclbin &xclbin, const char *path, struct error *err)
{
    std::string there = name_of(device), meant = xclbin.get_xsa_name();
    if (!is_emulated() || there.empty() || there == meant)
        return STATUS_OK;
    return error_set(err, STATUS_USAGE, "--xclbin %s was built for the platform %s; the card has %s", path,
                     meant.c_str(), there.c_str());
}

enum status load(host_card &card, const xrt::xclbin &xclbin, const char *path, struct error *err)
{
    try {
        card.uuid = card.device.load_xclbin(xclbin);
        return STATUS_OK;
    } catch (...) {
        return caught(err, STATUS_BACKEND,
                      std::string("--xclbin ") + path + " (for " + xclbin.get_xsa_name() +
                          ") does not load on the card (" + name_of(card.device) + ")");
    }
}

/* A model is there once for all units, and what one port writes the other reads. */
enum status find_group(host_card &card, struct error *err)
{
    try {
        card.group = xrt::kernel(card.device, card.uuid, card.units[0]).group_id(CARD_ARG_WEIGHTS);
        for (const std::string &unit : card.units) {
            xrt::kernel kernel(card.device, card.uuid, unit);
            for (int argument : {CARD_ARG_LIST, CARD_ARG_RECORD, CARD_ARG_WEIGHTS})
                if (kernel.group_id(argument) != card.group)
                    return error_set(err, STATUS_USAGE,
                                     "%s: its argument %s is in other memories than the weights of %s: link all to the "
                                     "same ones (sp= in accel/rtl/syn/vitis/cards)",
                                     unit.c_str(), card_args[argument].name, card.units[0].c_str());
        }
        return STATUS_OK;
    } catch (...) {
        return caught(err, STATUS_BACKEND, "a compute unit of the card does not open");
    }
}

void tell(struct xrt_hello *hello, const host_card &card)
{
    hello->n_units = (uint32_t)card.units.size();
    snprintf(hello->name, sizeof hello->name, "%s", name_of(card.device).c_str());
    snprintf(hello->bdf, sizeof hello->bdf, "%s", bdf_of(card.device).c_str());
    snprintf(hello->xclbin, sizeof hello->xclbin, "%s", card.uuid.to_string().c_str());
#ifdef XRT_DRIVER_VERSION
    snprintf(hello->xrt, sizeof hello->xrt, "%.*s", (int)strcspn(XRT_DRIVER_VERSION, ","), XRT_DRIVER_VERSION);
#endif
}

} // namespace

enum status host_card_open(struct host_card **ret, const char *address, const char *xclbin, struct xrt_hello *hello,
                           struct error *err)
{
    auto card = std::make_unique<host_card>();
    xrt::xclbin image;
    enum status status = check_environment(err);
    if (!status)
        status = read_xclbin(image, card->units, xclbin, err);
    if (!status)
        status = open_device(card->device, address, err);
    if (!status)
        status = check_platform(card->device, image, xclbin, err);
    if (!status)
        status = load(*card, image, xclbin, err);
    if (!status)
        status = find_group(*card, err);
    if (status)
        return status;
    tell(hello, *card);
    *ret = card.release();
    return STATUS_OK;
}

void host_card_close(struct host_card **card)
{
    delete *card;
    *card = nullptr;
}

template <xrt::info::device what> static void sensor(struct host_card *card, char *ret, size_t size)
{
    ret[0] = '\0';
    try {
        std::string text = card->device.get_info<what>();
        if (text.size() < size)
            memcpy(ret, text.c_str(), text.size() + 1);
    } catch (...) { /* most cards do not tell all, and an emulated one nothing */
    }
}

void host_card_sensors(struct host_card *card, char *thermal, char *electrical, char *memory, size_t size)
{
    sensor<xrt::info::device::thermal>(card, thermal, size);
    sensor<xrt::info::device::electrical>(card, electrical, size);
    sensor<xrt::info::device::memory>(card, memory, size);
}

double host_card_clock(struct host_card *card)
{
    try {
        return (double)card->device.get_info<xrt::info::device::max_clock_frequency_mhz>();
    } catch (...) {
        return NAN;
    }
}

enum status host_buffer_create(struct host_buffer **ret, struct host_card *card, void *memory, size_t size,
                               struct error *err)
{
    try {
        *ret = new host_buffer{xrt::bo(card->device, memory, size, (xrt::memory_group)card->group)};
        return STATUS_OK;
    } catch (...) {
        return caught(err, STATUS_BACKEND,
                      "the card's memory (group " + std::to_string(card->group) + ") has no space for " +
                          std::to_string(size) + " bytes: a smaller model, fewer compute units, or a larger memory");
    }
}

enum status host_buffer_part(struct host_buffer **ret, struct host_buffer *whole, size_t begin, size_t size,
                             struct error *err)
{
    try {
        *ret = new host_buffer{xrt::bo(whole->bo, size, begin)};
        return STATUS_OK;
    } catch (...) {
        return caught(err, STATUS_BACKEND, "a part of a buffer of the card");
    }
}

void host_buffer_free(struct host_buffer **buffer)
{
    delete *buffer;
    *buffer = nullptr;
}

uint64_t host_buffer_address(const struct host_buffer *buffer)
{
    return buffer->bo.address();
}

static enum status copy(struct host_buffer *buffer, xclBOSyncDirection direction, size_t begin, size_t size,
                        struct error *err)
{
    try {
        buffer->bo.sync(direction, size, begin);
        return STATUS_OK;
    } catch (...) {
        return caught(err, STATUS_IO,
                      direction == XCL_BO_SYNC_BO_TO_DEVICE ? "a transfer to the card" : "a transfer from the card");
    }
}

enum status host_buffer_send(struct host_buffer *buffer, size_t begin, size_t size, struct error *err)
{
    return copy(buffer, XCL_BO_SYNC_BO_TO_DEVICE, begin, size, err);
}

enum status host_buffer_fetch(struct host_buffer *buffer, size_t begin, size_t size, struct error *err)
{
    return copy(buffer, XCL_BO_SYNC_BO_FROM_DEVICE, begin, size, err);
}

enum status host_unit_open(struct host_unit **ret, struct host_card *card, uint32_t unit, struct error *err)
{
    try {
        xrt::kernel kernel(card->device, card->uuid, card->units.at(unit));
        xrt::run run(kernel);
        run.set_arg(CARD_ARG_COUNT, (uint32_t)1);
        *ret = new host_unit{std::move(kernel), std::move(run)};
        return STATUS_OK;
    } catch (...) {
        return caught(err, STATUS_BACKEND, "compute unit " + std::to_string(unit) + " does not open");
    }
}

void host_unit_close(struct host_unit **unit)
{
    delete *unit;
    *unit = nullptr;
}

enum status host_unit_start(struct host_unit *unit, const struct host_buffer *list, const struct host_buffer *record,
                            const struct host_buffer *weights, struct error *err)
{
    try {
        unit->run.set_arg(CARD_ARG_LIST, list->bo);
        unit->run.set_arg(CARD_ARG_RECORD, record->bo);
        unit->run.set_arg(CARD_ARG_WEIGHTS, weights->bo);
        unit->run.start();
        return STATUS_OK;
    } catch (...) {
        return caught(err, STATUS_IO, "the start of a list");
    }
}

enum status host_unit_wait(struct host_unit *unit, struct error *err)
{
    try {
        auto state = unit->run.wait();
        return state == ERT_CMD_STATE_COMPLETED
                   ? STATUS_OK
                   : error_set(err, STATUS_IO, "XRT says of a list that it ended in state %d, not as completed",
                               (int)state);
    } catch (...) {
        return caught(err, STATUS_IO, "the end of a list");
    }
}
