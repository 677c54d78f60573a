#include "accel/sim/sim_model.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "Vbertd_engine.h"
#include "verilated.h"
#if VM_COVERAGE
#include "verilated_cov.h"
#endif

#define _Alignas(n) /* the tables in accel_constants.h are written for C; nothing here reads them */
#include "accel_constants.h"
#undef _Alignas

namespace
{

constexpr size_t BEAT = 64;
constexpr int RESET_CYCLES = 1;   /* as few as can be: the engine makes more of them */
constexpr int FORGET_CYCLES = 64; /* in which it does: until then registers hold anything, and assertions say nothing */
constexpr int REGISTER_CYCLES = 1000; /* for an answer */

struct random_source {
    uint64_t state;
    bool chance(uint32_t per_mille)
    {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return per_mille && (state >> 33) % 1000 < per_mille;
    }
};

struct written_beat {
    uint64_t address;
    uint64_t strobes;
    std::array<uint8_t, BEAT> bytes;
};

struct burst {
    uint64_t address; /* from the memory's begin on */
    uint32_t beats;
    uint64_t due; /* cycle of the first beat */
    bool bad;
    std::vector<written_beat> written{}; /* not in the memory yet */
};

struct card {
    std::vector<uint8_t> own; /* where nobody brings it */
    uint8_t *memory = nullptr;
    sim_model_options options{};
    random_source random{};
    uint64_t cycle = 0;
    const char *breach = nullptr;
    bool recorded = false; /* of this list */
    uint64_t beats_read = 0, beats_written = 0;

    bool stalled()
    {
        return random.chance(options.stall_per_mille);
    }

    bool holds(uint64_t at, size_t bytes) const
    {
        return at < options.memory && options.memory - at >= bytes;
    }

    burst make(uint64_t address, uint32_t length, bool write)
    {
        uint64_t at = address - options.base;
        burst b{at, length + 1, cycle + options.read_latency + 1, random.chance(options.error_per_mille)};
        if (at % BEAT || at / 4096 != (at + b.beats * BEAT - 1) / 4096)
            breach = "a burst crosses a 4 KiB boundary or is not aligned";
        if (!holds(at, b.beats * BEAT))
            b.bad = true;
        if (options.bad_address - at < b.beats * BEAT && (write ? options.bad_writes : options.bad_reads))
            b.bad = true;
        if (options.late_address - at < b.beats * BEAT)
            b.due += options.late_cycles;
        return b;
    }
};

/* The two ports in the words of their signals. */
struct read_port {
    CData &arvalid, &arready;
    QData &araddr;
    CData &arlen, &rvalid, &rready;
    VlWide<16> &rdata;
    CData &rresp;
    std::deque<burst> bursts{};

    void drive(card &c)
    {
        arready = !c.stalled() && bursts.size() < 32;
        if (rvalid)
            return; /* an offered beat stays */
        rvalid = !bursts.empty() && bursts.front().due <= c.cycle && !c.stalled();
        if (!rvalid)
            return;
        burst &b = bursts.front();
        rresp = b.bad ? 2 : 0;
        if (c.holds(b.address, BEAT))
            std::memcpy(rdata.data(), &c.memory[b.address], BEAT);
    }

    /* After evaluation, before the clock's edge: what moves. */
    void move(card &c, bool &ret_taken)
    {
        ret_taken = rvalid && rready;
        c.beats_read += ret_taken;
        if (arvalid && arready)
            bursts.push_back(c.make(araddr, arlen, false));
    }

    void after(bool taken)
    {
        if (!taken)
            return;
        rvalid = 0;
        burst &b = bursts.front();
        b.address += BEAT;
        if (--b.beats == 0)
            bursts.pop_front();
    }

    void reset()
    {
        bursts.clear();
        rvalid = 0;
        arready = 0;
    }
};

struct write_port {
    CData &awvalid, &awready;
    QData &awaddr;
    CData &awlen, &wvalid, &wready;
    VlWide<16> &wdata;
    QData &wstrb;
    CData &wlast, &bvalid, &bready, &bresp;
    std::deque<burst> bursts{}, answers{};

    void drive(card &c)
    {
        awready = !c.stalled() && bursts.size() < 8;
        wready = !bursts.empty() && !c.stalled();
        if (!bvalid && !answers.empty() && answers.front().due <= c.cycle && !c.stalled()) {
            bvalid = 1;
            bresp = answers.front().bad ? 2 : 0;
        }
    }

