// Data path: the array's sums in bertd_drain and bertd_drain_path -> binary32, to be scaled.
// int32 -> binary32, to nearest even. bertd_pkg::FP_FROM_INT32_LATENCY enabled cycles.
//   WIDTH  promises that a is within as many bits, two's complement; up to 24 are not rounded
module bertd_fp_from_int32 #(
    parameter int WIDTH = 32
) (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] a_i,
    output logic [31:0] y_o
);

    localparam int STAGES = 3;
    logic [31:0] y;
    if (bertd_pkg::FP_FROM_INT32_LATENCY < STAGES) $error("bertd_fp_from_int32 has %0d stages", STAGES);

    logic sign1_q, sign2_q, zero2_q;
    logic [WIDTH-1:0] magnitude1_q;
    logic [23:0] normal, normal2_q;
    logic guard, sticky, guard2_q, sticky2_q;
    logic [$clog2(WIDTH+1)-1:0] zeros;
    logic [ 9:0] exponent2_q;
    bertd_fp_leading_zeros #(
        .WIDTH(WIDTH)
    ) u_zeros (
        .x_i    (magnitude1_q),
        .count_o(zeros)
    );

    if (WIDTH <= 24) begin : gen_exact
        assign normal = {magnitude1_q, {24 - WIDTH{1'b0}}} << zeros;
        assign {guard, sticky} = 2'b00;
    end else begin : gen_rounded
        bertd_fp_normalise #(
            .WIDTH(WIDTH)
        ) u_normalise (
            .x_i       (magnitude1_q),
            .zeros_i   (zeros),
            .mantissa_o(normal),
            .guard_o   (guard),
            .sticky_o  (sticky)
        );
    end

    always_ff @(posedge clk_i) begin
        if (en_i) begin
            sign1_q <= a_i[31];
            magnitude1_q <= a_i[31] ? -a_i[WIDTH-1:0] : a_i[WIDTH-1:0];
            sign2_q <= sign1_q;
            normal2_q <= normal;
            guard2_q <= guard;
            sticky2_q <= sticky;
            zero2_q <= magnitude1_q == '0;
            exponent2_q <= 10'(126 + WIDTH) - 10'(zeros);
        end
    end

    bertd_fp_round u_round (
        .clk_i,
        .en_i,
        .sign_i    (sign2_q),
        .exponent_i(exponent2_q),
        .fraction_i(normal2_q[22:0]),
        .guard_i   (guard2_q),
        .sticky_i  (sticky2_q),
        .zero_i    (zero2_q),
        .inf_i     (1'b0),
        .nan_i     (1'b0),
        .y_o       (y)
    );
    bertd_fp_delay #(
        .WIDTH(32),
        .DEPTH(bertd_pkg::FP_FROM_INT32_LATENCY - STAGES)
    ) u_later (
        .clk_i,
        .en_i,
        .d_i(y),
        .q_o(y_o)
    );

    logic unused;
    assign unused = ^{normal2_q[23], a_i};

endmodule
