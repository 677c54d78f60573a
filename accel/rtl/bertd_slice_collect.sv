// Data path: rotated rows or weighted exponentials -> result buffer; largest magnitudes -> bertd_slice_scale.
// Words to quantise go to the result buffer; the largest magnitude of each row is taken on the way.
module bertd_slice_collect (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  bertd_pkg::slice_cmd_t cmd_i,
    input  logic                  valid_i,
    input  logic [         511:0] x_i,
    output logic                  taken_o,      // the group's last word
    output logic                  write_o,
    output logic [         511:0] write_data_o,
    output logic                  amax_valid_o,
    output logic [           1:0] amax_row_o,
    output logic [          31:0] amax_o
);

    logic first, last, group_end, valid_q, first_q, last_q;
    logic [1:0] row, row_q;
    logic [15:0] mask;
    logic [511:0] keys;
    bertd_slice_walk u_walk (
        .clk_i,
        .rst_ni,
        .advance_i(valid_i),
        .width_i  (cmd_i.width),
        .rows_i   (cmd_i.rows),
        .row_o    (row),
        .first_o  (first),
        .last_o   (last),
        .end_o    (group_end),
        .mask_o   (mask)
    );
    assign taken_o = valid_i && group_end;
    always_ff @(posedge clk_i) begin
        if (!rst_ni) valid_q <= 1'b0;
        else valid_q <= valid_i;
    end
    always_ff @(posedge clk_i) begin
        write_data_o <= x_i;
        first_q <= first;
        last_q <= last;
        row_q <= row;
    end
    assign write_o = valid_q;

    for (genvar l = 0; l < 16; l++) begin : g_lane
        assign keys[32*l+:32] = {1'b0, write_data_o[32*l+:31]};
    end
    bertd_slice_max u_max (
        .clk_i,
        .rst_ni,
        .valid_i(valid_q),
        .first_i(first_q),
        .last_i (last_q),
        .row_i  (row_q),
        .keys_i (keys),
        .valid_o(amax_valid_o),
        .row_o  (amax_row_o),
        .max_o  (amax_o)
    );

    logic unused;
    assign unused = ^{mask, cmd_i};

endmodule