    void move(card &c, bool &ret_answered)
    {
        if (wvalid && wready) {
            burst &b = bursts.front();
            if (wlast != (b.beats == 1))
                c.breach = "the last beat of a burst is not marked, or another is";
            b.written.push_back({b.address, wstrb, {}});
            std::memcpy(b.written.back().bytes.data(), wdata.data(), BEAT);
            c.beats_written++;
            b.address += BEAT;
            if (--b.beats == 0) {
                b.due = c.cycle + c.options.read_latency + c.options.answer_latency;
                answers.push_back(std::move(b));
                bursts.pop_front();
            }
        }
        if (awvalid && awready) {
            check_order(c);
            bursts.push_back(c.make(awaddr, awlen, true));
        }
        ret_answered = bvalid && bready;
    }

    bool waits() const
    {
        return !bursts.empty() || !answers.empty();
    }

    /* A record, in one or two bursts, comes when all else is answered, and nothing comes behind it. */
    void check_order(card &c)
    {
        uint64_t record = c.options.record / BEAT * BEAT;
        bool is_record = awaddr - c.options.base - record < ACCEL_RECORD_BYTES;
        if (is_record && !c.recorded && waits())
            c.breach = "the record does not wait for what was written before it";
        if (!is_record && c.recorded)
            c.breach = "something is written behind the record";
        c.recorded |= is_record;
    }

    /* What is written can be read when it is answered, and not before: AXI promises no more. */
    static void store(card &c, const burst &b)
    {
        for (const written_beat &beat : b.written)
            for (size_t i = 0; i < BEAT; i++)
                if (beat.strobes >> i & 1)
                    c.memory[beat.address + i] = beat.bytes[i];
    }

    void after(card &c, bool answered)
    {
        if (!answered)
            return;
        bvalid = 0;
        if (!answers.front().bad)
            store(c, answers.front());
        answers.pop_front();
    }

    void reset()
    {
        bursts.clear();
        answers.clear();
        awready = wready = bvalid = 0;
    }
};

} // namespace

struct sim_model {
    std::unique_ptr<VerilatedContext> context = std::make_unique<VerilatedContext>();
    std::unique_ptr<Vbertd_engine> engine;
    card memory;
    std::unique_ptr<read_port> weights, data;
    std::unique_ptr<write_port> writes;
    int forget = 0; /* cycles since a reset are fewer than FORGET_CYCLES, by so many */

    explicit sim_model(const sim_model_options &options)
    {
        memory.options = options;
        memory.random.state = options.seed;
        if (!options.bytes)
            memory.own.resize(options.memory);
        memory.memory = options.bytes ? (uint8_t *)options.bytes : memory.own.data();
        context->randReset(2); /* registers begin with anything */
        context->randSeed((int)(options.seed % 0x7fffffff) + 1);
        engine = std::make_unique<Vbertd_engine>(context.get());
        Vbertd_engine &e = *engine;
        weights.reset(new read_port{e.m_axi_weights_arvalid_o, e.m_axi_weights_arready_i, e.m_axi_weights_araddr_o,
                                    e.m_axi_weights_arlen_o, e.m_axi_weights_rvalid_i, e.m_axi_weights_rready_o,
                                    e.m_axi_weights_rdata_i, e.m_axi_weights_rresp_i});
        data.reset(new read_port{e.m_axi_data_arvalid_o, e.m_axi_data_arready_i, e.m_axi_data_araddr_o,
                                 e.m_axi_data_arlen_o, e.m_axi_data_rvalid_i, e.m_axi_data_rready_o,
                                 e.m_axi_data_rdata_i, e.m_axi_data_rresp_i});
        writes.reset(new write_port{e.m_axi_data_awvalid_o, e.m_axi_data_awready_i, e.m_axi_data_awaddr_o,
                                    e.m_axi_data_awlen_o, e.m_axi_data_wvalid_o, e.m_axi_data_wready_i,
                                    e.m_axi_data_wdata_o, e.m_axi_data_wstrb_o, e.m_axi_data_wlast_o,
                                    e.m_axi_data_bvalid_i, e.m_axi_data_bready_o, e.m_axi_data_bresp_i});
        reset();
#if VM_COVERAGE
        context->coveragep()->zero(); /* that registers began with anything covers nothing */
#endif
    }

#if VM_COVERAGE
    ~sim_model()
    {
        static unsigned written;
        const char *folder = std::getenv("RTL_COVERAGE");
        if (folder)
            context->coveragep()->write((std::string(folder) + "/" + std::to_string(written++) + ".dat").c_str());
    }
#endif

