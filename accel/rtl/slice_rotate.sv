// Walsh-Hadamard transform of rows in blocks of 2^log2 elements, 0..7: four stages within a word, three between words.
// A word a cycle, in order; log2 may change only while nothing is under way.
module slice_rotate (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic [  2:0] log2_i,
    input  logic         valid_i,
    input  logic [511:0] x_i,
    output logic         valid_o,
    output logic [511:0] y_o
);

    logic [7:0] valid;
    logic [8*512-1:0] x;
    assign valid[0] = valid_i;
    assign x[511:0] = x_i;
    for (genvar i = 0; i < 4; i++) begin : g_near
        slice_rotate_near #(
            .DISTANCE(1 << i)
        ) u_stage (
            .clk_i,
            .rst_ni,
            .active_i(log2_i > 3'(i)),
            .valid_i (valid[i]),
            .x_i     (x[512*i+:512]),
            .valid_o (valid[i+1]),
            .y_o     (x[512*(i+1)+:512])
        );
    end
    for (genvar i = 4; i < 7; i++) begin : g_far
        slice_rotate_far #(
            .WORDS(1 << (i - 4))
        ) u_stage (
            .clk_i,
            .rst_ni,
            .active_i(log2_i > 3'(i)),
            .valid_i (valid[i]),
            .x_i     (x[512*i+:512]),
            .valid_o (valid[i+1]),
            .y_o     (x[512*(i+1)+:512])
        );
    end
    assign valid_o = valid[7];
    assign y_o = x[7*512+:512];

endmodule
