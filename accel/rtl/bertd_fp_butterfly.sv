// Data path: two lanes of a word in the rotation's first stages -> their sum and difference.
// a + b and a - b, aligned once. bertd_pkg::FP_ADD_LATENCY enabled cycles.
//
// One of the two adds the magnitudes, so that its leading one moves by a place at most; only the other one needs
// normalising. Which is which, is decided before both are rounded.
module bertd_fp_butterfly (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] a_i,
    input  logic [31:0] b_i,
    output logic [31:0] sum_o,
    output logic [31:0] difference_o
);

    localparam int STAGES = 4;
    logic [31:0] sum, difference;
    if (bertd_pkg::FP_ADD_LATENCY < STAGES) $error("bertd_fp_butterfly has %0d stages", STAGES);

    // 1: align
    logic sign1, subtract1, swap1, zero1, inf1, both_inf1, nan1;
    logic [7:0] exponent1;
    logic [26:0] larger1, smaller1;
    bertd_fp_align u_align (
        .clk_i,
        .en_i,
        .a_i,
        .b_i,
        .sign_o    (sign1),
        .subtract_o(subtract1),
        .swap_o    (swap1),
        .zero_o    (zero1),
        .exponent_o(exponent1),
        .larger_o  (larger1),
        .smaller_o (smaller1),
        .inf_o     (inf1),
        .both_inf_o(both_inf1),
        .nan_o     (nan1)
    );

    // 2: magnitudes added (plus) and subtracted (minus)
    logic [27:0] plus2_q;
    logic [26:0] minus2_q;
    logic subtract2_q, plus_sign2_q, minus_sign2_q, inf2_q, plus_nan2_q, minus_nan2_q;
    logic [7:0] exponent2_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            plus2_q <= {1'b0, larger1} + {1'b0, smaller1};
            minus2_q <= larger1 - smaller1;
            subtract2_q <= subtract1;
            plus_sign2_q <= sign1;
            minus_sign2_q <= (sign1 ^ swap1) && !zero1;
            exponent2_q <= exponent1;
            inf2_q <= inf1;
            plus_nan2_q <= nan1;
            minus_nan2_q <= nan1 || both_inf1;
        end
    end

    // 3: normalise
    logic [4:0] zeros;
    logic [26:0] normal;
    logic zero;
    bertd_fp_leading_zeros #(
        .WIDTH(27)
    ) u_zeros (
        .x_i    (minus2_q),
        .count_o(zeros)
    );
    assign normal = minus2_q << zeros;
    assign zero = minus2_q == 27'd0;

    localparam int NUMBER = 3 + 10 + 25;
    logic subtract3_q, inf3_q;
    logic [NUMBER-1:0] plus3_q, minus3_q;  // zero, not a number, sign, exponent, fraction, guard, sticky
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            subtract3_q <= subtract2_q;
            inf3_q <= inf2_q;
            plus3_q <= {
                1'b0, plus_nan2_q, plus_sign2_q, {2'd0, exponent2_q} + 10'(plus2_q[27]),
                plus2_q[27] ? {plus2_q[26:3], plus2_q[2:0] != 3'd0} : {plus2_q[25:2], plus2_q[1:0] != 2'd0}
            };
            minus3_q <= {
                zero, minus_nan2_q, minus_sign2_q && !zero, {2'd0, exponent2_q} - 10'(zeros),
                normal[25:2], normal[1:0] != 2'd0
            };
        end
    end

    logic [NUMBER-1:0] sum3, difference3;
    assign sum3 = subtract3_q ? minus3_q : plus3_q;
    assign difference3 = subtract3_q ? plus3_q : minus3_q;
    bertd_fp_round u_sum (
        .clk_i,
        .en_i,
        .sign_i    (sum3[NUMBER-3]),
        .exponent_i(sum3[NUMBER-4-:10]),
        .fraction_i(sum3[24:2]),
        .guard_i   (sum3[1]),
        .sticky_i  (sum3[0]),
        .zero_i    (sum3[NUMBER-1]),
        .inf_i     (inf3_q),
        .nan_i     (sum3[NUMBER-2]),
        .y_o       (sum)
    );
    bertd_fp_round u_difference (
        .clk_i,
        .en_i,
        .sign_i    (difference3[NUMBER-3]),
        .exponent_i(difference3[NUMBER-4-:10]),
        .fraction_i(difference3[24:2]),
        .guard_i   (difference3[1]),
        .sticky_i  (difference3[0]),
        .zero_i    (difference3[NUMBER-1]),
        .inf_i     (inf3_q),
        .nan_i     (difference3[NUMBER-2]),
        .y_o       (difference)
    );
    bertd_fp_delay #(
        .WIDTH(64),
        .DEPTH(bertd_pkg::FP_ADD_LATENCY - STAGES)
    ) u_later (
        .clk_i,
        .en_i,
        .d_i({sum, difference}),
        .q_o({sum_o, difference_o})
    );

    logic unused;
    assign unused = normal[26];

endmodule
