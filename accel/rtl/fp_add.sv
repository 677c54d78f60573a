// a + b. bertd_pkg::FP_ADD_LATENCY enabled cycles.
module fp_add (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] a_i,
    input  logic [31:0] b_i,
    output logic [31:0] y_o
);

    logic zero, top;
    assign zero = a_i[30:23] == 8'd0;
    assign top = a_i[30:23] == 8'd255;

    fp_sum #(
        .P(25)
    ) u_sum (
        .clk_i,
        .en_i,
        .sign_i    (a_i[31]),
        .exponent_i(zero ? -10'sd256 : {2'b0, a_i[30:23]}),
        .mantissa_i(zero ? 25'd0 : {2'b01, a_i[22:0]}),
        .inf_i     (top),
        .nan_i     (top && a_i[22:0] != 23'd0),
        .c_i       (b_i),
        .y_o
    );

endmodule
