// Data path: an early stage of bertd_slice_rotate -> the next one.
// A stage of the Walsh-Hadamard transform over lanes at a distance of DISTANCE: (a + b, a - b).
module bertd_slice_rotate_lanes #(
    parameter int DISTANCE = 1
) (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic         valid_i,
    input  logic [511:0] x_i,
    output logic         valid_o,
    output logic [511:0] y_o
);

    for (genvar l = 0; l < 16; l++) begin : g_lane
        if ((l & DISTANCE) == 0) begin : g_pair
            bertd_fp_butterfly u_butterfly (
                .clk_i,
                .en_i        (1'b1),
                .a_i         (x_i[32*l+:32]),
                .b_i         (x_i[32*(l+DISTANCE)+:32]),
                .sum_o       (y_o[32*l+:32]),
                .difference_o(y_o[32*(l+DISTANCE)+:32])
            );
        end
    end

    logic unused;
    bertd_slice_valid #(
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
