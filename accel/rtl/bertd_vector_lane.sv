// Data path: row memory, side buffers -> a slice -> operand, residual, scalar memories and bertd_kv_stage.
// A vector slice with the machinery around it: feeds it its row groups and puts what it makes where it belongs.
module bertd_vector_lane #(
    parameter int SLICES = 1,
    parameter int INDEX = 0,
    localparam int SLICE_BITS = $clog2(SLICES),
    localparam int BANK_ROW = bertd_pkg::ROW_BITS - SLICE_BITS
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic                   clear_i,
    input  logic                   start_i,
    input  bertd_pkg::vector_job_t job_i,
    input  bertd_pkg::layout_t     layout_i,
    input  logic [            7:0] groups_i,
    input  logic [            9:0] rows_there_i,
    output logic                   busy_o,
    output logic                   error_o,
    output logic                   memory_error_o,
    output logic [            7:0] norm_group_o,     // whose normalised rows come next
    output logic [            7:0] done_group_o,     // of which something comes next

    output logic                   row_read_o,
    output logic [   BANK_ROW+7:0] row_address_o,
    input  logic [          511:0] row_data_i,
    output logic                   side_read_o,
    output logic [            5:0] side_address_o,
    input  logic [         1039:0] side_data_i,

    output logic                   input_write_o,    // normalised rows: {row of the bank, word}
    output logic [   BANK_ROW+5:0] input_address_o,
    output logic [          511:0] input_data_o,
    output logic [            1:0] operand_write_o,  // quantised rows, high and low digits
    output logic [           13:0] operand_group_o,
    output logic [            3:0] operand_row_o,
    output logic [           17:0] operand_word_o,
    output logic [          255:0] operand_data_o,
    output logic                   kv_write_o,       // the same, for the KV stage
    output logic                   scalar_write_o,
    output logic                   kv_scale_write_o,
    output logic [            6:0] scale_group_o,
    output logic [            1:0] scale_row_o,
    output logic [           31:0] scale_o,
    output logic                   made_write_o,     // what a row of the operand memory came to
    output logic [           14:0] made_place_o,     // {scalar, group, row}
    output logic [           31:0] made_o
);

    logic feeding, command_valid, command_ready, in_valid, in_ready, side_valid, side_ready;
    logic x_valid, q_valid, scale_valid, x_busy, q_busy, scale_busy;
    logic [511:0] in;
    logic [1023:0] side;
    logic [255:0] q;
    logic [127:0] high, low, low_q;
    logic [8:0] words, q_words, q_word, x_word, scale_word;
    bertd_pkg::slice_cmd_t command;
    bertd_pkg::group_t q_segment;
    logic [6:0] q_group, x_group, q_group_q;
    logic [1:0] q_row, x_row, q_row_q;
    logic [7:0] q_next, scale_next;
    logic [8:0] low_word_q;
    logic low_write_q, feed_error, slice_error, group_error;

    assign memory_error_o = feed_error || slice_error || group_error;

    bertd_vector_feed #(
        .SLICES(SLICES),
        .INDEX (INDEX)
    ) u_feed (
        .clk_i,
        .rst_ni,
        .start_i,
        .job_i,
        .layout_i,
        .groups_i,
        .rows_there_i,
        .busy_o         (feeding),
        .memory_error_o (feed_error),
        .row_read_o,
        .row_address_o,
        .row_data_i,
        .side_read_o,
        .side_address_o,
        .side_data_i,
        .command_valid_o(command_valid),
        .command_ready_i(command_ready),
        .command_o      (command),
        .in_valid_o     (in_valid),
        .in_ready_i     (in_ready),
        .in_o           (in),
        .side_valid_o   (side_valid),
        .side_ready_i   (side_ready),
        .side_o         (side)
    );

    bertd_vector_slice u_slice (
        .clk_i,
        .rst_ni,
        .clear_i,
        .cmd_valid_i  (command_valid),
        .cmd_ready_o  (command_ready),
        .cmd_i        (command),
        .in_valid_i   (in_valid),
        .in_ready_o   (in_ready),
        .in_i         (in),
        .side_valid_i (side_valid),
        .side_ready_o (side_ready),
        .side_i       (side),
        .x_valid_o    (x_valid),
        .x_o          (input_data_o),
        .q_valid_o    (q_valid),
        .q_ready_i    (1'b1),
        .q_o          (q),
        .scale_valid_o(scale_valid),
        .scale_ready_i(1'b1),
        .scale_o,
        .error_o,
        .memory_error_o(slice_error)
    );

    assign words = 9'((job_i.command.width + 13'd15) >> 4);
    assign busy_o = feeding || x_busy || q_busy || scale_busy || low_write_q;

    bertd_vector_place #(
        .SLICES(SLICES),
        .INDEX (INDEX)
    ) u_x_place (
        .clk_i,
        .rst_ni,
        .start_i,
        .wanted_i (job_i.command.kind == bertd_pkg::SLICE_NORM),
        .groups_i,
        .words_i  (words),
        .advance_i(x_valid),
        .busy_o   (x_busy),
        .next_o   (norm_group_o),
        .group_o  (x_group),
        .word_o   (x_word),
        .row_o    (x_row)
    );
    assign input_write_o = x_valid && job_i.write_rows;
    assign input_address_o = {x_group[bertd_pkg::ROW_BITS-3:SLICE_BITS], x_row, x_word[5:0]};

    // Digits: as many as the group's segment has tokens.
    bertd_table #(
        .WIDTH($bits(q_segment)),
        .DEPTH(1 << 7)
    ) u_q_groups (
        .clk_i,
        .write_i        (layout_i.group_write),
        .write_address_i(layout_i.group_index),
        .write_data_i   (layout_i.group),
        .read_i         (job_i.digits && q_busy),
        .read_address_i (q_group),
        .read_data_o    (q_segment),
        .error_o        (group_error)
    );
    assign q_words = job_i.digits ? 9'((q_segment.tokens + 10'd15) >> 4) : words;

    bertd_vector_place #(
        .SLICES(SLICES),
        .INDEX (INDEX)
    ) u_q_place (
        .clk_i,
        .rst_ni,
        .start_i,
        .wanted_i (1'b1),
        .groups_i,
        .words_i  (q_words),
        .advance_i(q_valid),
        .busy_o   (q_busy),
        .next_o   (q_next),
        .group_o  (q_group),
        .word_o   (q_word),
        .row_o    (q_row)
    );

    always_comb begin
        for (int l = 0; l < bertd_pkg::PANEL; l++) begin
            low[l*8+:8] = q[l*16+:8];
            high[l*8+:8] = q[l*16+8+:8];
        end
    end

    // Low digits are written a cycle after the high ones: to another bank than the next row's high ones.
    always_ff @(posedge clk_i) begin
        if (!rst_ni) low_write_q <= 1'b0;
        else low_write_q <= q_valid && job_i.digits;
    end
    always_ff @(posedge clk_i) begin
        low_q <= low;
        low_word_q <= job_i.operand + bertd_pkg::OPERAND_DIGIT_WORDS + q_word;
        q_group_q <= q_group;
        q_row_q <= q_row;
    end

    assign operand_write_o = {low_write_q, q_valid && !job_i.to_kv};
    assign operand_group_o = {q_group_q, q_group};
    assign operand_row_o = {q_row_q, q_row};
    assign operand_word_o = {low_word_q, job_i.operand + q_word};
    assign operand_data_o = {low_q, job_i.digits ? high : low};
    assign kv_write_o = q_valid && job_i.to_kv;

    bertd_check_operands u_made (
        .clk_i,
        .rst_ni,
        .valid_i (q_valid && !job_i.to_kv),
        .digits_i(job_i.digits),
        .first_i (q_word == '0),
        .last_i  (q_word == q_words - 9'd1),
        .row_i   (q_row),
        .q_i     (q),
        .place_i ({job_i.scalar, q_group}),
        .write_o (made_write_o),
        .place_o (made_place_o),
        .sum_o   (made_o)
    );

    bertd_vector_place #(
        .SLICES(SLICES),
        .INDEX (INDEX)
    ) u_scale_place (
        .clk_i,
        .rst_ni,
        .start_i,
        .wanted_i (1'b1),
        .groups_i,
        .words_i  (9'd1),
        .advance_i(scale_valid),
        .busy_o   (scale_busy),
        .next_o   (scale_next),
        .group_o  (scale_group_o),
        .word_o   (scale_word),
        .row_o    (scale_row_o)
    );
    assign scalar_write_o = scale_valid && !job_i.to_kv;
    assign kv_scale_write_o = scale_valid && job_i.to_kv;

    // All that a group's rows become is written by the cycle after this one at the latest.
    always_comb begin
        done_group_o = q_next < scale_next ? q_next : scale_next;
        if (x_busy && norm_group_o < done_group_o) done_group_o = norm_group_o;
    end

endmodule
