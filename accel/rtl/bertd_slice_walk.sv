// Data path: a group's width and rows -> the place of each word, for the stages of a slice.
// Walks over the words of a group of rows: all rows of word 0, all rows of word 1, ...
module bertd_slice_walk (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic        advance_i,
    input  logic [12:0] width_i,  // elements, > 0
    input  logic [ 2:0] rows_i,   // valid rows
    output logic [ 1:0] row_o,
    output logic        first_o,  // word 0
    output logic        last_o,   // the last word of its row
    output logic        end_o,    // the last word of the group
    output logic [15:0] mask_o    // elements that there are: within the width, of a valid row
);

    logic [8:0] word_q, last_word;
    logic [15:0] lanes;
    assign last_word = 9'((width_i - 13'd1) >> 4);
    assign first_o = word_q == 9'd0;
    assign last_o = word_q == last_word;
    assign end_o = last_o && row_o == 2'd3;
    assign lanes = last_o && width_i[3:0] != 4'd0 ? 16'hffff >> (5'd16 - {1'b0, width_i[3:0]}) : 16'hffff;
    assign mask_o = {1'b0, row_o} < rows_i ? lanes : 16'd0;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            word_q <= 9'd0;
            row_o <= 2'd0;
        end else if (advance_i) begin
            row_o <= row_o + 2'd1;
            if (row_o == 2'd3) word_q <= last_o ? 9'd0 : word_q + 9'd1;
        end
    end

endmodule
