// Data path: bertd_slice_factor (1 / sqrt) and bertd_slice_scale (127 / amax, scales of probabilities).
// a / b, exactly rounded. A division every cycle, bertd_pkg::FP_DIV_LATENCY enabled cycles each: a row needs one or
// two, and groups of short rows follow each other closely.
module bertd_fp_div (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] a_i,
    input  logic [31:0] b_i,
    output logic [31:0] y_o
);

    localparam int STEPS = 13;

    logic a_zero, b_zero, a_top, b_top, a_inf, b_inf, a_nan, b_nan;
    assign a_zero = a_i[30:23] == 8'd0;
    assign b_zero = b_i[30:23] == 8'd0;
    assign a_top = a_i[30:23] == 8'd255;
    assign b_top = b_i[30:23] == 8'd255;
    assign a_inf = a_top && a_i[22:0] == 23'd0;
    assign b_inf = b_top && b_i[22:0] == 23'd0;
    assign a_nan = a_top && !a_inf;
    assign b_nan = b_top && !b_inf;

    logic [25*(STEPS+1)-1:0] remainders;
    logic [24*(STEPS+1)-1:0] divisors;
    logic [26*(STEPS+1)-1:0] quotients;
    assign remainders[24:0] = {2'b01, a_i[22:0]};
    assign divisors[23:0] = {1'b1, b_i[22:0]};
    assign quotients[25:0] = 26'd0;
    for (genvar i = 0; i < STEPS; i++) begin : g_step
        bertd_fp_div_step u_step (
            .clk_i,
            .en_i,
            .remainder_i(remainders[25*i+:25]),
            .divisor_i  (divisors[24*i+:24]),
            .quotient_i (quotients[26*i+:26]),
            .remainder_o(remainders[25*(i+1)+:25]),
            .divisor_o  (divisors[24*(i+1)+:24]),
            .quotient_o (quotients[26*(i+1)+:26])
        );
    end

    logic sign, zero, inf, nan;
    logic [9:0] exponent;
    bertd_fp_delay #(
        .WIDTH(14),
        .DEPTH(STEPS)
    ) u_rest (
        .clk_i,
        .en_i,
        .d_i({
            a_i[31] ^ b_i[31],
            {2'b0, a_i[30:23]} - {2'b0, b_i[30:23]} + 10'd126,
            a_zero || b_inf,
            a_inf || b_zero,
            a_nan || b_nan || (a_zero && b_zero) || (a_inf && b_inf)
        }),
        .q_o({sign, exponent, zero, inf, nan})
    );

    // The quotient of two mantissas lies between 1/2 and 2.
    logic [25:0] quotient, normal;
    logic rest;
    assign quotient = quotients[26*STEPS+:26];
    assign normal = quotient[25] ? quotient : {quotient[24:0], 1'b0};
    assign rest = remainders[25*STEPS+:25] != 25'd0;
    bertd_fp_round u_round (
        .clk_i,
        .en_i,
        .sign_i    (sign),
        .exponent_i(exponent + 10'(quotient[25])),
        .fraction_i(normal[24:2]),
        .guard_i   (normal[1]),
        .sticky_i  (normal[0] || rest),
        .zero_i    (zero),
        .inf_i     (inf),
        .nan_i     (nan),
        .y_o
    );

    logic unused;
    assign unused = ^{divisors[24*STEPS+:24], normal[25]};

endmodule
