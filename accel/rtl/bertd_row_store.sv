// Data path: normalised rows in the residual memory -> bertd_axi_writer, card memory.
// Writes a command's rows from the residual memory to card memory, as soon as each of them is there.
module bertd_row_store (
    input  logic                clk_i,
    input  logic                rst_ni,
    input  bertd_pkg::command_t command_i,
    input  bertd_pkg::layout_t  layout_i,
    input  bertd_pkg::extent_t  extent_i,
    input  logic                start_i,
    input  logic [         9:0] rows_done_i,      // the first rows, as many as these, are there
    output logic                busy_o,
    output logic                memory_error_o,   // a word of a memory has changed

    output logic                read_o,           // the word comes bertd_pkg::ROW_LATENCY cycles later
    input  logic                read_taken_i,     // somebody else reads
    output logic [         8:0] read_row_o,
    output logic [         5:0] read_word_o,
    input  logic [       511:0] read_data_i,
    output logic                request_valid_o,
    input  logic                request_ready_i,
    output logic [        63:0] request_address_o,
    output logic [        15:0] request_beats_o,
    output logic                data_valid_o,
    input  logic                data_ready_i,
    output logic [       511:0] data_o
);

    bertd_pkg::group_t group;
    logic asking_q, reading_q, read_ready, there, mine, row_end, last_row;
    logic [9:0] row_q;
    logic [5:0] word_q, last_word;
    logic [15:0] left_q;

    assign busy_o = left_q != '0;
    assign last_word = 6'((command_i.hidden >> 4) - 11'd1);
    assign request_valid_o = asking_q;
    assign request_address_o = command_i.rows_address;
    assign request_beats_o = 16'(command_i.rows) * (16'(command_i.hidden) >> 4);
    assign there = reading_q && row_q < rows_done_i;
    assign mine = group.mine[row_q[1:0]];
    assign read_o = there && mine && read_ready && !read_taken_i;
    assign read_row_o = row_q[8:0];
    assign read_word_o = word_q;
    assign row_end = mine ? read_o && word_q == last_word : there;
    assign last_row = row_q == {extent_i.groups, 2'b00} - 10'd1;

    bertd_table #(
        .WIDTH($bits(group)),
        .DEPTH(1 << 7)
    ) u_groups (
        .clk_i,
        .write_i        (layout_i.group_write),
        .write_address_i(layout_i.group_index),
        .write_data_i   (layout_i.group),
        .read_i         (reading_q),
        .read_address_i (row_q[8:2]),
        .read_data_o    (group),
        .error_o        (memory_error_o)
    );

    bertd_ram_stream #(
        .WIDTH  (512),
        .LATENCY(bertd_pkg::ROW_LATENCY)
    ) u_rows (
        .clk_i,
        .rst_ni,
        .address_valid_i(read_o),
        .address_ready_o(read_ready),
        .read_data_i,
        .out_valid_o    (data_valid_o),
        .out_ready_i    (data_ready_i),
        .out_o          (data_o)
    );

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            asking_q <= 1'b0;
            reading_q <= 1'b0;
            row_q <= '0;
            word_q <= '0;
            left_q <= '0;
        end else if (start_i) begin
            asking_q <= 1'b1;
            reading_q <= 1'b1;
            row_q <= '0;
            word_q <= '0;
            left_q <= request_beats_o;
        end else begin
            if (request_ready_i) asking_q <= 1'b0;
            if (read_o) word_q <= row_end ? '0 : word_q + 6'd1;
            if (row_end) begin
                row_q <= row_q + 10'd1;
                if (last_row) reading_q <= 1'b0;
            end
            if (data_valid_o && data_ready_i) left_q <= left_q - 16'd1;
        end
    end

endmodule
