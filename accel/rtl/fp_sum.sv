// A product of P bits (as fp_product gives it: bit P-2 counts 2^(exponent - 127)) + c, rounded once, in four stages:
// the heart of fp_add, fp_fma and the accumulators.
//
// The operand with the larger exponent stays where it is, the other is shifted to it: first by multiples of 16, in the
// next stage by the rest. The difference is taken both ways and the positive one kept. Rounding is to nearest even with
// an unbounded exponent, and then what is below 2^-126 becomes zero: as MXCSR.FTZ does it, which looks at a result
// after rounding.
//
// DOMINANT: c is known to be so much larger than the product that the sum's leading one moves by at most one bit.
// That saves the exchange, the second difference and most of the normalisation.
module fp_sum #(
    parameter int P = 48,
    parameter bit DOMINANT = 1'b0
) (
    input  logic         clk_i,
    input  logic         en_i,
    input  logic         sign_i,
    input  logic [  9:0] exponent_i,
    input  logic [P-1:0] mantissa_i,
    input  logic         inf_i,
    input  logic         nan_i,
    input  logic [ 31:0] c_i,
    output logic [ 31:0] y_o
);

    localparam int W = P + 3;  // guard, round and sticky bit below
    localparam int S = W + 1;  // of a sum
    localparam int COUNT = $clog2(S + 1);

    // 1: which is larger; coarse shift
    logic c_zero, c_top, c_nan, c_larger;
    logic [9:0] c_exponent;
    logic [P-1:0] c_mantissa, larger, smaller;
    logic [10:0] above, below, distance;
    logic [W-2:0] coarse;
    logic coarse_sticky;
    assign c_zero = c_i[30:23] == 8'd0;
    assign c_top = c_i[30:23] == 8'd255;
    assign c_nan = c_top && c_i[22:0] != 23'd0;
    assign c_exponent = c_zero ? -10'sd256 : {2'b0, c_i[30:23]};
    assign c_mantissa = c_zero ? '0 : {2'b01, c_i[22:0], {(P - 25) {1'b0}}};
    assign above = {c_exponent[9], c_exponent} - {exponent_i[9], exponent_i};
    assign below = {exponent_i[9], exponent_i} - {c_exponent[9], c_exponent};
    assign c_larger = DOMINANT || !above[10];
    assign distance = c_larger ? above : below;
    assign larger = c_larger ? c_mantissa : mantissa_i;
    assign smaller = c_larger ? mantissa_i : c_mantissa;

    localparam int T = P + 2 + 64;
    logic [T-1:0] shifted16;
    always_comb begin
        case (distance[5:4])
            2'd0: shifted16 = {smaller, 66'd0};
            2'd1: shifted16 = {16'd0, smaller, 50'd0};
            2'd2: shifted16 = {32'd0, smaller, 34'd0};
            default: shifted16 = {48'd0, smaller, 18'd0};
        endcase
        coarse = shifted16[T-1-:W-1];
        coarse_sticky = |shifted16[T-W:0];
        if (distance[10:6] != 5'd0) begin
            coarse = '0;
            coarse_sticky = |smaller;
        end
    end

    logic c_larger1_q, subtract1_q, sign1_q, c_sign1_q, sticky1_q, inf1_q, nan1_q, inf_sign1_q;
    logic [9:0] exponent1_q;
    logic [P-1:0] larger1_q;
    logic [W-2:0] smaller1_q;
    logic [3:0] fine1_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            c_larger1_q <= c_larger;
            subtract1_q <= sign_i ^ c_i[31];
            sign1_q <= sign_i;
            c_sign1_q <= c_i[31];
            exponent1_q <= c_larger ? c_exponent : exponent_i;
            larger1_q <= larger;
            smaller1_q <= coarse;
            sticky1_q <= coarse_sticky;
            fine1_q <= distance[3:0];
            inf1_q <= inf_i || c_top;
            inf_sign1_q <= inf_i ? sign_i : c_i[31];
            nan1_q <= nan_i || c_nan || (inf_i && c_top && sign_i != c_i[31]);
        end
    end

    // 2: fine shift; sum, or difference both ways
    logic [W+13:0] fine;
    logic [S-1:0] kept, moved, sum, reverse, magnitude;
    logic negative;
    assign fine = {smaller1_q, 15'd0} >> fine1_q;
    assign kept = {1'b0, larger1_q, 3'd0};
    assign moved = {1'b0, fine[W+13:15], |fine[14:0] || sticky1_q};
    assign sum = subtract1_q ? kept - moved : kept + moved;
    assign reverse = moved - kept;
    assign negative = !DOMINANT && subtract1_q && sum[S-1];
    assign magnitude = negative ? reverse : sum;

    logic [S-1:0] magnitude2_q;
    logic sign2_q, inf2_q, nan2_q, inf_sign2_q;
    logic [9:0] exponent2_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            magnitude2_q <= magnitude;
            sign2_q <= magnitude == '0 ? sign1_q && c_sign1_q : (c_larger1_q ? c_sign1_q : sign1_q) ^ negative;
            exponent2_q <= exponent1_q;
            inf2_q <= inf1_q;
            nan2_q <= nan1_q;
            inf_sign2_q <= inf_sign1_q;
        end
    end

    // 3: normalise
    logic [COUNT-1:0] zeros;
    logic [S-1:0] normal;
    fp_leading_zeros #(
        .WIDTH(S),
        .MOST (DOMINANT ? 3 : S)
    ) u_zeros (
        .x_i    (magnitude2_q),
        .count_o(zeros)
    );
    assign normal = magnitude2_q << zeros;

    logic [23:0] mantissa3_q;
    logic guard3_q, sticky3_q, zero3_q, sign3_q, inf3_q, nan3_q;
    logic [9:0] exponent3_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            mantissa3_q <= normal[S-1-:24];
            guard3_q <= normal[S-25];
            sticky3_q <= |normal[S-26:0];
            zero3_q <= magnitude2_q == '0;
            exponent3_q <= exponent2_q + 10'd2 - 10'(zeros);
            sign3_q <= inf2_q ? inf_sign2_q : sign2_q;
            inf3_q <= inf2_q;
            nan3_q <= nan2_q;
        end
    end

    fp_round u_round (
        .clk_i,
        .en_i,
        .sign_i    (sign3_q),
        .exponent_i(exponent3_q),
        .mantissa_i(mantissa3_q),
        .guard_i   (guard3_q),
        .sticky_i  (sticky3_q),
        .zero_i    (zero3_q),
        .inf_i     (inf3_q),
        .nan_i     (nan3_q),
        .y_o
    );

endmodule
