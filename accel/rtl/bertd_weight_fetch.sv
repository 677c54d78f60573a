// Data path: fetch jobs of bertd_sequencer -> requests to the weights port's reader; bertd_weight_ring is told.
// Asks card memory for the panels of the fetch jobs, as far ahead as the ring and the parameter slots have room.
module bertd_weight_fetch (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  logic                  job_valid_i,
    output logic                  job_ready_o,
    input  bertd_pkg::fetch_job_t job_i,
    input  logic [           7:0] kv_done_i,       // jobs of keys and values that are handed to the writer ...
    input  logic                  writer_idle_i,   // ... and written
    input  logic                  beat_freed_i,    // a beat of the ring is not needed any more
    input  logic                  panel_retired_i, // a panel is drained: its parameter slot is free

    output logic                  panel_valid_o,   // what comes next, panel by panel
    input  logic                  panel_ready_i,
    output logic [          10:0] panel_groups_o,
    output logic [           1:0] panel_params_o,
    output logic                  panel_adds_o,    // its weights are added up ...
    output logic                  panel_first_o,   // ... from this one on
    output logic                  panel_check_o,   // it is made of these sums

    output logic                  request_valid_o,
    input  logic                  request_ready_i,
    output logic [          63:0] request_address_o,
    output logic [          15:0] request_beats_o
);

    typedef enum logic [1:0] {
        IDLE,
        PANEL,
        PARAMS,
        SEGMENT
    } state_t;

    localparam int SLOTS = bertd_pkg::PARAM_BITS + 1;
    localparam int COUNT = bertd_pkg::RING_BITS + 1;

    state_t state_q, state_d;
    bertd_pkg::fetch_job_t job_q, job_d;
    logic [63:0] segment_q, segment_d;
    logic first_q, first_d;                     // the job's first panel
    logic [5:0] segments_left_q, segments_left_d;
    logic [bertd_pkg::RING_BITS:0] reserved_q;  // beats of the ring that are asked for or full
    logic [SLOTS-1:0] slots_q;                  // parameter slots in use
    logic [1:0] params_along;
    logic [7:0] kv_ahead;
    logic room, check_room, ask, panel_begin;

    assign params_along = job_q.params_apart ? 2'd0 : job_q.params;
    assign room = COUNT'(bertd_pkg::RING_BEATS) - reserved_q >= COUNT'(job_q.beats);
    assign check_room = COUNT'(bertd_pkg::RING_BEATS) - reserved_q >= COUNT'(job_q.groups);
    assign panel_valid_o = state_q == PANEL && slots_q < SLOTS'(bertd_pkg::PARAM_SLOTS) &&
        (!panel_check_o || check_room);
    assign panel_groups_o = job_q.groups;
    assign panel_params_o = panel_check_o ? 2'd0 : job_q.params;
    assign panel_adds_o = job_q.check && !panel_check_o;
    assign panel_first_o = first_q;
    assign panel_check_o = job_q.panels == '0;
    assign panel_begin = panel_valid_o && panel_ready_i;
    assign request_valid_o = state_q == PARAMS || (state_q == SEGMENT && room);
    assign request_address_o = state_q == PARAMS ? job_q.params_address : segment_q;
    assign request_beats_o = state_q == PARAMS ? 16'(job_q.params) : 16'(job_q.beats) + 16'(params_along);
    assign ask = request_valid_o && request_ready_i;
    assign kv_ahead = kv_done_i - job_i.kv_jobs;
    assign job_ready_o = state_q == IDLE && (!job_i.wait_kv || (!kv_ahead[7] && writer_idle_i));

    always_comb begin
        state_d = state_q;
        job_d = job_q;
        segment_d = segment_q;
        segments_left_d = segments_left_q;
        first_d = first_q;
        unique case (state_q)
            IDLE: begin
                job_d = job_i;
                first_d = 1'b1;
                if (job_valid_i && job_ready_o) state_d = PANEL;
            end
            PANEL: begin
                segment_d = job_q.address;
                segments_left_d = job_q.segments;
                if (panel_begin) state_d = panel_check_o ? IDLE : job_q.params_apart ? PARAMS : SEGMENT;
            end
            PARAMS: if (ask) state_d = SEGMENT;
            SEGMENT:
            if (ask) begin
                segment_d = segment_q + 64'(job_q.segment_stride);
                segments_left_d = segments_left_q - 6'd1;
                if (segments_left_q == 6'd1) begin
                    job_d.panels = job_q.panels - 9'd1;
                    job_d.address = job_q.address + 64'(job_q.panel_stride);
                    job_d.params_address = job_q.params_address + 64'(job_q.params_stride);
                    first_d = 1'b0;
                    state_d = job_q.panels == 9'd1 && !job_q.check ? IDLE : PANEL;
                end
            end
            default: ;
        endcase
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            state_q <= IDLE;
            job_q <= '0;
            segment_q <= '0;
            first_q <= 1'b0;
            segments_left_q <= '0;
            reserved_q <= '0;
            slots_q <= '0;
        end else begin
            state_q <= state_d;
            job_q <= job_d;
            segment_q <= segment_d;
            first_q <= first_d;
            segments_left_q <= segments_left_d;
            reserved_q <= reserved_q + (ask && state_q == SEGMENT ? COUNT'(job_q.beats) :
                panel_begin && panel_check_o ? COUNT'(job_q.groups) : '0) - COUNT'(beat_freed_i);
            slots_q <= slots_q + SLOTS'(panel_begin) - SLOTS'(panel_retired_i);
        end
    end

endmodule
