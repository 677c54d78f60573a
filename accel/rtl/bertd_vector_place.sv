// Data path: words that a slice puts out -> their row and column, for the memories of bertd_vector_lane.
// Counts what a vector slice puts out in the order it does so: word by word, four rows interleaved, group after group.
module bertd_vector_place #(
    parameter int SLICES = 1,
    parameter int INDEX = 0
) (
    input  logic       clk_i,
    input  logic       rst_ni,
    input  logic       start_i,
    input  logic       wanted_i,  // with start_i: anything will come
    input  logic [7:0] groups_i,
    input  logic [8:0] words_i,
    input  logic       advance_i,
    output logic       busy_o,
    output logic [7:0] next_o,    // group that is put out; past the last one in the end
    output logic [6:0] group_o,
    output logic [8:0] word_o,
    output logic [1:0] row_o
);

    logic [7:0] group_q;
    logic group_end;

    assign next_o = group_q;
    assign group_o = group_q[6:0];
    assign group_end = advance_i && row_o == 2'd3 && word_o == words_i - 9'd1;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            busy_o <= 1'b0;
            group_q <= '0;
            word_o <= '0;
            row_o <= '0;
        end else if (start_i) begin
            busy_o <= wanted_i && groups_i > 8'(INDEX);
            group_q <= 8'(INDEX);
            word_o <= '0;
            row_o <= '0;
        end else if (advance_i) begin
            row_o <= row_o + 2'd1;
            if (row_o == 2'd3) word_o <= group_end ? '0 : word_o + 9'd1;
            if (group_end) begin
                group_q <= group_q + 8'(SLICES);
                busy_o <= group_q + 8'(SLICES) < groups_i;
            end
        end
    end

endmodule
