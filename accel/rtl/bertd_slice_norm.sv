// Data path: differences of bertd_slice_center -> normalised rows -> output of the slice and rotation.
// NORM's second pass behind the subtraction: y = fma(d * factor, gamma, beta). Where the mask has no bit it means nothing.
module bertd_slice_norm (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic         valid_i,
    input  logic [  1:0] row_i,
    input  logic [ 15:0] mask_i,
    input  logic [511:0] d_i,
    input  logic [ 31:0] factor_i,      // of the row
    input  logic [511:0] gamma_i,       // the first side word not yet taken
    input  logic [511:0] beta_i,        // likewise
    output logic         gamma_taken_o, // by its last row
    output logic         beta_taken_o,
    output logic         valid_o,
    output logic [ 15:0] mask_o,
    output logic [511:0] y_o
);

    logic scaled_valid, added_valid;
    logic [15:0] scaled_mask;
    logic [1:0] scaled_row, added_row;
    logic [511:0] scaled;
    bertd_slice_valid #(
        .WIDTH(18),
        .DEPTH(bertd_pkg::FP_MUL_LATENCY)
    ) u_scaled_valid (
        .clk_i,
        .rst_ni,
        .valid_i,
        .tag_i  ({row_i, mask_i}),
        .valid_o(scaled_valid),
        .tag_o  ({scaled_row, scaled_mask})
    );
    assign gamma_taken_o = scaled_valid && scaled_row == 2'd3;
    bertd_slice_valid #(
        .WIDTH(2),
        .DEPTH(bertd_pkg::FP_PRODUCT_LATENCY)
    ) u_added_valid (
        .clk_i,
        .rst_ni,
        .valid_i(scaled_valid),
        .tag_i  (scaled_row),
        .valid_o(added_valid),
        .tag_o  (added_row)
    );
    assign beta_taken_o = added_valid && added_row == 2'd3;
    bertd_slice_valid #(
        .WIDTH(16),
        .DEPTH(bertd_pkg::FP_FMA_LATENCY)
    ) u_valid (
        .clk_i,
        .rst_ni,
        .valid_i(scaled_valid),
        .tag_i  (scaled_mask),
        .valid_o,
        .tag_o  (mask_o)
    );

    for (genvar l = 0; l < 16; l++) begin : g_lane
        bertd_fp_mul u_scaled (
            .clk_i,
            .en_i(1'b1),
            .a_i (d_i[32*l+:32]),
            .b_i (factor_i),
            .y_o (scaled[32*l+:32])
        );
        bertd_fp_fma u_y (
            .clk_i,
            .en_i(1'b1),
            .a_i (scaled[32*l+:32]),
            .b_i (gamma_i[32*l+:32]),
            .c_i (beta_i[32*l+:32]),
            .y_o (y_o[32*l+:32])
        );
    end

endmodule
