// Data path: magnitudes or scores in bertd_slice_collect or bertd_slice_load -> a row's largest.
// The largest key (unsigned) of each row of a group, three cycles after its last word.
module bertd_slice_max (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic         valid_i,
    input  logic         first_i,
    input  logic         last_i,
    input  logic [  1:0] row_i,
    input  logic [511:0] keys_i,
    output logic         valid_o,
    output logic [  1:0] row_o,
    output logic [ 31:0] max_o
);

    logic valid2;
    logic first2, last2;
    logic [1:0] row2;
    logic [127:0] four_d, four_q;
    logic [31:0] pair0, pair1, word_d, word_q, running;
    bertd_slice_valid #(
        .WIDTH(4),
        .DEPTH(2)
    ) u_valid (
        .clk_i,
        .rst_ni,
        .valid_i,
        .tag_i  ({first_i, last_i, row_i}),
        .valid_o(valid2),
        .tag_o  ({first2, last2, row2})
    );

    for (genvar i = 0; i < 4; i++) begin : g_four
        logic [31:0] left, right;
        assign left = keys_i[128*i+:32] > keys_i[128*i+32+:32] ? keys_i[128*i+:32] : keys_i[128*i+32+:32];
        assign right = keys_i[128*i+64+:32] > keys_i[128*i+96+:32] ? keys_i[128*i+64+:32] : keys_i[128*i+96+:32];
        assign four_d[32*i+:32] = left > right ? left : right;
    end
    assign pair0 = four_q[31:0] > four_q[63:32] ? four_q[31:0] : four_q[63:32];
    assign pair1 = four_q[95:64] > four_q[127:96] ? four_q[95:64] : four_q[127:96];
    assign word_d = pair0 > pair1 ? pair0 : pair1;
    always_ff @(posedge clk_i) begin
        four_q <= four_d;
        word_q <= word_d;
    end

    (* ram_style = "registers" *) logic [31:0] rows_q[0:3];
    logic [31:0] old;
    assign old = rows_q[row2];
    assign running = first2 || word_q > old ? word_q : old;
    always_ff @(posedge clk_i) begin
        if (valid2) rows_q[row2] <= running;
        row_o <= row2;
        max_o <= running;
    end
    always_ff @(posedge clk_i) begin
        if (!rst_ni) valid_o <= 1'b0;
        else valid_o <= valid2 && last2;
    end

endmodule
