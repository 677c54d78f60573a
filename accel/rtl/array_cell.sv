// One accumulator of the array: a dot product of four int8 pairs a step.
module array_cell (
    input  logic        clk_i,
    input  logic [31:0] weights_i,  // four int8
    input  logic [31:0] operands_i,
    input  logic        add_i,      // with the products, a cycle after their operands
    input  logic        first_i,    // start from zero
    input  logic        shift_i,    // start from 128 times what is there
    output logic [31:0] sum_o
);

    logic signed [17:0] dot_q, dot_d;
    logic signed [31:0] sum_q, base;

    always_comb begin
        dot_d = '0;
        for (int i = 0; i < 4; i++) begin
            dot_d = dot_d + 18'($signed(weights_i[8*i+:8]) * $signed(operands_i[8*i+:8]));
        end
    end

    assign base = first_i ? 32'sd0 : shift_i ? sum_q <<< 7 : sum_q;
    assign sum_o = sum_q;

    always_ff @(posedge clk_i) begin
        dot_q <= dot_d;
        if (add_i) sum_q <= base + 32'(dot_q);
    end

endmodule
