// Data path: in place of accel/rtl/bertd_fp_butterfly.sv in benches of the whole engine.
// Gives a + b and a - b, with the unit's ports and latency, computed by the processor. The unit itself is held against
// the same functions by its own bench.
module bertd_fp_butterfly (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] a_i,
    input  logic [31:0] b_i,
    output logic [31:0] sum_o,
    output logic [31:0] difference_o
);

    import "DPI-C" pure function int model_fp_add(int a, int b);

    localparam int DEPTH = bertd_pkg::FP_ADD_LATENCY - 1;
    logic [31:0] sums_q[0:DEPTH-1];
    logic [31:0] differences_q[0:DEPTH-1];
    int at_q = 0;

    always_ff @(posedge clk_i) begin
        if (en_i) begin
            sum_o <= sums_q[at_q];
            difference_o <= differences_q[at_q];
            sums_q[at_q] <= model_fp_add(a_i, b_i);
            differences_q[at_q] <= model_fp_add(a_i, b_i ^ bertd_pkg::FP_MINUS_ZERO);
            at_q <= at_q == DEPTH - 1 ? 0 : at_q + 1;
        end
    end

endmodule
