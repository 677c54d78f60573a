// A stage of the Walsh-Hadamard transform over lanes at a distance of DISTANCE: (a + b, a - b). Where the stage is not
// wanted, values pass through the same adders.
module slice_rotate_near #(
    parameter int DISTANCE = 1
) (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic         active_i,
    input  logic         valid_i,
    input  logic [511:0] x_i,
    output logic         valid_o,
    output logic [511:0] y_o
);

    for (genvar l = 0; l < 16; l++) begin : g_lane
        localparam bit UPPER = (l & DISTANCE) != 0;
        logic [31:0] own, other, b;
        assign own = x_i[32*l+:32];
        assign other = x_i[32*(l^DISTANCE)+:32];
        assign b = !active_i ? bertd_pkg::FP_MINUS_ZERO : UPPER ? own ^ bertd_pkg::FP_MINUS_ZERO : own;
        fp_add u_add (
            .clk_i,
            .en_i(1'b1),
            .a_i (active_i ? other : own),
            .b_i (b),
            .y_o (y_o[32*l+:32])
        );
    end

    logic unused;
    slice_valid #(
        .DEPTH(bertd_pkg::FP_ADD_LATENCY)
    ) u_valid (
        .clk_i,
        .rst_ni,
        .valid_i,
        .tag_i  (1'b0),
        .valid_o,
        .tag_o  (unused)
    );

endmodule
