// Data path: quantised words of bertd_vector_lane -> a sum a row -> bertd_scalar_memory, for bertd_checksum.
// What a row's operands are when they are made: the sum of element i times its factor, 2 * (i mod 16) + 1. The array
// gives the same sum of what it reads (an output of every check panel): operands that changed in between are seen.
module bertd_check_operands (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic         valid_i,
    input  logic         digits_i,   // two digits of 7 bits; otherwise an int8
    input  logic         first_i,    // word of the row
    input  logic         last_i,
    input  logic [  1:0] row_i,
    input  logic [255:0] q_i,        // [16] {high, low}
    input  logic [ 12:0] place_i,    // goes along
    output logic         write_o,
    output logic [ 14:0] place_o,    // {place, row}
    output logic [ 31:0] sum_o
);

    localparam int VALUE = 15;
    localparam int WORD = 23;        // a word's sum: up to 256 * ACCEL_PROBABILITY_MAX
    localparam int LATE = bertd_pkg::CHECK_SUM_LATENCY;

    logic [16*VALUE-1:0] values;
    logic [WORD-1:0] word;
    logic [127:0] sums_q;
    logic [LATE-1:0] valid_q;
    logic [16:0] along;
    logic [31:0] sum;
    logic first, last;
    logic [1:0] row;

    for (genvar i = 0; i < 16; i++) begin : gen_value
        assign values[i*VALUE+:VALUE] = digits_i ? {1'b0, q_i[i*16+8+:7], q_i[i*16+:7]} :
            VALUE'($signed(q_i[i*16+:8]));
    end
    bertd_check_sum #(.WIDTH(VALUE), .OUT(WORD)) u_word (.clk_i, .x_i(values), .y_o(word));
    bertd_delay_line #(.WIDTH(17), .DEPTH(LATE)) u_along (
        .clk_i, .in_i({place_i, first_i, last_i, row_i}), .out_o(along));
    assign {place_o[14:2], first, last, row} = along;

    assign sum = 32'($signed(word)) + (first ? 32'd0 : sums_q[row*32+:32]);
    assign place_o[1:0] = row;
    assign write_o = valid_q[LATE-1] && last;
    assign sum_o = sum;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) valid_q <= '0;
        else valid_q <= {valid_q[LATE-2:0], valid_i};
    end
    always_ff @(posedge clk_i) if (valid_q[LATE-1]) sums_q[row*32+:32] <= sum;

    logic unused;
    always_comb begin
        unused = 1'b0;
        for (int i = 0; i < 16; i++) unused = unused ^ q_i[i*16+15];
    end

endmodule
