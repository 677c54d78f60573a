#include "accel/device/session.h"

#include <stdio.h>
#include <string.h>

#include "accel/device/config.h"
#include "accel/device/memory.h"
#include "accel/device/unit.h"
#include "base/file.h"
#include "base/mem.h"
#include "xrt_emulation.pb-c.h"

/* Where the host names no banks. */
#define DEFAULT_MEMORY ((uint64_t)16 << 30)

struct buffer {
    uint64_t address, size;
};

struct device_session {
    struct device_control *control;
    struct device_memory *memory; /* NULL: no xclbin yet */
    struct device_config config;
    struct device_unit *units[DEVICE_MAX_UNITS];
    struct buffer *buffers; /* [n_buffers], of which there is room for room_for */
    size_t n_buffers, room_for;
    bool wants_files; /* a shim that maps buffers from a file */
    bool over;
    struct error refusal;
};

enum status device_session_create(struct device_session **ret, struct device_control *control, struct error *err)
{
    struct device_session *session = mem_calloc(1, sizeof *session);
    if (!session)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a session");
    session->control = control;
    *ret = session;
    return STATUS_OK;
}

static void unload(struct device_session *session)
{
    for (size_t i = 0; i < DEVICE_MAX_UNITS; i++)
        device_unit_destroy(&session->units[i]);
    device_memory_destroy(&session->memory);
    device_control_add(session->control, DEVICE_COUNT_BUFFERS_LEFT, session->n_buffers);
    session->n_buffers = 0;
    if (session->control)
        atomic_store(&session->control->counts[DEVICE_COUNT_BYTES_ALLOCATED], 0);
}

void device_session_destroy(struct device_session **session)
{
    if (!*session)
        return;
    unload(*session);
    mem_free((*session)->buffers);
    mem_free(*session);
    *session = NULL;
}

const char *device_session_refusal(const struct device_session *session)
{
    return session->refusal.message;
}

/* Answers --------------------------------------------------------------------------------------------------------- */

static enum status put_message(struct buf *answer, const ProtobufCMessage *message, struct error *err)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    char *at = buf_reserve(answer, size);
    if (!at)
        return error_set(err, STATUS_NO_MEMORY, "no memory for an answer of %zu bytes", size);
    answer->len += protobuf_c_message_pack(message, (uint8_t *)at);
    return STATUS_OK;
}

static enum status put_ok(struct buf *answer, bool ok, struct error *err)
{
    XrtEmulation__Answer message = XRT_EMULATION__ANSWER__INIT;
    message.ok = ok;
    return put_message(answer, &message.base, err);
}

static enum status refuse(struct device_session *session, struct buf *answer, const char *what, uint64_t address,
                          uint64_t size, struct error *err)
{
    error_set(&session->refusal, STATUS_BACKEND, "%s at %#llx, %llu bytes: %s", what, (unsigned long long)address,
              (unsigned long long)size,
              session->memory ? "outside of what the card has" : "there is no xclbin on the card");
    return put_ok(answer, false, err);
}

/* The xclbin ------------------------------------------------------------------------------------------------------ */

static enum status read_config(struct device_session *session, const XrtEmulation__LoadBitstreamRequest *request)
{
    char path[FILE_MAX_PATH];
    struct file_map file;
    if (request->bitstream_path.len >= sizeof path)
        return error_set(&session->refusal, STATUS_IO, "the path of the bitstream is too long");
    memcpy(path, request->bitstream_path.data, request->bitstream_path.len);
    path[request->bitstream_path.len] = 0;
    enum status status = file_map(&file, path, &session->refusal);
    if (status)
        return status;
    status = device_config_parse(&session->config, file.data, file.size, &session->refusal);
    file_unmap(&file);
    return status;
}

