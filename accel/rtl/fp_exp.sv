// e^x for x <= 0, as function_exp in accel/functions.h, operation by operation; 0 below -87.
// bertd_pkg::FP_EXP_LATENCY enabled cycles. For x > 0 or not a number the result means nothing.
//
// All but two of the fused operations add a constant that is larger than the product, so they are DOMINANT. And
// n = shifted - 1.5 * 2^23 is exact, so that it is made of the low bits of `shifted`.
module fp_exp (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] x_i,
    output logic [31:0] y_o
);

    localparam int FMA = bertd_pkg::FP_FMA_LATENCY;
    localparam logic [191:0] POLYNOMIAL = bertd_pkg::ACCEL_EXP_POLYNOMIAL;

    logic [31:0] shifted;
    fp_fma #(
        .DOMINANT(1'b1)
    ) u_shifted (
        .clk_i,
        .en_i,
        .a_i(x_i),
        .b_i(bertd_pkg::ACCEL_EXP_LOG2E),
        .c_i(bertd_pkg::ACCEL_ROUNDER),
        .y_o(shifted)
    );

    // -n is 0..126, and n = 0 is +0.
    logic [31:0] n_d, n_q, x1;
    logic [7:0] shifted_q;
    logic [6:0] minus_n;
    logic [2:0] zeros;
    logic [6:0] normal;
    assign minus_n = -shifted[6:0];
    fp_leading_zeros #(
        .WIDTH(7)
    ) u_zeros (
        .x_i    (minus_n),
        .count_o(zeros)
    );
    assign normal = minus_n << zeros;
    assign n_d = minus_n == 7'd0 ? 32'd0 : {1'b1, 8'd133 - 8'(zeros), normal[5:0], 17'd0};
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            n_q <= n_d;
            shifted_q <= shifted[7:0];
        end
    end
    fp_delay #(
        .DEPTH(FMA + 1)
    ) u_x1 (
        .clk_i,
        .en_i,
        .d_i(x_i),
        .q_o(x1)
    );

    logic [31:0] r_high, r, n1;
    fp_fma u_r_high (
        .clk_i,
        .en_i,
        .a_i(n_q),
        .b_i(bertd_pkg::ACCEL_EXP_LN2_HIGH ^ bertd_pkg::FP_MINUS_ZERO),
        .c_i(x1),
        .y_o(r_high)
    );
    fp_delay #(
        .DEPTH(FMA)
    ) u_n1 (
        .clk_i,
        .en_i,
        .d_i(n_q),
        .q_o(n1)
    );
    fp_fma u_r (
        .clk_i,
        .en_i,
        .a_i(n1),
        .b_i(bertd_pkg::ACCEL_EXP_LN2_LOW ^ bertd_pkg::FP_MINUS_ZERO),
        .c_i(r_high),
        .y_o(r)
    );

    // Horner: step i = 0..4 multiplies by r and adds coefficient 4 - i.
    logic [6*32-1:0] p, rs;
    assign p[31:0] = POLYNOMIAL[5*32+:32];
    assign rs[31:0] = r;
    for (genvar i = 0; i < 5; i++) begin : g_step
        fp_fma #(
            .DOMINANT(1'b1)
        ) u_p (
            .clk_i,
            .en_i,
            .a_i(p[32*i+:32]),
            .b_i(rs[32*i+:32]),
            .c_i(POLYNOMIAL[32*(4-i)+:32]),
            .y_o(p[32*(i+1)+:32])
        );
        if (i < 4) begin : g_r
            fp_delay #(
                .DEPTH(FMA)
            ) u_r (
                .clk_i,
                .en_i,
                .d_i(rs[32*i+:32]),
                .q_o(rs[32*(i+1)+:32])
            );
        end else begin : g_end
            assign rs[32*(i+1)+:32] = '0;
        end
    end

    // Times 2^n, or 0
    logic low, low_end;
    logic [7:0] n_end;
    assign low = x_i[31] && x_i[30:0] > bertd_pkg::ACCEL_EXP_LOWEST[30:0];
    fp_delay #(
        .WIDTH(1),
        .DEPTH(bertd_pkg::FP_EXP_LATENCY - 1)
    ) u_low (
        .clk_i,
        .en_i,
        .d_i(low),
        .q_o(low_end)
    );
    fp_delay #(
        .WIDTH(8),
        .DEPTH(7 * FMA)
    ) u_n_end (
        .clk_i,
        .en_i,
        .d_i(shifted_q),
        .q_o(n_end)
    );
    logic [31:0] last;
    assign last = p[5*32+:32];
    always_ff @(posedge clk_i) if (en_i) y_o <= low_end ? 32'd0 : {last[31], last[30:23] + n_end, last[22:0]};

    logic unused;
    assign unused = ^{shifted[31:8], normal[6], rs[5*32+:32]};

endmodule
