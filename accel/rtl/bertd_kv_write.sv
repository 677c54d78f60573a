// Data path: bertd_kv_stage -> blocks of keys and values -> bertd_axi_writer, card memory.
// Writes a head's keys or values in blocks of 16 tokens, as accel/board.h lays them out:
//   keys    [head_dim/4][16 tokens][4]
//   values  [head_dim/16][16/4 token groups][16][4]
// and behind each block's beats the beat of its 16 scales. A segment begins on a fresh block; strobes leave alone what
// belongs to other rows, and what is past the segment's end.
module bertd_kv_write (
    input  logic                clk_i,
    input  logic                rst_ni,
    input  bertd_pkg::command_t command_i,
    input  bertd_pkg::layout_t  layout_i,
    input  bertd_pkg::extent_t  extent_i,
    input  logic                job_valid_i,
    output logic                job_ready_o,
    input  bertd_pkg::kv_job_t  job_i,
    input  logic                filled_i,       // a slot of the stage is full
    output logic [         1:0] free_o,
    output logic                done_o,         // a job's last beat is handed over
    output logic                memory_error_o, // a word of a memory has changed

    output logic                read_o,
    output logic                read_slot_o,
    output logic [         6:0] read_group_o,
    output logic [         1:0] read_word_o,
    input  logic [       511:0] read_data_i,    // bertd_pkg::BLOCK_LATENCY cycles later
    input  logic [       127:0] read_scales_i,

    output logic                request_valid_o,
    input  logic                request_ready_i,
    output logic [        63:0] request_address_o,
    output logic [        15:0] request_beats_o,
    output logic                data_valid_o,
    input  logic                data_ready_i,
    output logic [       511:0] data_o,
    output logic [        63:0] strobe_o
);

    typedef enum logic [2:0] {
        IDLE,
        ASK,
        GATHER,
        SEND,
        ASK_SCALES
    } state_t;

    localparam int LATENCY = bertd_pkg::BLOCK_LATENCY;

    state_t state_q;
    bertd_pkg::kv_job_t job_q;
    bertd_pkg::segment_t segment;
    logic [bertd_pkg::SEGMENT_BITS-1:0] segment_q;
    logic [1:0] full_q;
    logic fill_q, slot_q, scales_q;
    logic [5:0] block_q;   // of the segment
    logic [9:0] first_row, end_row;
    logic [3:0] beat_q, last_beat;
    logic [2:0] asked_q;   // reads of this beat
    logic [LATENCY-1:0] coming_q;  // words asked for in the last cycles
    logic [1:0] arrived;   // which of them is here
    logic whole;
    logic [127:0] quarter;
    logic [511:0] beat_data_q, turned;
    logic [15:0] tokens;
    logic last_read, still_coming, segment_end, done;

    bertd_table #(
        .WIDTH($bits(segment)),
        .DEPTH(bertd_pkg::MAX_SEGMENTS)
    ) u_segments (
        .clk_i,
        .write_i        (layout_i.segment_write),
        .write_address_i(layout_i.segment_index),
        .write_data_i   (layout_i.segment),
        .read_i         (state_q != IDLE),
        .read_address_i (segment_q),
        .read_data_o    (segment),
        .error_o        (memory_error_o)
    );

    assign first_row = 10'(command_i.skip);
    assign end_row = first_row + segment.rows;
    assign segment_end = {block_q, 4'd15} + 10'd1 >= end_row;
    assign last_beat = command_i.head_dim == 7'd64 ? 4'd15 : 4'd7;
    assign job_ready_o = state_q == IDLE && full_q[slot_q];
    assign free_o = ~full_q;
    assign done_o = done;

    // A beat of values holds one row group, any other all four of the block.
    assign last_read = asked_q == (whole ? 3'd1 : 3'd4);
    assign read_o = state_q == GATHER && !last_read;
    assign still_coming = LATENCY'({coming_q, 1'b0}) != '0;  // but for the word that is taken in this cycle
    assign read_slot_o = slot_q;
    assign read_group_o = segment.group + {block_q[4:0], whole ? beat_q[1:0] : asked_q[1:0]};
    assign read_word_o = beat_q[3:2];

    assign request_valid_o = state_q == ASK || state_q == ASK_SCALES;
    assign request_address_o = state_q == ASK ? job_q.address : job_q.scale_address;
    assign request_beats_o = state_q == ASK ? 16'(last_beat) + 16'd1 : 16'd1;
    assign data_valid_o = state_q == SEND;
    assign data_o = beat_data_q;
    assign done = data_valid_o && data_ready_i && scales_q && segment_end && segment_q == extent_i.last_segment;

    always_comb begin
        for (int t = 0; t < 16; t++) begin
            tokens[t] = {block_q, 4'(t)} >= first_row && {block_q, 4'(t)} < end_row;
        end
        for (int i = 0; i < 64; i++) begin
            if (whole) strobe_o[i] = tokens[{beat_q[1:0], 2'(i % 4)}];
            else strobe_o[i] = tokens[i / 4];
        end
    end

    // A word is a beat, or a quarter of one.
    assign whole = job_q.value && !scales_q;
    always_comb begin
        for (int r = 0; r < 4; r++) begin
            quarter[r*32+:32] = scales_q ? read_scales_i[r*32+:32] : read_data_i[r*128+32'({beat_q[1:0], 5'd0})+:32];
            for (int d = 0; d < 16; d++) turned[d*32+r*8+:8] = read_data_i[r*128+d*8+:8];
        end
    end

    for (genvar c = 0; c < 4; c++) begin : gen_quarter
        always_ff @(posedge clk_i) begin
            if (coming_q[LATENCY-1] && (whole || arrived == 2'(c)))
                beat_data_q[c*128+:128] <= whole ? turned[c*128+:128] : quarter;
        end
    end
    bertd_delay_line #(
        .WIDTH(2),
        .DEPTH(LATENCY)
    ) u_arrived (
        .clk_i,
        .in_i (asked_q[1:0]),
        .out_o(arrived)
    );

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            state_q <= IDLE;
            job_q <= '0;
            full_q <= '0;
            fill_q <= 1'b0;
            slot_q <= 1'b0;
            scales_q <= 1'b0;
            coming_q <= '0;
            segment_q <= '0;
            block_q <= '0;
            beat_q <= '0;
            asked_q <= '0;
        end else begin
            coming_q <= LATENCY'({coming_q, read_o});
            if (filled_i) begin
                full_q[fill_q] <= 1'b1;
                fill_q <= !fill_q;
            end
            unique case (state_q)
                IDLE:
                if (job_valid_i && job_ready_o) begin
                    job_q <= job_i;
                    segment_q <= '0;
                    block_q <= '0;
                    state_q <= ASK;
                end
                ASK:
                if (request_ready_i) begin
                    beat_q <= '0;
                    asked_q <= '0;
                    scales_q <= 1'b0;
                    state_q <= GATHER;
                end
                GATHER: begin
                    if (read_o) asked_q <= asked_q + 3'd1;
                    else if (!still_coming) state_q <= SEND;
                end
                SEND:
                if (data_ready_i) begin
                    asked_q <= '0;
                    beat_q <= beat_q + 4'd1;
                    state_q <= GATHER;
                    if (scales_q) begin
                        block_q <= segment_end ? '0 : block_q + 6'd1;
                        if (segment_end) segment_q <= segment_q + 1'b1;
                        job_q.address <= job_q.address + 64'({command_i.hidden, 4'd0});
                        job_q.scale_address <= job_q.scale_address + 64'({command_i.heads, 6'd0});
                        state_q <= ASK;
                    end else if (beat_q == last_beat) begin
                        state_q <= ASK_SCALES;
                    end
                    if (done) begin
                        state_q <= IDLE;
                        full_q[slot_q] <= 1'b0;
                        slot_q <= !slot_q;
                    end
                end
                ASK_SCALES:
                if (request_ready_i) begin
                    scales_q <= 1'b1;
                    state_q <= GATHER;
                end
                default: state_q <= IDLE;
            endcase
        end
    end

endmodule
