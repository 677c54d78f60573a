// a * b, exact: 48 bits, of which bit 46 counts 2^(exponent - 127). Subnormal operands are zeros.
//
// Two products for two DSP48E2 (24 x 17 and 24 x 7 bits), with the registers where the DSP has them: operands,
// products, sum. The exponent of a zero is lower than any other, so that fp_sum never shifts what is added to it.
module fp_product (
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

    // 1: operands
    logic a_zero, b_zero, a_top, b_top, a_inf, b_inf;
    assign a_zero = a_i[30:23] == 8'd0;
    assign b_zero = b_i[30:23] == 8'd0;
    assign a_top = a_i[30:23] == 8'd255;
    assign b_top = b_i[30:23] == 8'd255;
    assign a_inf = a_top && a_i[22:0] == 23'd0;
    assign b_inf = b_top && b_i[22:0] == 23'd0;

    logic [23:0] a_q, b_q;
    logic [9:0] exponent_q;
    logic sign_q, inf_q, nan_q, zero_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            a_q <= a_zero ? 24'd0 : {1'b1, a_i[22:0]};
            b_q <= b_zero ? 24'd0 : {1'b1, b_i[22:0]};
            exponent_q <= {2'b0, a_i[30:23]} + {2'b0, b_i[30:23]} - 10'd127;
            zero_q <= a_zero || b_zero;
            sign_q <= a_i[31] ^ b_i[31];
            inf_q <= a_top || b_top;
            nan_q <= (a_top && !a_inf) || (b_top && !b_inf) || (a_inf && b_zero) || (b_inf && a_zero);
        end
    end

    // 2: products
    logic [40:0] low2_q;
    logic [30:0] high2_q;
    logic [9:0] exponent2_q;
    logic sign2_q, inf2_q, nan2_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            low2_q <= 41'(a_q) * 41'(b_q[16:0]);
            high2_q <= 31'(a_q) * 31'(b_q[23:17]);
            exponent2_q <= zero_q ? -10'sd256 : exponent_q;
            sign2_q <= sign_q;
            inf2_q <= inf_q;
            nan2_q <= nan_q;
        end
    end

    // 3: sum
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            mantissa_o <= {high2_q, 17'd0} + {7'd0, low2_q};
            exponent_o <= exponent2_q;
            sign_o <= sign2_q;
            inf_o <= inf2_q;
            nan_o <= nan2_q;
        end
    end

endmodule
