// Data path: a word of 16 elements -> the same word, without those that do not count.
// Elements where the mask has a bit, +0 elsewhere.
module bertd_slice_mask (
    input  logic [511:0] x_i,
    input  logic [ 15:0] mask_i,
    output logic [511:0] y_o
);

    for (genvar l = 0; l < 16; l++) begin : g_lane
        assign y_o[32*l+:32] = mask_i[l] ? x_i[32*l+:32] : 32'd0;
    end

endmodule