static enum status load(struct device_session *session, const XrtEmulation__LoadBitstreamRequest *request)
{
    uint64_t size = 0;
    for (size_t i = 0; i < request->n_banks; i++) {
        if (request->banks[i]->size > DEVICE_MAX_MEMORY - size)
            return error_set(&session->refusal, STATUS_UNSUPPORTED, "a card has up to %llu bytes of memory",
                             (unsigned long long)DEVICE_MAX_MEMORY);
        size += request->banks[i]->size;
    }
    unload(session);
    enum status status = read_config(session, request);
    if (!status)
        status = device_memory_create(&session->memory, size ? size : DEFAULT_MEMORY, &session->refusal);
    for (uint32_t i = 0; !status && i < session->config.units; i++)
        status = device_unit_create(&session->units[i], &session->config, session->memory, session->control,
                                    &session->refusal);
    if (status)
        unload(session);
    return status;
}

static enum status answer_load(struct device_session *session, const void *message, struct buf *answer,
                               struct error *err)
{
    device_control_add(session->control, DEVICE_COUNT_LOADS, 1);
    bool refused = device_control_take(session->control, DEVICE_FAULT_REFUSE, NULL);
    if (refused)
        error_set(&session->refusal, STATUS_BACKEND, "the xclbin is refused, as a fault was asked for");
    return put_ok(answer, !refused && load(session, message) == STATUS_OK, err);
}

/* Buffers --------------------------------------------------------------------------------------------------------- */

static bool note_buffer(struct device_session *session, uint64_t address, uint64_t size)
{
    if (session->n_buffers == session->room_for) {
        size_t room = session->room_for ? 2 * session->room_for : 16;
        struct buffer *more = mem_realloc(session->buffers, room * sizeof *more);
        if (!more)
            return false;
        session->buffers = more;
        session->room_for = room;
    }
    session->buffers[session->n_buffers++] = (struct buffer){address, size};
    return true;
}

static enum status answer_alloc(struct device_session *session, const void *message, struct buf *answer,
                                struct error *err)
{
    const XrtEmulation__AllocRequest *request = message;
    XrtEmulation__AllocAnswer reply = XRT_EMULATION__ALLOC_ANSWER__INIT;
    if (!session->memory || !device_memory_at(session->memory, request->address, request->size))
        return refuse(session, answer, "a buffer", request->address, request->size, err);
    if (!note_buffer(session, request->address, request->size))
        return error_set(err, STATUS_NO_MEMORY, "no memory for a buffer more");
    device_control_add(session->control, DEVICE_COUNT_BUFFERS_ALLOCATED, 1);
    device_control_add(session->control, DEVICE_COUNT_BYTES_ALLOCATED, request->size);
    reply.ok = true;
    if (session->wants_files && request->needs_file)
        reply.file = (char *)device_memory_host_file(session->memory);
    return put_message(answer, &reply.base, err);
}

static enum status answer_free(struct device_session *session, const void *message, struct buf *answer,
                               struct error *err)
{
    const XrtEmulation__FreeRequest *request = message;
    size_t i = 0;
    while (i < session->n_buffers && session->buffers[i].address != request->address)
        i++;
    if (i == session->n_buffers)
        return refuse(session, answer, "no buffer", request->address, 0, err);
    const struct buffer freed = session->buffers[i];
    session->buffers[i] = session->buffers[--session->n_buffers];
    device_memory_forget(session->memory, freed.address, freed.size);
    device_control_add(session->control, DEVICE_COUNT_BUFFERS_FREED, 1);
    device_control_add(session->control, DEVICE_COUNT_BYTES_ALLOCATED, -freed.size);
    return put_ok(answer, true, err);
}

/* Transfers ------------------------------------------------------------------------------------------------------- */

/* Whether a bit of a transfer of so many bytes flips. */
static bool is_corrupted(struct device_session *session, enum device_fault fault, uint64_t size)
{
    return session->control && size > 0 && size >= atomic_load(&session->control->faults[fault].value) &&
           device_control_take(session->control, fault, NULL);
}

