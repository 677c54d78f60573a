// Data path: rows in the row memory, side buffers -> commands and words -> bertd_vector_slice.
// Feeds a vector slice with its row groups (every SLICES-th of them): a command, then the group's words, four rows
// interleaved; beside them the job's side words, once a group. Of scores a group has as many as its segment has tokens,
// and the side words of the segment's blocks.
module bertd_vector_feed #(
    parameter int SLICES = 1,
    parameter int INDEX = 0,
    localparam int SLICE_BITS = $clog2(SLICES),
    localparam int ADDRESS = bertd_pkg::ROW_BITS - SLICE_BITS + 8
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic                   start_i,
    input  bertd_pkg::vector_job_t job_i,
    input  bertd_pkg::layout_t     layout_i,
    input  logic [            7:0] groups_i,
    input  logic [            9:0] rows_there_i,
    output logic                   busy_o,
    output logic                   memory_error_o, // a word of a memory has changed

    output logic                   row_read_o,
    output logic [    ADDRESS-1:0] row_address_o,  // {row of the bank, word}
    input  logic [          511:0] row_data_i,
    output logic                   side_read_o,
    output logic [            5:0] side_address_o,
    input  logic [         1039:0] side_data_i,    // {parity of each 64 bits, word}

    output logic                   command_valid_o,
    input  logic                   command_ready_i,
    output bertd_pkg::slice_cmd_t  command_o,
    output logic                   in_valid_o,
    input  logic                   in_ready_i,
    output logic [          511:0] in_o,
    output logic                   side_valid_o,
    input  logic                   side_ready_i,
    output logic [         1023:0] side_o
);

    typedef enum logic [1:0] {
        IDLE,
        COMMAND,
        WORDS
    } state_t;

    state_t state_q;
    logic [7:0] group_q, side_group_q;
    logic [8:0] word_q, side_word_q, words, side_words;
    logic softmax;
    bertd_pkg::group_t group, side_group;
    logic [1:0] row_q;
    logic [9:0] rows_needed;
    logic read_ready, side_read_ready, group_end, side_active_q, side_group_end;
    logic group_error, side_group_error, side_error_q;
    logic [15:0] side_parity, side_there;

    bertd_table #(
        .WIDTH($bits(group)),
        .DEPTH(1 << 7)
    ) u_groups (
        .clk_i,
        .write_i        (layout_i.group_write),
        .write_address_i(layout_i.group_index),
        .write_data_i   (layout_i.group),
        .read_i         (softmax && state_q != IDLE),
        .read_address_i (group_q[6:0]),
        .read_data_o    (group),
        .error_o        (group_error)
    );
    bertd_table #(
        .WIDTH($bits(group)),
        .DEPTH(1 << 7)
    ) u_side_groups (
        .clk_i,
        .write_i        (layout_i.group_write),
        .write_address_i(layout_i.group_index),
        .write_data_i   (layout_i.group),
        .read_i         (softmax && side_active_q),
        .read_address_i (side_group_q[6:0]),
        .read_data_o    (side_group),
        .error_o        (side_group_error)
    );

    assign softmax = job_i.command.kind == bertd_pkg::SLICE_SOFTMAX;
    always_comb begin
        command_o = job_i.command;
        if (softmax) command_o.width = 13'(group.tokens);
    end
    assign words = 9'((command_o.width + 13'd15) >> 4);
    assign side_words = softmax ? 9'((side_group.tokens + 10'd15) >> 4) : words;
    assign busy_o = state_q != IDLE || side_active_q;
    assign rows_needed = {group_q, 2'b00} + 10'(bertd_pkg::GROUP_ROWS);
    assign command_valid_o = state_q == COMMAND && rows_there_i >= rows_needed;

    // A row's words lie together; local row = {group of the bank, row}.
    assign row_read_o = state_q == WORDS && read_ready;
    assign row_address_o = {group_q[bertd_pkg::ROW_BITS-3:SLICE_BITS], row_q, job_i.source + word_q[7:0]};
    assign group_end = row_read_o && row_q == 2'd3 && word_q == words - 9'd1;
    assign side_read_o = side_active_q && side_read_ready;
    assign side_address_o = (softmax ? side_group.block : 6'd0) + side_word_q[5:0];
    assign side_group_end = side_read_o && side_word_q == side_words - 9'd1;

    bertd_ram_stream #(
        .WIDTH  (512),
        .LATENCY(bertd_pkg::ROW_LATENCY)
    ) u_rows (
        .clk_i,
        .rst_ni,
        .address_valid_i(row_read_o),
        .address_ready_o(read_ready),
        .read_data_i    (row_data_i),
        .out_valid_o    (in_valid_o),
        .out_ready_i    (in_ready_i),
        .out_o          (in_o)
    );

    bertd_ram_stream #(
        .WIDTH  (16 + 1024),
        .LATENCY(bertd_pkg::BLOCK_LATENCY)
    ) u_side (
        .clk_i,
        .rst_ni,
        .address_valid_i(side_read_o),
        .address_ready_o(side_read_ready),
        .read_data_i    (side_data_i),
        .out_valid_o    (side_valid_o),
        .out_ready_i    (side_ready_i),
        .out_o          ({side_there, side_o})
    );

    // Side words have their parity until the slice takes them. Value scales have no upper half.
    bertd_parity #(.WIDTH(1024)) u_side_parity (.word_i(side_o), .parity_o(side_parity));
    always_ff @(posedge clk_i) begin
        side_error_q <= side_valid_o &&
            (side_parity[7:0] != side_there[7:0] || (!softmax && side_parity[15:8] != side_there[15:8]));
    end
    assign memory_error_o = group_error || side_group_error || side_error_q;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            state_q <= IDLE;
            group_q <= '0;
            word_q <= '0;
            row_q <= '0;
        end else begin
            if (start_i) begin
                group_q <= 8'(INDEX);
                state_q <= groups_i > 8'(INDEX) ? COMMAND : IDLE;
            end
            if (command_valid_o && command_ready_i) begin
                word_q <= '0;
                row_q <= '0;
                state_q <= WORDS;
            end
            if (row_read_o) begin
                row_q <= row_q + 2'd1;
                if (row_q == 2'd3) word_q <= word_q + 9'd1;
            end
            if (group_end) begin
                group_q <= group_q + 8'(SLICES);
                state_q <= group_q + 8'(SLICES) < groups_i ? COMMAND : IDLE;
            end
        end
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            side_active_q <= 1'b0;
            side_group_q <= '0;
            side_word_q <= '0;
        end else begin
            if (start_i) begin
                side_active_q <= job_i.side && groups_i > 8'(INDEX);
                side_group_q <= 8'(INDEX);
                side_word_q <= '0;
            end
            if (side_read_o) side_word_q <= side_group_end ? '0 : side_word_q + 9'd1;
            if (side_group_end) begin
                side_group_q <= side_group_q + 8'(SLICES);
                side_active_q <= side_group_q + 8'(SLICES) < groups_i;
            end
        end
    end

endmodule
