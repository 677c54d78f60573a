// Data path: the argument of bertd_fp_exp -> n and r, for its polynomial.
// x <= 0 -> n and r with x = r - n * ln 2, |r| < 0.36, as function_exp in accel/functions.h has them (n is its -n).
// bertd_pkg::FP_EXP_REDUCE_LATENCY enabled cycles.
//
// The reference subtracts n * ln2_high and n * ln2_low one after the other. The first difference is exact: n * ln2_high
// has 22 bits, and for n > 0 lies within a factor of two of x. So both are one sum in fixed point, 42 bits behind the
// point, that is rounded once. For n = 0, r is x.
module bertd_fp_exp_reduce (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] x_i,
    output logic [ 6:0] n_o,
    output logic [31:0] r_o
);

    // ln2_high = HIGH * 2^-15, ln2_low = LOW * 2^-42
    localparam logic [14:0] HIGH = {1'b1, bertd_pkg::ACCEL_EXP_LN2_HIGH[22:9]};
    localparam logic [22:0] LOW = {1'b1, bertd_pkg::ACCEL_EXP_LN2_LOW[22:1]};
    localparam int FIRST = bertd_pkg::FP_NEAREST_LATENCY;
    localparam int REST = bertd_pkg::FP_EXP_REDUCE_LATENCY - FIRST;

    logic [6:0] n;
    logic [31:0] x, x_end;
    bertd_fp_nearest #(
        .FACTOR(bertd_pkg::ACCEL_EXP_LOG2E)
    ) u_n (
        .clk_i,
        .en_i,
        .x_i,
        .y_o(n)
    );
    bertd_fp_delay #(
        .DEPTH(FIRST)
    ) u_x (
        .clk_i,
        .en_i,
        .d_i(x_i),
        .q_o(x)
    );
    bertd_fp_delay #(
        .DEPTH(REST - 1)
    ) u_x_end (
        .clk_i,
        .en_i,
        .d_i(x),
        .q_o(x_end)
    );
    bertd_fp_delay #(
        .WIDTH(7),
        .DEPTH(REST)
    ) u_n_end (
        .clk_i,
        .en_i,
        .d_i(n),
        .q_o(n_o)
    );

    // For n > 0, x is at least 2^-2 (exponent 125), so its bits end 25 behind the point; what is before it cancels.
    logic [3:0] shift;
    logic [24:0] x_fixed_q, x_fixed2_q;
    logic [21:0] high_q;
    logic [29:0] low_q;
    logic [41:0] product_q, difference_q, magnitude_q, magnitude2_q;
    logic sign3_q, sign4_q, sign5_q;
    assign shift = x[26:23] - 4'd13;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            high_q <= 22'(n) * 22'(HIGH);
            low_q <= 30'(n) * 30'(LOW);
            x_fixed_q <= 25'({9'd0, 1'b1, x[22:0]} << shift);
            product_q <= {high_q[14:0] + {12'd0, low_q[29:27]}, low_q[26:0]};
            x_fixed2_q <= x_fixed_q;
            difference_q <= {product_q[41:17] - x_fixed2_q, product_q[16:0]};
            magnitude_q <= difference_q[41] ? -difference_q : difference_q;
            sign3_q <= difference_q[41];
        end
    end

    logic [5:0] zeros, zeros_q;
    bertd_fp_leading_zeros #(
        .WIDTH(42)
    ) u_zeros (
        .x_i    (magnitude_q),
        .count_o(zeros)
    );
    logic [23:0] normal;
    logic guard, sticky;
    bertd_fp_normalise #(
        .WIDTH(42)
    ) u_normalise (
        .x_i       (magnitude2_q),
        .zeros_i   (zeros_q),
        .mantissa_o(normal),
        .guard_o   (guard),
        .sticky_o  (sticky)
    );

    logic zero_q, zero5_q, guard_q, sticky_q;
    logic [7:0] exponent_q;
    logic [22:0] fraction_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            magnitude2_q <= magnitude_q;
            zeros_q <= zeros;
            zero_q <= magnitude_q == 42'd0;
            sign4_q <= sign3_q;
            exponent_q <= 8'd126 - 8'(zeros_q);
            fraction_q <= normal[22:0];
            guard_q <= guard;
            sticky_q <= sticky;
            zero5_q <= zero_q;
            sign5_q <= sign4_q;
        end
    end

    // x < 2^-2 has n = 0 for certain; from there to 0.3466 the sum is x itself.
    logic near_zero;
    logic [30:0] rounded;
    assign near_zero = x_end[30:23] < 8'd125;
    assign rounded = {exponent_q, fraction_q} + 31'(guard_q && (sticky_q || fraction_q[0]));
    always_ff @(posedge clk_i) if (en_i) r_o <= near_zero ? x_end : zero5_q ? 32'd0 : {sign5_q, rounded};

    logic unused;
    assign unused = ^{x[31:27], high_q[21:15], normal[23]};

endmodule
