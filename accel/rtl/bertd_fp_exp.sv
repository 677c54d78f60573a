// Data path: scores less the row's largest, in bertd_slice_softmax -> exponentials.
// e^x for x <= 0, as function_exp in accel/functions.h, operation by operation; 0 below -87.
// bertd_pkg::FP_EXP_LATENCY enabled cycles. For x > 0 or not a number the result means nothing.
module bertd_fp_exp (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] x_i,
    output logic [31:0] y_o
);

    localparam int STEP = bertd_pkg::FP_EXP_STEP_LATENCY;
    localparam logic [191:0] POLYNOMIAL = bertd_pkg::ACCEL_EXP_POLYNOMIAL;

    // Horner: step i = 0..4 multiplies by r and adds coefficient 4 - i.
    logic [6:0] n;
    logic [6*32-1:0] p, rs;
    bertd_fp_exp_reduce u_reduce (
        .clk_i,
        .en_i,
        .x_i,
        .n_o(n),
        .r_o(rs[31:0])
    );
    assign p[31:0] = POLYNOMIAL[5*32+:32];
    for (genvar i = 0; i < 5; i++) begin : g_step
        bertd_fp_exp_step #(
            .C(POLYNOMIAL[32*(4-i)+:32])
        ) u_p (
            .clk_i,
            .en_i,
            .p_i(p[32*i+:32]),
            .r_i(rs[32*i+:32]),
            .y_o(p[32*(i+1)+:32])
        );
        if (i < 4) begin : g_r
            bertd_fp_delay #(
                .DEPTH(STEP)
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

    // Times 2^-n, or 0
    logic low, low_end;
    logic [6:0] n_end;
    assign low = x_i[31] && x_i[30:0] > bertd_pkg::ACCEL_EXP_LOWEST[30:0];
    bertd_fp_delay #(
        .WIDTH(1),
        .DEPTH(bertd_pkg::FP_EXP_LATENCY - 1)
    ) u_low (
        .clk_i,
        .en_i,
        .d_i(low),
        .q_o(low_end)
    );
    bertd_fp_delay #(
        .WIDTH(7),
        .DEPTH(5 * STEP)
    ) u_n_end (
        .clk_i,
        .en_i,
        .d_i(n),
        .q_o(n_end)
    );
    logic [31:0] last;
    assign last = p[5*32+:32];
    always_ff @(posedge clk_i) if (en_i) y_o <= low_end ? 32'd0 : {1'b0, last[30:23] - {1'b0, n_end}, last[22:0]};

    logic unused;
    assign unused = ^{last[31], rs[5*32+:32]};

endmodule