static enum status answer_write(struct device_session *session, const void *message, struct buf *answer,
                                struct error *err)
{
    const XrtEmulation__WriteMemoryRequest *request = message;
    XrtEmulation__TransferAnswer reply = XRT_EMULATION__TRANSFER_ANSWER__INIT;
    const size_t size = request->data.len;
    char *at = session->memory ? device_memory_at(session->memory, request->address, size) : NULL;
    if (!at || request->size != size)
        return refuse(session, answer, "a transfer to the card", request->address, request->size, err);
    if (size > 0) {
        memcpy(at, request->data.data, size);
        if (is_corrupted(session, DEVICE_FAULT_CORRUPT_IN, size))
            at[size / 2] ^= 1 << 4;
        device_memory_written(session->memory, request->address, size);
    }
    device_control_add(session->control, DEVICE_COUNT_TRANSFERS_IN, 1);
    device_control_add(session->control, DEVICE_COUNT_BYTES_IN, size);
    reply.size = size;
    return put_message(answer, &reply.base, err);
}

static enum status answer_read(struct device_session *session, const void *message, struct buf *answer,
                               struct error *err)
{
    const XrtEmulation__ReadMemoryRequest *request = message;
    XrtEmulation__TransferAnswer reply = XRT_EMULATION__TRANSFER_ANSWER__INIT;
    const uint64_t size = request->size;
    void *at = session->memory ? device_memory_at(session->memory, request->address, size) : NULL;
    if (!at || size > DEVICE_MAX_TRANSFER)
        return refuse(session, answer, "a transfer from the card", request->address, size, err);
    reply.size = size;
    reply.has_data = true;
    reply.data = (ProtobufCBinaryData){size, at};
    enum status status = put_message(answer, &reply.base, err);
    if (status)
        return status;
    if (is_corrupted(session, DEVICE_FAULT_CORRUPT_OUT, size)) /* the data come last */
        answer->data[answer->len - size + size / 2] ^= 1 << 4;
    device_control_add(session->control, DEVICE_COUNT_TRANSFERS_OUT, 1);
    device_control_add(session->control, DEVICE_COUNT_BYTES_OUT, size);
    return STATUS_OK;
}

/* Registers ------------------------------------------------------------------------------------------------------- */

static struct device_unit *unit_at(struct device_session *session, uint64_t address)
{
    uint64_t index = (address - DEVICE_UNIT_BASE) / DEVICE_UNIT_SIZE;
    return address >= DEVICE_UNIT_BASE && index < DEVICE_MAX_UNITS ? session->units[index] : NULL;
}

static enum status write_registers(struct device_session *session, uint64_t address, const ProtobufCBinaryData *data,
                                   struct buf *answer, struct error *err)
{
    struct device_unit *unit = unit_at(session, address);
    const uint32_t offset = (uint32_t)(address % DEVICE_UNIT_SIZE);
    if (!unit || data->len > DEVICE_MAX_REGISTERS)
        return refuse(session, answer, "registers", address, data->len, err);
    for (size_t i = 0; i + sizeof(uint32_t) <= data->len; i += sizeof(uint32_t)) {
        uint32_t value;
        memcpy(&value, data->data + i, sizeof value);
        device_unit_write(unit, offset + (uint32_t)i, value);
    }
    device_control_add(session->control, DEVICE_COUNT_REGISTER_WRITES, 1);
    return put_ok(answer, true, err);
}

static enum status read_registers(struct device_session *session, uint64_t address, uint32_t size, struct buf *answer,
                                  struct error *err)
{
    struct device_unit *unit = unit_at(session, address);
    XrtEmulation__RegisterAnswer reply = XRT_EMULATION__REGISTER_ANSWER__INIT;
    uint32_t values[DEVICE_MAX_REGISTERS / sizeof(uint32_t)];
    if (!unit || size > DEVICE_MAX_REGISTERS || size % sizeof(uint32_t))
        return refuse(session, answer, "registers", address, size, err);
    for (uint32_t i = 0; i < size / sizeof(uint32_t); i++)
        values[i] = device_unit_read(unit, (uint32_t)(address % DEVICE_UNIT_SIZE) + i * (uint32_t)sizeof(uint32_t));
    device_control_add(session->control, DEVICE_COUNT_REGISTER_READS, 1);
    reply.ok = true;
    reply.has_data = true;
    reply.data = (ProtobufCBinaryData){size, (uint8_t *)values};
    return put_message(answer, &reply.base, err);
}

