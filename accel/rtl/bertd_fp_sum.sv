// Data path: a product of bertd_fp_product and c -> the result of bertd_fp_fma.
// A product (as bertd_fp_product gives it: bit 46 counts 2^(exponent - 127)) + c, rounded once, in four stages: the
// second half of bertd_fp_fma.
//
// The operand with the larger exponent stays where it is, the other is shifted to it: first by multiples of 16, in the
// next stage by the rest. A difference is taken in the direction in which it is not below 0: the operand that stays is
// the smaller one only where it is c, and 0 or at most one place from the product, whose mantissa is below 4. Rounding is to nearest
// even with an unbounded exponent, and then what is below 2^-126 becomes zero: as MXCSR.FTZ does it, which looks at a
// result after rounding.
module bertd_fp_sum #(
    parameter bit FINITE_C = 1'b0  // c is finite
) (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic        sign_i,
    input  logic [ 9:0] exponent_i,
    input  logic [47:0] mantissa_i,
    input  logic        inf_i,
    input  logic        nan_i,
    input  logic [31:0] c_i,
    output logic [31:0] y_o
);

    localparam int W = 51;  // guard, round and sticky bit below
    localparam int S = W + 1;  // of a sum

    // 1: which is larger; coarse shift. With c's exponent below the product's, ~difference is one less than the distance.
    logic c_zero, c_top, c_nan, c_larger, smaller_zero, shifted_out, above, reverse;
    logic [9:0] c_exponent;
    logic [10:0] difference;
    logic [9:0] distance;
    logic [48:0] smaller;
    logic [W-2:0] coarse;
    logic lost;
    logic [25:0] product;  // its low bits are one
    assign c_zero = c_i[30:23] == 8'd0;
    assign c_top = !FINITE_C && c_i[30:23] == 8'd255;
    assign c_nan = c_top && c_i[22:0] != 23'd0;
    assign c_exponent = {2'b0, c_i[30:23]};
    assign difference = {1'b0, c_exponent} - {exponent_i[9], exponent_i};
    assign c_larger = !difference[10];
    assign distance = difference[9:0] ^ {10{!c_larger}};
    assign smaller = c_larger ? {mantissa_i, 1'b0} : {3'b001, c_i[22:0], 23'd0};
    assign smaller_zero = !c_larger && c_zero;
    assign shifted_out = distance[9:6] != 4'd0 || smaller_zero;
    assign product = distance[0] ? {1'b0, mantissa_i[47:24], mantissa_i[23:0] != 24'd0} :
        {mantissa_i[47:23], mantissa_i[22:0] != 23'd0};
    assign above = product > {2'b01, c_i[22:0], 1'b0};
    assign reverse = c_larger && (sign_i ^ c_i[31]) &&
        (c_zero ? mantissa_i != 48'd0 : distance[9:1] == 9'd0 && above);
    always_comb begin
        case (distance[5:4])
            2'd0: begin
                coarse = {smaller, 1'd0};
                lost = 1'b0;
            end
            2'd1: begin
                coarse = {16'd0, smaller[48:15]};
                lost = smaller[14:0] != 15'd0;
            end
            2'd2: begin
                coarse = {32'd0, smaller[48:31]};
                lost = smaller[30:0] != 31'd0;
            end
            default: begin
                coarse = {48'd0, smaller[48:47]};
                lost = smaller[46:0] != 47'd0;
            end
        endcase
    end

    logic c_larger1_q, subtract1_q, reverse1_q, sign1_q, c_sign1_q, sticky1_q, inf1_q, nan1_q, inf_sign1_q;
    logic [9:0] exponent1_q;
    logic [47:0] larger1_q;
    logic [W-2:0] smaller1_q;
    logic [3:0] fine1_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            c_larger1_q <= c_larger;
            subtract1_q <= sign_i ^ c_i[31];
            reverse1_q <= reverse;
            sign1_q <= sign_i;
            c_sign1_q <= c_i[31];
            exponent1_q <= c_larger ? c_exponent : exponent_i;
            larger1_q <= !c_larger ? mantissa_i : (c_zero ? 48'd0 : {2'b01, c_i[22:0], 23'd0}) ^ {48{reverse}};
            smaller1_q <= coarse;
            sticky1_q <= shifted_out ? smaller[47:0] != 48'd0 && !smaller_zero : lost;
            fine1_q <= distance[3:0];
            if (shifted_out) smaller1_q <= '0;
            inf1_q <= inf_i || c_top;
            inf_sign1_q <= inf_i ? sign_i : c_i[31];
            nan1_q <= nan_i || c_nan || (inf_i && c_top && sign_i != c_i[31]);
        end
    end

    // 2: fine shift; sum or difference
    logic [W+13:0] fine;
    logic [S-1:0] kept, moved;
    logic [S:0] sum;
    assign fine = {smaller1_q, 15'd0} >> fine1_q;
    assign kept = {reverse1_q, larger1_q, {3{reverse1_q}}};
    assign moved = {1'b0, fine[W+13:15], fine[14:0] != 15'd0 || sticky1_q};
    assign sum = {kept, 1'b1} + {moved ^ {S{subtract1_q && !reverse1_q}}, subtract1_q};

    logic [S-1:0] magnitude2_q;
    logic sign2_q, both2_q, inf2_q, nan2_q, inf_sign2_q;
    logic [9:0] exponent2_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            magnitude2_q <= sum[S:1];
            sign2_q <= (c_larger1_q ? c_sign1_q : sign1_q) ^ reverse1_q;
            both2_q <= sign1_q && c_sign1_q;
            exponent2_q <= exponent1_q;
            inf2_q <= inf1_q;
            nan2_q <= nan1_q;
            inf_sign2_q <= inf_sign1_q;
        end
    end

    // 3: normalise
    logic [5:0] zeros;
    logic [23:0] normal;
    logic guard, sticky, zero;
    bertd_fp_leading_zeros #(
        .WIDTH(S)
    ) u_zeros (
        .x_i    (magnitude2_q),
        .count_o(zeros)
    );
    bertd_fp_normalise #(
        .WIDTH(S)
    ) u_normalise (
        .x_i       (magnitude2_q),
        .zeros_i   (zeros),
        .mantissa_o(normal),
        .guard_o   (guard),
        .sticky_o  (sticky)
    );
    assign zero = magnitude2_q == '0;

    logic [22:0] fraction3_q;
    logic guard3_q, sticky3_q, zero3_q, sign3_q, inf3_q, nan3_q;
    logic [9:0] exponent3_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            fraction3_q <= normal[22:0];
            guard3_q <= guard;
            sticky3_q <= sticky;
            zero3_q <= zero;
            exponent3_q <= exponent2_q + 10'd2 - 10'(zeros);
            sign3_q <= inf2_q ? inf_sign2_q : zero ? both2_q : sign2_q;
            inf3_q <= inf2_q;
            nan3_q <= nan2_q;
        end
    end

    bertd_fp_round u_round (
        .clk_i,
        .en_i,
        .sign_i    (sign3_q),
        .exponent_i(exponent3_q),
        .fraction_i(fraction3_q),
        .guard_i   (guard3_q),
        .sticky_i  (sticky3_q),
        .zero_i    (zero3_q),
        .inf_i     (inf3_q),
        .nan_i     (nan3_q),
        .y_o
    );

    logic unused;
    assign unused = ^{sum[0], normal[23]};

endmodule
