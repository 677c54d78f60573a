// Data path: input words of a slice -> row buffer; their means or largest scores -> bertd_slice_center.
// First pass of NORM and SOFTMAX: words go to the row buffer, and each row's statistic is taken on the way: the mean,
// or the largest score.
module bertd_slice_load (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  logic                  cmd_valid_i,
    input  bertd_pkg::slice_cmd_t cmd_i,
    input  logic                  space_i,      // in the row buffer
    input  logic                  in_valid_i,
    output logic                  in_ready_o,
    input  logic [         511:0] in_i,
    output logic                  taken_o,      // the group's last word
    output logic                  write_o,
    output logic [         511:0] write_data_o,
    output logic                  stat_valid_o,
    output logic [           1:0] stat_row_o,
    output logic [          31:0] stat_o,
    output logic                  error_o       // a score is not finite
);

    // The adders' path from a group's last word to its last mean. Until then no word comes, so that means and maxima
    // come in order.
    localparam int TO_MEAN = 1 + bertd_pkg::FOLD_CYCLES + bertd_pkg::FP_MUL_LATENCY;
    localparam logic [5:0] PAUSE = 6'(TO_MEAN);
    if (TO_MEAN > 63) $error("a pause of %0d cycles", TO_MEAN);

    logic softmax, accept, first, last, group_end;
    logic [1:0] row;
    logic [15:0] mask;
    logic [5:0] pause_q;
    assign softmax = cmd_i.kind == bertd_pkg::SLICE_SOFTMAX;
    assign in_ready_o = cmd_valid_i && space_i && pause_q == 6'd0;
    assign accept = in_valid_i && in_ready_o;
    assign taken_o = accept && group_end;
    bertd_slice_walk u_walk (
        .clk_i,
        .rst_ni,
        .advance_i(accept),
        .width_i  (cmd_i.width),
        .rows_i   (cmd_i.rows),
        .row_o    (row),
        .first_o  (first),
        .last_o   (last),
        .end_o    (group_end),
        .mask_o   (mask)
    );

    logic write_q, softmax_q, first_q, last_q, end_q;
    logic [1:0] row_q;
    logic [15:0] mask_q;
    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            write_q <= 1'b0;
            pause_q <= 6'd0;
        end else begin
            write_q <= accept;
            if (taken_o && !softmax) pause_q <= PAUSE;
            else if (pause_q != 6'd0) pause_q <= pause_q - 6'd1;
        end
    end
    always_ff @(posedge clk_i) begin
        for (int l = 0; l < 16; l++) write_data_o[32*l+:32] <= mask[l] ? in_i[32*l+:32] : 32'd0;
        softmax_q <= softmax;
        first_q <= first;
        last_q <= last;
        end_q <= group_end;
        row_q <= row;
        mask_q <= mask;
    end
    assign write_o = write_q;

    // Keys order as scores do: their sign bit flipped, or all bits.
    logic [15:0] top;
    logic [511:0] keys;
    for (genvar l = 0; l < 16; l++) begin : g_lane
        logic [31:0] x;
        assign x = write_data_o[32*l+:32];
        assign top[l] = x[30:23] == 8'd255;
        assign keys[32*l+:32] = !mask_q[l] ? 32'd0 : x[31] ? ~x : {1'b1, x[30:0]};
    end

    logic sum_valid, mean_valid, max_valid;
    logic [1:0] sum_row, mean_row, max_row;
    logic [31:0] sum, mean, max, inv_width_q;
    bertd_slice_accumulate u_accumulate (
        .clk_i,
        .rst_ni,
        .valid_i(write_q && !softmax_q),
        .first_i(first_q),
        .end_i  (end_q),
        .x_i    (write_data_o),
        .valid_o(sum_valid),
        .row_o  (sum_row),
        .sum_o  (sum)
    );
    always_ff @(posedge clk_i) if (taken_o) inv_width_q <= cmd_i.inv_width;
    bertd_fp_mul u_mean (
        .clk_i,
        .en_i(1'b1),
        .a_i (sum),
        .b_i (inv_width_q),
        .y_o (mean)
    );
    bertd_slice_valid #(
        .WIDTH(2),
        .DEPTH(bertd_pkg::FP_MUL_LATENCY)
    ) u_mean_valid (
        .clk_i,
        .rst_ni,
        .valid_i(sum_valid),
        .tag_i  (sum_row),
        .valid_o(mean_valid),
        .tag_o  (mean_row)
    );

    bertd_slice_max u_max (
        .clk_i,
        .rst_ni,
        .valid_i(write_q && softmax_q),
        .first_i(first_q),
        .last_i (last_q),
        .row_i  (row_q),
        .keys_i (keys),
        .valid_o(max_valid),
        .row_o  (max_row),
        .max_o  (max)
    );
    assign stat_valid_o = mean_valid || max_valid;
    assign stat_row_o = mean_valid ? mean_row : max_row;
    assign stat_o = mean_valid ? mean : max[31] ? {1'b0, max[30:0]} : ~max;
    assign error_o = write_q && softmax_q && top != 16'd0;

    logic unused;
    assign unused = ^cmd_i;

`ifndef SYNTHESIS
    always_ff @(posedge clk_i) assert (!(mean_valid && max_valid));
`endif

endmodule
