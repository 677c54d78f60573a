// Data path: in place of accel/rtl/bertd_fp_fma.sv in benches of the whole engine.
// Gives a * b + c, rounded once, with the unit's ports and latency, computed by the processor. The unit itself is held
// against the same functions by its own bench.
module bertd_fp_fma #(
    parameter bit FINITE = 1'b0,  // promises about the operands that this model has no use for
    parameter bit FINITE_C = 1'b0
) (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] a_i,
    input  logic [31:0] b_i,
    input  logic [31:0] c_i,  // bertd_pkg::FP_PRODUCT_LATENCY enabled cycles behind a and b
    output logic [31:0] y_o
);

    import "DPI-C" pure function int model_fp_fma(int a, int b, int c);

    localparam int DEPTH = bertd_pkg::FP_FMA_LATENCY - bertd_pkg::FP_PRODUCT_LATENCY - 1;
    logic [31:0] values_q[0:DEPTH-1];
    int at_q = 0;
    logic [31:0] a, b;
    bertd_fp_delay #(
        .WIDTH(64),
        .DEPTH(bertd_pkg::FP_PRODUCT_LATENCY)
    ) u_factors (
        .clk_i,
        .en_i,
        .d_i({a_i, b_i}),
        .q_o({a, b})
    );

    always_ff @(posedge clk_i) begin
        if (en_i) begin
            y_o <= values_q[at_q];
            values_q[at_q] <= model_fp_fma(a, b, c_i);
            at_q <= at_q == DEPTH - 1 ? 0 : at_q + 1;
        end
    end

endmodule
