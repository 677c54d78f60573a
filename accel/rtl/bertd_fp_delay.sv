// Data path: values that travel beside a floating-point unit -> the same, later.
// DEPTH enabled cycles later.
module bertd_fp_delay #(
    parameter int WIDTH = 32,
    parameter int DEPTH = 1
) (
    input  logic             clk_i,
    input  logic             en_i,
    input  logic [WIDTH-1:0] d_i,
    output logic [WIDTH-1:0] q_o
);

    if (DEPTH == 0) begin : g_none
        logic unused;
        assign unused = &{1'b0, clk_i, en_i};
        assign q_o = d_i;
    end else if (DEPTH == 1) begin : g_one
        logic [WIDTH-1:0] line_q;
        always_ff @(posedge clk_i) if (en_i) line_q <= d_i;
        assign q_o = line_q;
    end else begin : g_line
        logic [WIDTH*DEPTH-1:0] line_q;
        always_ff @(posedge clk_i) if (en_i) line_q <= {line_q[WIDTH*(DEPTH-1)-1:0], d_i};
        assign q_o = line_q[WIDTH*DEPTH-1-:WIDTH];
    end

endmodule