    void reset()
    {
        weights->reset();
        data->reset();
        writes->reset();
        engine->s_axi_awvalid_i = engine->s_axi_wvalid_i = engine->s_axi_arvalid_i = 0;
        engine->s_axi_bready_i = engine->s_axi_rready_i = 0;
        context->assertOn(false);
        forget = FORGET_CYCLES;
        engine->rst_ni = 0;
        for (int i = 0; i < RESET_CYCLES; i++) {
            settle();
            edge();
        }
        engine->rst_ni = 1;
    }

    void edge()
    {
        engine->clk_i = 1;
        engine->eval();
        if (forget && !--forget)
            context->assertOn(true);
    }

    void clock()
    {
        weights->drive(memory);
        data->drive(memory);
        writes->drive(memory);
        settle();
        bool weights_taken, data_taken, answered;
        weights->move(memory, weights_taken);
        data->move(memory, data_taken);
        writes->move(memory, answered);
        edge();
        weights->after(weights_taken);
        data->after(data_taken);
        writes->after(memory, answered);
        memory.cycle++;
    }

    /* A channel of the host's may wait, as the memory's do, but what is offered stays until it is taken. */
    bool offers(bool offered, bool taken)
    {
        return !taken && (offered || !memory.stalled());
    }

    void settle()
    {
        engine->clk_i = 0;
        engine->eval();
    }

    /* Words may come before addresses, and answers wait. */
    void write(uint32_t reg, uint32_t value, uint32_t strobes)
    {
        if (reg == ACCEL_REGISTER_CONTROL && value & strobes & 1)
            memory.recorded = false; /* a list starts */
        Vbertd_engine &e = *engine;
        e.s_axi_awaddr_i = (CData)reg;
        e.s_axi_wdata_i = value;
        e.s_axi_wstrb_i = (CData)strobes;
        bool addressed = false, told = false, answered = false;
        for (int i = 0; i < REGISTER_CYCLES && !answered; i++) {
            e.s_axi_awvalid_i = offers(e.s_axi_awvalid_i, addressed);
            e.s_axi_wvalid_i = offers(e.s_axi_wvalid_i, told);
            e.s_axi_bready_i = !memory.stalled();
            settle();
            addressed |= e.s_axi_awvalid_i && e.s_axi_awready_o;
            told |= e.s_axi_wvalid_i && e.s_axi_wready_o;
            answered = e.s_axi_bvalid_o && e.s_axi_bready_i;
            clock();
        }
        e.s_axi_awvalid_i = e.s_axi_wvalid_i = e.s_axi_bready_i = 0;
        if (!answered || e.s_axi_bresp_o)
            memory.breach = "a write of a register is not answered, or with an error";
    }

    uint32_t read(uint32_t reg)
    {
        Vbertd_engine &e = *engine;
        e.s_axi_araddr_i = (CData)reg;
        uint32_t value = 0;
        bool addressed = false, answered = false;
        for (int i = 0; i < REGISTER_CYCLES && !answered; i++) {
            e.s_axi_arvalid_i = offers(e.s_axi_arvalid_i, addressed);
            e.s_axi_rready_i = !memory.stalled();
            settle();
            addressed |= e.s_axi_arvalid_i && e.s_axi_arready_o;
            answered = e.s_axi_rvalid_o && e.s_axi_rready_i;
            value = e.s_axi_rdata_o;
            clock();
        }
        e.s_axi_arvalid_i = e.s_axi_rready_i = 0;
        if (!answered || e.s_axi_rresp_o)
            memory.breach = "a read of a register is not answered, or with an error";
        return value;
    }

    uint64_t read_wide(uint32_t reg)
    {
        uint64_t low = read(reg);
        return (uint64_t)read(reg + 4) << 32 | low;
    }
};

struct sim_model *sim_model_create(const struct sim_model_options *options)
{
    try {
        return new sim_model(*options);
    } catch (const std::bad_alloc &) {
        return nullptr;
    }
}

void sim_model_destroy(struct sim_model **model)
{
    delete *model;
    *model = nullptr;
}

