// Data path: a dot product of bertd_array_pair -> one sum -> the results of bertd_array_row.
// One accumulator of the array.
module bertd_array_cell (
    input  logic        clk_i,
    input  logic [17:0] dot_i,    // a dot product, less carry_i
    input  logic        carry_i,
    input  logic        add_i,
    input  logic        first_i,  // start from zero
    input  logic        shift_i,  // start from 128 times what is there
    output logic [31:0] sum_o
);

    logic [31:0] sum_q, base;
    logic [32:0] sum;
    assign base = first_i ? 32'd0 : shift_i ? {sum_q[24:0], 7'd0} : sum_q;
    // dot + base + carry, as dot - (-1 - base) - (1 - carry): with the dot product in front, Yosys has it bypass the LUTs
    // that choose the base, and needs one LUT a bit instead of two.
    assign sum = {{14{dot_i[17]}}, dot_i, 1'b0} - {~base, !carry_i};
    assign sum_o = sum_q;

    always_ff @(posedge clk_i) if (add_i) sum_q <= sum[32:1];

    logic unused;
    assign unused = sum[0];

endmodule
