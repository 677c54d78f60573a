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
    output logic        error_o,          // amax is not finite
    output logic [ 1:0] ask_valid_o,      // quotients, please: inverses and factors
    output logic [ 5:0] ask_tag_o,
    output logic [63:0] ask_a_o,
    output logic [63:0] ask_b_o,
    input  logic [ 1:0] quotient_valid_i,
    input  logic [ 2:0] quotient_tag_i,
    input  logic [31:0] quotient_i
);

    localparam logic [7:0] TINY_EXPONENT = 8'd27;  // IMAGE_TINY of accel/image.h, 2^-100
    localparam logic [31:0] QUANT_MAX = 32'h42fe0000;        // 127
    localparam logic [31:0] QUANT_STEP = 32'h3c010204;       // 1 / 127, rounded
    localparam logic [31:0] SOFTMAX_MAX = 32'h467e0000;      // 127 * 128
    localparam logic [31:0] SOFTMAX_STEP = 32'h38810204;     // 1 / 16256, rounded

    logic tiny, step_valid, step_tiny, quotient_tiny;
    logic [1:0] step_row, quotient_row;
    logic [31:0] step, quotient;
    logic [127:0] steps_q;
    logic [3:0] tiny_q;
    assign tiny = amax_i[30:23] < TINY_EXPONENT;
    assign error_o = amax_valid_i && amax_i[30:23] == 8'd255;

    assign {quotient_tiny, quotient_row} = quotient_tag_i;
    assign quotient = quotient_tiny ? 32'd0 : quotient_i;
    assign ask_valid_o = {z_valid_i, amax_valid_i};
    assign ask_tag_o = {tiny_q[z_row_i], z_row_i, tiny, amax_row_i};
    assign ask_a_o = {steps_q[32*z_row_i+:32], softmax_i ? SOFTMAX_MAX : QUANT_MAX};
    assign ask_b_o = {z_i, amax_i};
    assign inverse_valid_o = quotient_valid_i[0];
    assign inverse_row_o = quotient_row;
    assign inverse_o = quotient;

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
    always_ff @(posedge clk_i) begin
        if (step_valid) begin
            steps_q[32*step_row+:32] <= step;
            tiny_q[step_row] <= step_tiny;
        end
    end

    assign scale_valid_o = softmax_i ? quotient_valid_i[1] : step_valid;
    assign scale_row_o = softmax_i ? quotient_row : step_row;
    assign scale_o = softmax_i ? quotient : step_tiny ? 32'd0 : step;

endmodule
