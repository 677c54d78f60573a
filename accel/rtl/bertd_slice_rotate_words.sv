// Data path: a later stage of bertd_slice_rotate -> the next one.
// A stage of the Walsh-Hadamard transform over words at a distance of WORDS: (a + b, a - b), one word a cycle, with one
// adder a lane. Sums leave as the b come; the a and b are kept, and the differences leave in the next cycles that bring
// no b. There are enough of them before the next b, since its a come first.
module bertd_slice_rotate_words #(
    parameter int WORDS = 1
) (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic         valid_i,
    input  logic [511:0] x_i,
    output logic         valid_o,
    output logic [511:0] y_o
);

    localparam int SLOTS = 4 * WORDS;  // four rows, interleaved
    localparam int BITS = $clog2(SLOTS);

    logic [BITS:0] count_q;
    logic [BITS-1:0] slot, difference_q;
    logic pending_q, second, sum, difference;
    assign slot = count_q[BITS-1:0];
    assign second = count_q[BITS];
    assign sum = valid_i && second;
    assign difference = pending_q && !sum;
    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            count_q <= '0;
            difference_q <= '0;
            pending_q <= 1'b0;
        end else begin
            if (valid_i) count_q <= count_q + 1'b1;
            if (sum && slot == '1) pending_q <= 1'b1;
            else if (difference && difference_q == '1) pending_q <= 1'b0;
            if (difference) difference_q <= difference_q + 1'b1;
        end
    end

    (* ram_style = "distributed" *) logic [511:0] as[0:SLOTS-1];
    (* ram_style = "distributed" *) logic [511:0] bs[0:SLOTS-1];
    logic [511:0] a, b, a_q, b_q;
    logic [15:0] flip_q;
    logic issue_q;
    logic [BITS-1:0] place;
    assign place = sum ? slot : difference_q;
    assign a = as[place];
    assign b = bs[difference_q];
    always_ff @(posedge clk_i) begin
        if (valid_i && !second) as[slot] <= x_i;
        if (sum) bs[slot] <= x_i;
        a_q <= a;
        b_q <= sum ? x_i : b;
        flip_q <= {16{difference}};
    end
    always_ff @(posedge clk_i) begin
        if (!rst_ni) issue_q <= 1'b0;
        else issue_q <= sum || difference;
    end

    for (genvar l = 0; l < 16; l++) begin : g_lane
        bertd_fp_add u_add (
            .clk_i,
            .en_i(1'b1),
            .a_i (a_q[32*l+:32]),
            .b_i ({b_q[32*l+31] ^ flip_q[l], b_q[32*l+:31]}),
            .y_o (y_o[32*l+:32])
        );
    end

    logic unused;
    bertd_slice_valid #(
        .DEPTH(bertd_pkg::FP_ADD_LATENCY)
    ) u_valid (
        .clk_i,
        .rst_ni,
        .valid_i(issue_q),
        .tag_i  (1'b0),
        .valid_o,
        .tag_o  (unused)
    );

endmodule
