// Data path: sums of squares of bertd_slice_sum -> factors of rows -> bertd_slice_norm.
// NORM: the sum of a row's squared deviations -> 1 / sqrt(sum / width + eps); 0 for rows that are not valid.
module bertd_slice_factor (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic [ 31:0] inv_width_i,  // steady while a group is in flight, as eps and rows
    input  logic [ 31:0] eps_i,
    input  logic [  2:0] rows_i,
    input  logic         valid_i,
    input  logic [  1:0] row_i,
    input  logic [ 31:0] sum_i,
    input  logic         taken_i,      // the factors were used for the last time
    output logic         ready_o,      // there are four of them
    output logic [127:0] factors_o,
    output logic         error_o,      // one is not above 0 and finite
    output logic         root_valid_o, // to be divided by, please
    output logic [  1:0] root_row_o,
    output logic [ 31:0] root_o,
    input  logic         factor_valid_i,
    input  logic [  1:0] factor_row_i,
    input  logic [ 31:0] factor_i
);

    localparam int LATENCY = bertd_pkg::FP_MUL_LATENCY + bertd_pkg::FP_ADD_LATENCY + bertd_pkg::FP_SQRT_LATENCY;

    logic [31:0] variance, shifted;
    bertd_fp_mul u_variance (
        .clk_i,
        .en_i(1'b1),
        .a_i (sum_i),
        .b_i (inv_width_i),
        .y_o (variance)
    );
    bertd_fp_add u_shifted (
        .clk_i,
        .en_i(1'b1),
        .a_i (variance),
        .b_i (eps_i),
        .y_o (shifted)
    );
    bertd_fp_sqrt u_root (
        .clk_i,
        .en_i(1'b1),
        .x_i (shifted),
        .y_o (root_o)
    );

    logic there;
    bertd_slice_valid #(
        .WIDTH(2),
        .DEPTH(LATENCY)
    ) u_valid (
        .clk_i,
        .rst_ni,
        .valid_i,
        .tag_i  (row_i),
        .valid_o(root_valid_o),
        .tag_o  (root_row_o)
    );
    assign there = {1'b0, factor_row_i} < rows_i;
    assign error_o = factor_valid_i && there &&
        (factor_i[31] || factor_i[30:23] == 8'd0 || factor_i[30:23] == 8'd255);

    always_ff @(posedge clk_i) if (factor_valid_i) factors_o[32*factor_row_i+:32] <= there ? factor_i : 32'd0;
    always_ff @(posedge clk_i) begin
        if (!rst_ni) ready_o <= 1'b0;
        else if (taken_i) ready_o <= 1'b0;
        else if (factor_valid_i && factor_row_i == 2'd3) ready_o <= 1'b1;
    end

endmodule
