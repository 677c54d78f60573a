// Data path: a step of bertd_fp_exp's polynomial -> the next one.
// p * r + C for a step of the exponential's polynomial: |r| < 0.36, p and C above 0, and |p * r| so much below C that
// the sum's leading one is at most a place from that of C. bertd_pkg::FP_EXP_STEP_LATENCY enabled cycles.
//
// So the product's bits far below those of C are no more than a sticky bit, and there is no large, tiny or special sum.
module bertd_fp_exp_step #(
    parameter logic [31:0] C = 32'h3f800000
) (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] p_i,
    input  logic [31:0] r_i,
    output logic [31:0] y_o
);

    logic sign, inf, nan;
    logic [9:0] exponent;
    logic [47:0] mantissa;
    bertd_fp_product u_product (
        .clk_i,
        .en_i,
        .a_i       (p_i),
        .b_i       (r_i),
        .sign_o    (sign),
        .exponent_o(exponent),
        .mantissa_o(mantissa),
        .inf_o     (inf),
        .nan_o     (nan)
    );

    // 1: the product's 28 highest bits to the places of C, whose leading one is bit 26; the rest is sticky
    logic [9:0] distance;
    logic [27:0] moved_q;
    logic [58:0] shifted;
    logic sticky_q, subtract_q, shifted_out;
    assign distance = {2'b0, C[30:23]} - exponent;
    assign shifted_out = distance[9:5] != 5'd0;
    assign shifted = {mantissa[47:20], 31'd0} >> distance[4:0];
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            moved_q <= shifted_out ? 28'd0 : shifted[58:31];
            sticky_q <= shifted_out ? mantissa[47:20] != 28'd0 : shifted[30:0] != 31'd0 || mantissa[19:0] != 20'd0;
            subtract_q <= sign;
        end
    end

    // 2: sum; taking away what is sticky, too, borrows from the lowest bit
    logic [28:0] sum;
    logic [27:0] sum_q;
    logic sticky2_q;
    assign sum = {2'b01, C[22:0], 4'b1} + {moved_q ^ {28{subtract_q}}, subtract_q && !sticky_q};
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            sum_q <= sum[28:1];
            sticky2_q <= sticky_q;
        end
    end

    // 3: normalise and round; the carry of the mantissa counts up the exponent
    logic [7:0] exponent_y;
    logic [24:0] mantissa_y;
    logic sticky_y;
    always_comb begin
        if (sum_q[27]) begin
            exponent_y = C[30:23] + 8'd1;
            mantissa_y = sum_q[27:3];
            sticky_y = sum_q[2:0] != 3'd0 || sticky2_q;
        end else if (sum_q[26]) begin
            exponent_y = C[30:23];
            mantissa_y = sum_q[26:2];
            sticky_y = sum_q[1:0] != 2'd0 || sticky2_q;
        end else begin
            exponent_y = C[30:23] - 8'd1;
            mantissa_y = sum_q[25:1];
            sticky_y = sum_q[0] || sticky2_q;
        end
    end
    always_ff @(posedge clk_i) begin
        if (en_i) y_o <= {1'b0, {exponent_y, mantissa_y[23:1]} + 31'(mantissa_y[0] && (mantissa_y[1] || sticky_y))};
    end

    logic unused;
    assign unused = ^{inf, nan, sum[0], mantissa_y[24]};

endmodule
