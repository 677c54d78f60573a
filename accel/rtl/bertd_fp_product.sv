// Data path: operands of bertd_fp_mul, bertd_fp_fma and other units -> the exact product, to be rounded or added.
// The exact product of two binary32: bit 46 of the mantissa counts 2^(exponent - 127). bertd_pkg::FP_PRODUCT_LATENCY
// enabled cycles. Subnormal operands are zeros.
//
// Two DSPs (24 x 17 and 24 x 7 bits), the second one adding what the first carries over. The exponent of a zero is
// lower than any other, so that bertd_fp_sum never shifts what is added to it.
module bertd_fp_product (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] a_i,
    input  logic [31:0] b_i,
    output logic        sign_o,
    output logic [ 9:0] exponent_o,  // two's complement
    output logic [47:0] mantissa_o,
    output logic        inf_o,
    output logic        nan_o
);

    localparam int STAGES = 4;
    logic sign, inf, nan;
    logic [9:0] exponent;
    logic [47:0] mantissa;
    if (bertd_pkg::FP_PRODUCT_LATENCY < STAGES) $error("bertd_fp_product has %0d stages", STAGES);
    bertd_fp_delay #(
        .WIDTH(61),
        .DEPTH(bertd_pkg::FP_PRODUCT_LATENCY - STAGES)
    ) u_later (
        .clk_i,
        .en_i,
        .d_i({sign, exponent, mantissa, inf, nan}),
        .q_o({sign_o, exponent_o, mantissa_o, inf_o, nan_o})
    );

    logic a_zero, b_zero, a_top, b_top, a_inf, b_inf;
    assign a_zero = a_i[30:23] == 8'd0;
    assign b_zero = b_i[30:23] == 8'd0;
    assign a_top = a_i[30:23] == 8'd255;
    assign b_top = b_i[30:23] == 8'd255;
    assign a_inf = a_top && a_i[22:0] == 23'd0;
    assign b_inf = b_top && b_i[22:0] == 23'd0;

    // The low DSP gives its sum after three cycles, the high one a cycle later.
    logic [47:0] chain, low, high, chain_end;
    logic [16:0] low_q;
    logic zero1_q, zero2_q;
    bertd_dsp_multiply_add #(
        .STAGES(1)
    ) u_low (
        .clk_i,
        .en_i,
        .clear_i(zero1_q),
        .a_i    ({4'd1, a_i[22:0]}),
        .d_i    (27'd0),
        .b_i    ({1'b0, b_i[16:0]}),
        .chain_i(48'd0),
        .chain_o(chain),
        .p_o    (low)
    );
    bertd_dsp_multiply_add #(
        .STAGES(2),
        .CHAIN (2)
    ) u_high (
        .clk_i,
        .en_i,
        .clear_i(zero2_q),
        .a_i    ({4'd1, a_i[22:0]}),
        .d_i    (27'd0),
        .b_i    ({12'd1, b_i[22:17]}),
        .chain_i(chain),
        .chain_o(chain_end),
        .p_o    (high)
    );
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            zero1_q <= a_zero || b_zero;
            zero2_q <= zero1_q;
            low_q <= low[16:0];
        end
    end
    assign mantissa = {high[30:0], low_q};

    logic [9:0] exponent_q, exponent2_q;
    logic sign_q, inf_q, nan_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            exponent_q <= {2'b0, a_i[30:23]} + {2'b0, b_i[30:23]};
            exponent2_q <= exponent_q - 10'd127;
            if (zero1_q) exponent2_q <= -10'sd256;
            sign_q <= a_i[31] ^ b_i[31];
            inf_q <= a_top || b_top;
            nan_q <= (a_top && !a_inf) || (b_top && !b_inf) || (a_inf && b_zero) || (b_inf && a_zero);
        end
    end
    bertd_fp_delay #(
        .WIDTH(10),
        .DEPTH(STAGES - 2)
    ) u_exponent (
        .clk_i,
        .en_i,
        .d_i(exponent2_q),
        .q_o(exponent)
    );
    bertd_fp_delay #(
        .WIDTH(3),
        .DEPTH(STAGES - 1)
    ) u_rest (
        .clk_i,
        .en_i,
        .d_i({sign_q, inf_q, nan_q}),
        .q_o({sign, inf, nan})
    );

    logic unused;
    assign unused = ^{low[47:17], high[47:31], chain_end};

endmodule
