// Data path: values that travel beside a pipeline, as in bertd_drain -> the same, later.
// What goes in comes out DEPTH cycles later.
module bertd_delay_line #(
    parameter int WIDTH = 1,
    parameter int DEPTH = 1
) (
    input  logic             clk_i,
    input  logic [WIDTH-1:0] in_i,
    output logic [WIDTH-1:0] out_o
);

    if (DEPTH == 0) begin : gen_none
        logic unused;
        assign unused = clk_i;
        assign out_o = in_i;
    end else if (DEPTH == 1) begin : gen_one
        logic [WIDTH-1:0] word_q;
        always_ff @(posedge clk_i) word_q <= in_i;
        assign out_o = word_q;
    end else begin : gen_many
        logic [WIDTH*DEPTH-1:0] words_q;
        always_ff @(posedge clk_i) words_q <= {words_q[WIDTH*(DEPTH-1)-1:0], in_i};
        assign out_o = words_q[WIDTH*(DEPTH-1)+:WIDTH];
    end

endmodule
