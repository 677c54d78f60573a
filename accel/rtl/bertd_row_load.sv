// Data path: a batch's rows in card memory -> residual memory and row memory.
// Brings a command's rows in from card memory, into the residual memory and the row memory. Rows that fill up a
// segment's first and last row groups become zeros. Work on the first rows may begin while the others are on their way.
module bertd_row_load (
    input  logic                clk_i,
    input  logic                rst_ni,
    input  bertd_pkg::command_t command_i,
    input  bertd_pkg::layout_t  layout_i,
    input  bertd_pkg::extent_t  extent_i,
    input  logic                start_i,
    output logic [         9:0] rows_o,           // that are there; all, when none are on their way
    output logic                memory_error_o,   // a word of a memory has changed

    output logic                request_valid_o,
    input  logic                request_ready_i,
    output logic [        63:0] request_address_o,
    output logic [        15:0] request_beats_o,
    input  logic                data_valid_i,
    output logic                data_ready_o,
    output logic                write_o,
    output logic [         8:0] write_row_o,
    output logic [         5:0] write_word_o,
    output logic                write_zero_o
);

    bertd_pkg::group_t group;
    logic busy_q, asked_q, mine, row_end, last_row;
    logic [9:0] row_q;
    logic [5:0] word_q, last_word;

    assign rows_o = busy_q ? row_q : 10'(bertd_pkg::MAX_TOKENS);
    assign last_word = 6'((command_i.hidden >> 4) - 11'd1);
    assign mine = group.mine[row_q[1:0]];
    assign request_valid_o = busy_q && !asked_q;
    assign request_address_o = command_i.rows_address;
    assign request_beats_o = 16'(command_i.rows) * (16'(command_i.hidden) >> 4);
    assign data_ready_o = busy_q && mine;
    assign write_o = busy_q && (!mine || data_valid_i);
    assign write_row_o = row_q[8:0];
    assign write_word_o = word_q;
    assign write_zero_o = !mine;
    assign row_end = write_o && word_q == last_word;
    assign last_row = row_q == {extent_i.groups, 2'b00} - 10'd1;

    bertd_table #(
        .WIDTH($bits(group)),
        .DEPTH(1 << 7)
    ) u_groups (
        .clk_i,
        .write_i        (layout_i.group_write),
        .write_address_i(layout_i.group_index),
        .write_data_i   (layout_i.group),
        .read_i         (busy_q),
        .read_address_i (row_q[8:2]),
        .read_data_o    (group),
        .error_o        (memory_error_o)
    );

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            busy_q <= 1'b0;
            asked_q <= 1'b0;
            row_q <= '0;
            word_q <= '0;
        end else if (start_i) begin
            busy_q <= 1'b1;
            asked_q <= 1'b0;
            row_q <= '0;
            word_q <= '0;
        end else begin
            if (request_valid_o && request_ready_i) asked_q <= 1'b1;
            if (write_o) word_q <= row_end ? '0 : word_q + 6'd1;
            if (row_end) begin
                row_q <= row_q + 10'd1;
                if (last_row) busy_q <= 1'b0;
            end
        end
    end

endmodule
