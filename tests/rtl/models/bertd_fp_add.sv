// Data path: in place of accel/rtl/bertd_fp_add.sv in benches of the whole engine.
// Gives a + b, with the unit's ports and latency, computed by the processor. The unit itself is held against the same
// functions by its own bench.
module bertd_fp_add #(
    parameter int LATENCY = bertd_pkg::FP_ADD_LATENCY
) (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] a_i,
    input  logic [31:0] b_i,
    output logic [31:0] y_o
);

    import "DPI-C" pure function int model_fp_add(int a, int b);

    localparam int DEPTH = LATENCY - 1;
    logic [31:0] values_q[0:DEPTH-1];
    int at_q = 0;

    always_ff @(posedge clk_i) begin
        if (en_i) begin
            y_o <= values_q[at_q];
            values_q[at_q] <= model_fp_add(a_i, b_i);
            at_q <= at_q == DEPTH - 1 ? 0 : at_q + 1;
        end
    end

endmodule
