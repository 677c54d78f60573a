// Data path: normalised results of the floating-point units -> binary32.
// A normalised mantissa (or zero) with guard and sticky bit -> binary32: to nearest even; below 2^-126 after rounding
// zero; from 2^128 on infinite. One stage.
//
// Where rounding carries out of the mantissa, its bits are zeros and the exponent counts up: one adder for both.
module bertd_fp_round (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic        sign_i,
    input  logic [ 9:0] exponent_i,  // two's complement, biased by 127
    input  logic [22:0] fraction_i,  // behind the leading one
    input  logic        guard_i,
    input  logic        sticky_i,
    input  logic        zero_i,
    input  logic        inf_i,
    input  logic        nan_i,
    output logic [31:0] y_o
);

    logic [32:0] rounded;
    logic [ 9:0] exponent;
    logic tiny, huge, top;
    assign rounded = {exponent_i, fraction_i} + 33'(guard_i && (sticky_i || fraction_i[0]));
    assign exponent = rounded[32:23];
    assign tiny = exponent[9] || exponent == 10'd0 || zero_i;
    assign huge = !exponent[9] && (exponent[8] || exponent[7:0] == 8'd255) && !zero_i;
    assign top = inf_i || nan_i || huge;

    // Fraction bits that are 0 are so by the registers' reset.
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            y_o[31] <= sign_i;
            y_o[30:23] <= exponent[7:0] & {8{!tiny}} | {8{top}};
            y_o[22:0] <= rounded[22:0];
            if (tiny || top) y_o[22:0] <= {nan_i, 22'd0};
        end
    end

endmodule
