// Data path: in place of accel/rtl/bertd_fp_from_int32.sv in benches of the whole engine.
// Gives the integer a, with the unit's ports and latency, computed by the processor. The unit itself is held against
// the same functions by its own bench.
module bertd_fp_from_int32 #(
    parameter int WIDTH = 32  // a promise about a that this model has no use for
) (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] a_i,
    output logic [31:0] y_o
);

    import "DPI-C" pure function int model_fp_from_int32(int a);

    localparam int DEPTH = bertd_pkg::FP_FROM_INT32_LATENCY - 1;
    logic [31:0] values_q[0:DEPTH-1];
    int at_q = 0;

    always_ff @(posedge clk_i) begin
        if (en_i) begin
            y_o <= values_q[at_q];
            values_q[at_q] <= model_fp_from_int32(a_i);
            at_q <= at_q == DEPTH - 1 ? 0 : at_q + 1;
        end
    end

endmodule
