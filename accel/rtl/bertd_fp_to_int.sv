// Data path: scaled words in bertd_slice_put -> int8 or digits.
// The integer nearest to x (ties to even), clamped to -limit..limit. bertd_pkg::FP_TO_INT_LATENCY enabled cycles.
// What is infinite or not a number is clamped too.
module bertd_fp_to_int (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] x_i,
    input  logic [14:0] limit_i,  // of the x whose result comes next
    output logic [15:0] y_o       // two's complement
);

    localparam int STAGES = 2;
    logic [31:0] x;
    if (bertd_pkg::FP_TO_INT_LATENCY < STAGES) $error("bertd_fp_to_int has %0d stages", STAGES);
    bertd_fp_delay #(
        .WIDTH(32),
        .DEPTH(bertd_pkg::FP_TO_INT_LATENCY - STAGES)
    ) u_before (
        .clk_i,
        .en_i,
        .d_i(x_i),
        .q_o(x)
    );

    // From 1/2 (exponent 126) to below 2^15; bit 24 counts 1 after the shift.
    logic [ 3:0] distance;
    logic [38:0] fixed;
    logic in_range;
    assign in_range = x[30:23] >= 8'd126 && x[30:23] <= 8'd141;
    assign distance = 4'(x[30:23] - 8'd126);
    assign fixed = {15'd0, 1'b1, x[22:0]} << distance;

    logic sign1_q, guard1_q, sticky1_q, huge1_q;
    logic [14:0] integer1_q, rounded, magnitude;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            sign1_q <= x[31];
            integer1_q <= in_range ? fixed[38:24] : 15'd0;
            guard1_q <= in_range && fixed[23];
            sticky1_q <= |fixed[22:0];
            huge1_q <= x[30:23] > 8'd141;
        end
    end

    // No carry out of 15 bits reaches the output: 2^15 - 1/2 is above every limit before it is rounded.
    assign rounded = integer1_q + 15'(guard1_q && (sticky1_q || integer1_q[0]));
    assign magnitude = huge1_q || integer1_q >= limit_i ? limit_i : rounded;

    always_ff @(posedge clk_i) if (en_i) y_o <= sign1_q ? -{1'b0, magnitude} : {1'b0, magnitude};

endmodule