static enum status answer_write_unit(struct device_session *session, const void *message, struct buf *answer,
                                     struct error *err)
{
    const XrtEmulation__WriteUnitRequest *request = message;
    return write_registers(session, request->address, &request->data, answer, err);
}

static enum status answer_read_unit(struct device_session *session, const void *message, struct buf *answer,
                                    struct error *err)
{
    const XrtEmulation__ReadUnitRequest *request = message;
    return read_registers(session, request->address, request->size, answer, err);
}

static enum status answer_write_register(struct device_session *session, const void *message, struct buf *answer,
                                         struct error *err)
{
    const XrtEmulation__WriteRegisterRequest *request = message;
    return write_registers(session, request->begin + request->offset, &request->data, answer, err);
}

static enum status answer_read_register(struct device_session *session, const void *message, struct buf *answer,
                                        struct error *err)
{
    const XrtEmulation__ReadRegisterRequest *request = message;
    return read_registers(session, request->begin + request->offset, sizeof(uint32_t), answer, err);
}

/* Calls ----------------------------------------------------------------------------------------------------------- */

static enum status answer_close(struct device_session *session, const void *message, struct buf *answer,
                                struct error *err)
{
    const XrtEmulation__CloseRequest *request = message;
    session->over = request->for_good;
    return put_ok(answer, true, err);
}

static enum status answer_version(struct device_session *session, const void *message, struct buf *answer,
                                  struct error *err)
{
    (void)message;
    session->wants_files = true;
    return put_ok(answer, true, err);
}

static enum status acknowledge(struct device_session *session, const void *message, struct buf *answer,
                               struct error *err)
{
    (void)session;
    (void)message;
    return put_ok(answer, true, err);
}

struct handler {
    enum device_call call;
    const ProtobufCMessageDescriptor *request; /* NULL: it is not read */
    enum status (*answer)(struct device_session *session, const void *message, struct buf *answer, struct error *err);
};

static const struct handler handlers[] = {
    {DEVICE_CLOSE, &xrt_emulation__close_request__descriptor, answer_close},
    {DEVICE_LOAD, &xrt_emulation__load_bitstream_request__descriptor, answer_load},
    {DEVICE_ALLOC, &xrt_emulation__alloc_request__descriptor, answer_alloc},
    {DEVICE_FREE, &xrt_emulation__free_request__descriptor, answer_free},
    {DEVICE_WRITE_MEMORY, &xrt_emulation__write_memory_request__descriptor, answer_write},
    {DEVICE_READ_MEMORY, &xrt_emulation__read_memory_request__descriptor, answer_read},
    {DEVICE_WRITE_UNIT, &xrt_emulation__write_unit_request__descriptor, answer_write_unit},
    {DEVICE_READ_UNIT, &xrt_emulation__read_unit_request__descriptor, answer_read_unit},
    {DEVICE_WRITE_REGISTER, &xrt_emulation__write_register_request__descriptor, answer_write_register},
    {DEVICE_READ_REGISTER, &xrt_emulation__read_register_request__descriptor, answer_read_register},
    {DEVICE_VERSION, NULL, answer_version},
};

static const struct handler *handler_of(uint32_t call)
{
    static const struct handler other = {.answer = acknowledge};
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
        if (handlers[i].call == call)
            return &handlers[i];
    return &other;
}

enum status device_session_answer(struct device_session *session, uint32_t call, const void *body, size_t size,
                                  struct buf *answer, bool *ret_over, struct error *err)
{
    const struct handler *handler = handler_of(call);
    ProtobufCMessage *message = NULL;
    session->refusal.message[0] = 0;
    device_control_add(session->control, DEVICE_COUNT_CALLS, 1);
    if (handler->request && !(message = protobuf_c_message_unpack(handler->request, NULL, size, body))) {
        device_control_add(session->control, DEVICE_COUNT_BAD_CALLS, 1);
        return error_set(err, STATUS_FORMAT, "call %u: its %zu bytes are no %s", call, size, handler->request->name);
    }
    enum status status = handler->answer(session, message, answer, err);
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
    if (!status)
        *ret_over = session->over;
    return status;
}
