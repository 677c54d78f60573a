// Data path: rows to quantise, from the input or bertd_slice_norm -> rotated rows -> bertd_slice_collect.
// Walsh-Hadamard transform of rows in blocks of 2^log2 elements, 0..7: four stages within a word, three between words.
// A word a cycle, in order; log2 may change only while nothing is in flight. The rows leave behind the last stage
// wanted, and later ones get nothing.
module bertd_slice_rotate (
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
    for (genvar i = 0; i < 4; i++) begin : gen_lanes
        bertd_slice_rotate_lanes #(
            .DISTANCE(1 << i)
        ) u_stage (
            .clk_i,
            .rst_ni,
            .valid_i(valid[i] && log2_i > 3'(i)),
            .x_i    (x[512*i+:512]),
            .valid_o(valid[i+1]),
            .y_o    (x[512*(i+1)+:512])
        );
    end
    for (genvar i = 4; i < 7; i++) begin : gen_words
        bertd_slice_rotate_words #(
            .WORDS(1 << (i - 4))
        ) u_stage (
            .clk_i,
            .rst_ni,
            .valid_i(valid[i] && log2_i > 3'(i)),
            .x_i    (x[512*i+:512]),
            .valid_o(valid[i+1]),
            .y_o    (x[512*(i+1)+:512])
        );
    end
    assign valid_o = valid[log2_i];

    // Which is wanted, by the bits of its number
    logic [4*512-1:0] of_two;
    logic [2*512-1:0] of_four;
    for (genvar i = 0; i < 4; i++) begin : g_two
        assign of_two[512*i+:512] = log2_i[0] ? x[512*(2*i+1)+:512] : x[1024*i+:512];
    end
    for (genvar i = 0; i < 2; i++) begin : g_four
        assign of_four[512*i+:512] = log2_i[1] ? of_two[512*(2*i+1)+:512] : of_two[1024*i+:512];
    end
    assign y_o = log2_i[2] ? of_four[1023:512] : of_four[511:0];

endmodule
