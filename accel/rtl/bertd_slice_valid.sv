// Data path: what enters a stage of a slice -> its valid bit and tag where it leaves.
// The valid bit and the tag of what goes through a pipeline of DEPTH stages.
module bertd_slice_valid #(
    parameter int WIDTH = 1,
    parameter int DEPTH = 1
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             valid_i,
    input  logic [WIDTH-1:0] tag_i,
    output logic             valid_o,
    output logic [WIDTH-1:0] tag_o
);

    logic [DEPTH:0] valid_q;
    always_ff @(posedge clk_i) begin
        if (!rst_ni) valid_q <= '0;
        else valid_q <= {valid_q[DEPTH-1:0], valid_i};
    end
    assign valid_o = valid_q[DEPTH-1];

    bertd_fp_delay #(
        .WIDTH(WIDTH),
        .DEPTH(DEPTH)
    ) u_tag (
        .clk_i,
        .en_i(1'b1),
        .d_i (tag_i),
        .q_o (tag_o)
    );

    logic unused;
    assign unused = valid_q[DEPTH];

endmodule
