// Data path: linear outputs in bertd_drain -> activated ones, before the residual.
// gelu, gelu_new or relu, as function_activation in accel/functions.h, operation by operation; kind 3: x itself.
// bertd_pkg::FP_ACTIVATION_LATENCY enabled cycles.
//
// max(x, 0) - |x| q(|x|): relu is the one with q = 0.
module bertd_fp_activation (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [ 1:0] kind_i,  // bertd_pkg::ACTIVATION_*
    input  logic [31:0] x_i,
    output logic [31:0] y_o
);

    localparam int FMA = bertd_pkg::FP_FMA_LATENCY;
    localparam int SEGMENT = bertd_pkg::FP_NEAREST_LATENCY;
    localparam int PRODUCT = bertd_pkg::FP_PRODUCT_LATENCY;

    logic [31:0] u;
    assign u = x_i[30:0] < bertd_pkg::ACCEL_TAIL_LIMIT[30:0] ? {1'b0, x_i[30:0]} : bertd_pkg::ACCEL_TAIL_LIMIT;

    logic [6:0] segment;
    bertd_fp_nearest #(
        .FACTOR(bertd_pkg::ACCEL_TAIL_PER_WIDTH)
    ) u_segment (
        .clk_i,
        .en_i,
        .x_i(u),
        .y_o(segment)
    );

    // Step i = 0..5 of Horner has its kind, segment and u; step 0 only looks coefficient 5 up. The others look theirs up
    // when their products are there. All numbers are finite, but for x itself.
    logic [6*5-1:0] places;
    logic [6*32-1:0] us, q, coefficients;
    logic [4:0] place0_q;
    logic [31:0] q0_q, u0_q;
    logic [1:0] kind;
    logic [31:0] u_segment_time;
    bertd_fp_delay #(
        .WIDTH(2),
        .DEPTH(SEGMENT)
    ) u_kind (
        .clk_i,
        .en_i,
        .d_i(kind_i),
        .q_o(kind)
    );
    bertd_fp_delay #(
        .DEPTH(SEGMENT)
    ) u_u (
        .clk_i,
        .en_i,
        .d_i(u),
        .q_o(u_segment_time)
    );
    assign places[4:0] = {kind, segment[2:0]};
    for (genvar i = 0; i < 6; i++) begin : g_coefficient
        bertd_fp_tail_coefficient #(
            .INDEX(5 - i)
        ) u_coefficient (
            .kind_i   (places[5*i+3+:2]),
            .segment_i(places[5*i+:3]),
            .y_o      (coefficients[32*i+:32])
        );
    end
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            q0_q <= coefficients[31:0];
            u0_q <= u_segment_time;
            place0_q <= places[4:0];
        end
    end
    assign q[31:0] = q0_q;
    assign us[31:0] = u0_q;
    bertd_fp_delay #(
        .WIDTH(5),
        .DEPTH(PRODUCT)
    ) u_place1 (
        .clk_i,
        .en_i,
        .d_i(place0_q),
        .q_o(places[9:5])
    );
    for (genvar i = 0; i < 5; i++) begin : g_step
        bertd_fp_fma #(
            .FINITE  (1'b1),
            .FINITE_C(1'b1)
        ) u_q (
            .clk_i,
            .en_i,
            .a_i(q[32*i+:32]),
            .b_i(us[32*i+:32]),
            .c_i(coefficients[32*(i+1)+:32]),
            .y_o(q[32*(i+1)+:32])
        );
        bertd_fp_delay #(
            .DEPTH(FMA)
        ) u_us (
            .clk_i,
            .en_i,
            .d_i(us[32*i+:32]),
            .q_o(us[32*(i+1)+:32])
        );
        if (i < 4) begin : g_place
            bertd_fp_delay #(
                .WIDTH(5),
                .DEPTH(FMA)
            ) u_place (
                .clk_i,
                .en_i,
                .d_i(places[5*(i+1)+:5]),
                .q_o(places[5*(i+2)+:5])
            );
        end
    end

    // max(x, 0), or x itself with kind 3, where q is 0 and u must not be looked at
    logic [31:0] x_end, last_u;
    logic positive, same;
    bertd_fp_delay #(
        .DEPTH(SEGMENT + 5 * FMA + 1 + PRODUCT)
    ) u_x_end (
        .clk_i,
        .en_i,
        .d_i(x_i),
        .q_o(x_end)
    );
    bertd_fp_delay #(
        .WIDTH(1),
        .DEPTH(SEGMENT + 5 * FMA + 1 + PRODUCT)
    ) u_same (
        .clk_i,
        .en_i,
        .d_i(kind_i == bertd_pkg::ACTIVATION_NONE),
        .q_o(same)
    );
    assign positive = !x_end[31] && x_end[30:0] <= 31'h7f800000;
    assign last_u = us[5*32+:32];
    bertd_fp_fma #(
        .FINITE(1'b1)
    ) u_y (
        .clk_i,
        .en_i,
        .a_i({1'b1, last_u[30:0]}),
        .b_i(q[5*32+:32]),
        .c_i(positive || same ? x_end : 32'd0),
        .y_o
    );

    logic unused;
    assign unused = ^{segment[6:3], last_u[31]};

endmodule