void *sim_model_memory(struct sim_model *model)
{
    return model->memory.memory;
}

void sim_model_set_options(struct sim_model *model, const struct sim_model_options *options)
{
    const sim_model_options before = model->memory.options;
    model->memory.options = *options;
    model->memory.options.bytes = before.bytes;
    model->memory.options.memory = before.memory;
    model->memory.options.base = before.base;
    model->memory.options.record = before.record;
    model->memory.random.state = options->seed;
}

void sim_model_set_record(struct sim_model *model, uint64_t record)
{
    model->memory.options.record = record;
}

void sim_model_reset(struct sim_model *model)
{
    model->reset();
}

void sim_model_write(struct sim_model *model, uint32_t reg, uint32_t value)
{
    model->write(reg, value, 15);
}

void sim_model_write_bytes(struct sim_model *model, uint32_t reg, uint32_t value, uint32_t strobes)
{
    model->write(reg, value, strobes);
}

void sim_model_set_list(struct sim_model *model, uint64_t list, uint32_t count)
{
    list += model->memory.options.base;
    sim_model_write(model, ACCEL_REGISTER_LIST_LOW, (uint32_t)list);
    sim_model_write(model, ACCEL_REGISTER_LIST_HIGH, (uint32_t)(list >> 32));
    sim_model_write(model, ACCEL_REGISTER_LIST_COUNT, count);
    uint64_t record = model->memory.options.base + model->memory.options.record;
    sim_model_write(model, ACCEL_REGISTER_RECORD_LOW, (uint32_t)record);
    sim_model_write(model, ACCEL_REGISTER_RECORD_HIGH, (uint32_t)(record >> 32));
}

void sim_model_start(struct sim_model *model, uint64_t list, uint32_t count)
{
    sim_model_set_list(model, list, count);
    sim_model_write(model, ACCEL_REGISTER_INTERRUPT_GLOBAL, 1);
    sim_model_write(model, ACCEL_REGISTER_INTERRUPT_ENABLE, 1);
    if (sim_model_interrupt(model))
        sim_model_write(model, ACCEL_REGISTER_INTERRUPT_STATUS, 1);
    sim_model_write(model, ACCEL_REGISTER_CONTROL, 1);
}

bool sim_model_run(struct sim_model *model, uint64_t cycles)
{
    for (uint64_t i = 0; i < cycles && !model->engine->interrupt_o; i++)
        model->clock();
    if (model->engine->interrupt_o && model->writes->waits())
        model->memory.breach = "done before everything is written";
    return model->engine->interrupt_o;
}

bool sim_model_interrupt(const struct sim_model *model)
{
    return model->engine->interrupt_o;
}

uint32_t sim_model_read(struct sim_model *model, uint32_t reg)
{
    return model->read(reg);
}

void sim_model_counts(struct sim_model *model, struct sim_model_counts *ret)
{
    ret->cycles = model->read_wide(ACCEL_REGISTER_CYCLES_LOW);
    ret->array = model->read_wide(ACCEL_REGISTER_ARRAY_LOW);
    ret->wait_weights = model->read_wide(ACCEL_REGISTER_WAIT_WEIGHTS_LOW);
    ret->wait_rows = model->read_wide(ACCEL_REGISTER_WAIT_ROWS_LOW);
    ret->wait_drain = model->read_wide(ACCEL_REGISTER_WAIT_DRAIN_LOW);
    ret->idle = model->read_wide(ACCEL_REGISTER_IDLE_LOW);
    ret->beats_read = model->read_wide(ACCEL_REGISTER_BEATS_READ_LOW);
    ret->beats_written = model->read_wide(ACCEL_REGISTER_BEATS_WRITTEN_LOW);
}

void sim_model_beats(const struct sim_model *model, uint64_t *ret_read, uint64_t *ret_written)
{
    *ret_read = model->memory.beats_read;
    *ret_written = model->memory.beats_written;
}

const char *sim_model_breach(const struct sim_model *model)
{
    return model->memory.breach;
}

void *sim_model_context(struct sim_model *model)
{
    return model->context.get();
}

uint32_t sim_model_rows(void)
{
    return SIM_ROWS;
}

uint32_t sim_model_slices(void)
{
    return SIM_SLICES;
}

uint32_t sim_model_tokens(void)
{
    return SIM_TOKENS;
}
