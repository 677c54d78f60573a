// Data path: in place of accel/rtl/bertd_fp_to_int.sv in benches of the whole engine.
// Gives the nearest integer within +-limit, with the unit's ports and latency, computed by the processor. The unit
// itself is held against the same functions by its own bench.
module bertd_fp_to_int (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] x_i,
    input  logic [14:0] limit_i,
    output logic [15:0] y_o
);

    import "DPI-C" pure function int model_fp_to_int(int x, int limit);

    localparam int DEPTH = bertd_pkg::FP_TO_INT_LATENCY - 1;
    logic [31:0] values_q[0:DEPTH-1];
    int at_q = 0;

    always_ff @(posedge clk_i) begin
        if (en_i) begin
            y_o <= 16'(model_fp_to_int(values_q[at_q], 32'(limit_i)));
            values_q[at_q] <= x_i;
            at_q <= at_q == DEPTH - 1 ? 0 : at_q + 1;
        end
    end

endmodule
