// A reset at the start, and whenever the prover likes.
module formal_reset (
    input  logic clk_i,
    input  logic reset_i,
    output logic rst_no
);

    logic started_q = 1'b0;

    always_ff @(posedge clk_i) started_q <= 1'b1;
    assign rst_no = started_q && !reset_i;

endmodule
