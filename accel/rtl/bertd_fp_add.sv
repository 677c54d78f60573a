// Data path: sums of bertd_drain (residual), of rows, of deviations and of the rotation in a vector slice.
// a + b. LATENCY enabled cycles; those past four are registers behind it.
module bertd_fp_add #(
    parameter int LATENCY = bertd_pkg::FP_ADD_LATENCY
) (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] a_i,
    input  logic [31:0] b_i,
    output logic [31:0] y_o
);

    localparam int STAGES = 4;
    logic [31:0] y;
    if (LATENCY < STAGES) $error("bertd_fp_add has %0d stages", STAGES);

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

    // 2: sum or difference
    logic [28:0] sum;
    assign sum = {1'b0, larger1, 1'b1} + {{1'b0, smaller1} ^ {28{subtract1}}, subtract1};
    logic [27:0] sum2_q;
    logic sign2_q, subtract2_q, inf2_q, nan2_q;
    logic [7:0] exponent2_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            sum2_q <= sum[28:1];
            sign2_q <= sign1 ^ (subtract1 && (zero1 ? sign1 : swap1));
            subtract2_q <= subtract1;
            exponent2_q <= exponent1;
            inf2_q <= inf1;
            nan2_q <= nan1 || (both_inf1 && subtract1);
        end
    end

    // 3: normalise. Only a difference can vanish.
    logic [4:0] zeros;
    logic [27:0] normal;
    logic zero;
    bertd_fp_leading_zeros #(
        .WIDTH(28)
    ) u_zeros (
        .x_i    (sum2_q),
        .count_o(zeros)
    );
    assign normal = sum2_q << zeros;
    assign zero = sum2_q == 28'd0;

    logic [22:0] fraction3_q;
    logic guard3_q, sticky3_q, zero3_q, sign3_q, inf3_q, nan3_q;
    logic [9:0] exponent3_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            fraction3_q <= normal[26:4];
            guard3_q <= normal[3];
            sticky3_q <= normal[2:0] != 3'd0;
            zero3_q <= zero;
            exponent3_q <= {2'd0, exponent2_q} + 10'd1 - 10'(zeros);
            sign3_q <= sign2_q && !(zero && subtract2_q);
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
        .y_o       (y)
    );
    bertd_fp_delay #(
        .WIDTH(32),
        .DEPTH(LATENCY - STAGES)
    ) u_later (
        .clk_i,
        .en_i,
        .d_i(y),
        .q_o(y_o)
    );

    logic unused;
    assign unused = ^{sum[0], normal[27]};

endmodule
