// A normalised mantissa (or zero) with guard and sticky bit -> binary32: to nearest even; below 2^-126 after rounding
// zero; from 2^128 on infinite. One stage.
module fp_round (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic        sign_i,
    input  logic [ 9:0] exponent_i,  // two's complement, biased by 127
    input  logic [23:0] mantissa_i,
    input  logic        guard_i,
    input  logic        sticky_i,
    input  logic        zero_i,
    input  logic        inf_i,
    input  logic        nan_i,
    output logic [31:0] y_o
);

    logic [24:0] rounded;
    logic [ 9:0] exponent;
    logic tiny, huge;
    assign rounded = {1'b0, mantissa_i} + 25'(guard_i && (sticky_i || mantissa_i[0]));
    assign exponent = exponent_i + 10'(rounded[24]);
    assign tiny = exponent[9] || exponent == 10'd0 || zero_i;
    assign huge = !exponent[9] && exponent >= 10'd255;

    // Where rounding carries into bit 24, the bits below are zeros.
    logic [31:0] y_d;
    always_comb begin
        y_d = {sign_i, exponent[7:0], rounded[22:0]};
        if (tiny) y_d = {sign_i, 31'd0};
        if (inf_i || (huge && !zero_i)) y_d = {sign_i, 8'd255, 23'd0};
        if (nan_i) y_d = 32'h7fc00000;
    end

    always_ff @(posedge clk_i) if (en_i) y_o <= y_d;

    logic unused;
    assign unused = rounded[23];

endmodule
