// Data path: largest magnitudes of bertd_slice_collect -> inverse scales for bertd_slice_put, scales for the output.
// A row's largest magnitude -> the factor it is quantised with, and the scale that goes out:
//   QUANT, NORM  127 / amax    and  amax * (1 / 127)
//   SOFTMAX      16256 / wmax  and  (wmax * (1 / 16256)) / z
// Both are 0 for amax below 2^-100.
module bertd_slice_scale (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic        softmax_i,        // steady while anything is in flight
    input  logic        amax_valid_i,
    input  logic [ 1:0] amax_row_i,
    input  logic [31:0] amax_i,
    input  logic        z_valid_i,        // SOFTMAX: after the row's amax, before the next group's
    input  logic [ 1:0] z_row_i,
    input  logic [31:0] z_i,
    output logic        inverse_valid_o,
    output logic [ 1:0] inverse_row_o,
    output logic [31:0] inverse_o,
    output logic        scale_valid_o,
    output logic [ 1:0] scale_row_o,
    output logic [31:0] scale_o,
    output logic        error_o           // amax is not finite
);

    localparam logic [7:0] TINY_EXPONENT = 8'd27;  // IMAGE_TINY of accel/image.h, 2^-100
    localparam logic [31:0] QUANT_MAX = 32'h42fe0000;        // 127
    localparam logic [31:0] QUANT_STEP = 32'h3c010204;       // 1 / 127, rounded
    localparam logic [31:0] SOFTMAX_MAX = 32'h467e0000;      // 127 * 128
    localparam logic [31:0] SOFTMAX_STEP = 32'h38810204;     // 1 / 16256, rounded

    logic tiny, inverse_tiny, step_valid, step_tiny;
    logic [1:0] step_row;
    logic [31:0] inverse, step;
    assign tiny = amax_i[30:23] < TINY_EXPONENT;
    assign error_o = amax_valid_i && amax_i[30:23] == 8'd255;

    bertd_fp_div u_inverse (
        .clk_i,
        .en_i(1'b1),
        .a_i (softmax_i ? SOFTMAX_MAX : QUANT_MAX),
        .b_i (amax_i),
        .y_o (inverse)
    );
    bertd_slice_valid #(
        .WIDTH(3),
        .DEPTH(bertd_pkg::FP_DIV_LATENCY)
    ) u_inverse_valid (
        .clk_i,
        .rst_ni,
        .valid_i(amax_valid_i),
        .tag_i  ({tiny, amax_row_i}),
        .valid_o(inverse_valid_o),
        .tag_o  ({inverse_tiny, inverse_row_o})
    );
    assign inverse_o = inverse_tiny ? 32'd0 : inverse;

    bertd_fp_mul u_step (
        .clk_i,
        .en_i(1'b1),
        .a_i (amax_i),
        .b_i (softmax_i ? SOFTMAX_STEP : QUANT_STEP),
        .y_o (step)
    );
    bertd_slice_valid #(
        .WIDTH(3),
        .DEPTH(bertd_pkg::FP_MUL_LATENCY)
    ) u_step_valid (
        .clk_i,
        .rst_ni,
        .valid_i(amax_valid_i),
        .tag_i  ({tiny, amax_row_i}),
        .valid_o(step_valid),
        .tag_o  ({step_tiny, step_row})
    );

    // Steps wait for their z.
    logic [127:0] steps_q;
    logic [3:0] tiny_q;
    always_ff @(posedge clk_i) begin
        if (step_valid) begin
            steps_q[32*step_row+:32] <= step;
            tiny_q[step_row] <= step_tiny;
        end
    end
    logic factor_valid, factor_tiny;
    logic [1:0] factor_row;
    logic [31:0] factor;
    bertd_fp_div u_factor (
        .clk_i,
        .en_i(1'b1),
        .a_i (steps_q[32*z_row_i+:32]),
        .b_i (z_i),
        .y_o (factor)
    );
    bertd_slice_valid #(
        .WIDTH(3),
        .DEPTH(bertd_pkg::FP_DIV_LATENCY)
    ) u_factor_valid (
        .clk_i,
        .rst_ni,
        .valid_i(z_valid_i),
        .tag_i  ({tiny_q[z_row_i], z_row_i}),
        .valid_o(factor_valid),
        .tag_o  ({factor_tiny, factor_row})
    );

    assign scale_valid_o = softmax_i ? factor_valid : step_valid;
    assign scale_row_o = softmax_i ? factor_row : step_row;
    assign scale_o = softmax_i ? (factor_tiny ? 32'd0 : factor) : step_tiny ? 32'd0 : step;

endmodule
