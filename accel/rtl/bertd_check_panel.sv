// Data path: keys and values on their way into bertd_weight_ring -> a check panel behind them.
// Keys and values have no check panel in card memory: this one makes it of the beats of the panels before. A beat has
// four inputs of 16 outputs; for each input the outputs' weights, each times its factor, are added up over the panels.
// The check panel then has the digits of these sums, base 256, as its first outputs, and the inputs' own factors as its
// fifth (see bertd_checksum).
module bertd_check_panel (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic         valid_i,   // a beat
    input  logic [  6:0] group_i,   // of its panel
    input  logic         first_i,   // of the first panel
    input  logic [511:0] beat_i,    // [16][4]
    input  logic         make_i,    // the check panel is wanted, beat after beat, until ...
    input  logic [ 10:0] groups_i,
    output logic         valid_o,
    output logic [511:0] beat_o,
    output logic         done_o     // ... with its last beat
);

    localparam int SUM = 22;        // 512 tokens of -128 times 16 on average, at most
    localparam int DIGITS = 3;
    localparam int LATE = bertd_pkg::CHECK_SUM_LATENCY;

    logic [4*SUM-1:0] beat_sums, sums, earlier;
    logic [LATE-1:0] valid_q;
    logic [7:0] along_before, along;
    logic [6:0] group_q, asked_q;
    logic first, make, making_q;

    for (genvar i = 0; i < 4; i++) begin : gen_input
        logic [127:0] column;
        for (genvar o = 0; o < 16; o++) assign column[8*o+:8] = beat_i[(4*o+i)*8+:8];
        bertd_check_sum #(.WIDTH(8), .OUT(SUM)) u_sum (.clk_i, .x_i(column), .y_o(beat_sums[i*SUM+:SUM]));
        assign sums[i*SUM+:SUM] = beat_sums[i*SUM+:SUM] + (first ? SUM'(0) : earlier[i*SUM+:SUM]);
    end
    bertd_delay_line #(.WIDTH(8), .DEPTH(LATE - 1)) u_before (
        .clk_i, .in_i({group_i, first_i}), .out_o(along_before));
    bertd_delay_line #(.WIDTH(8), .DEPTH(1)) u_along (.clk_i, .in_i(along_before), .out_o(along));
    assign first = along[0];

    // A panel has at least four beats: a group's sum is written before it is read for the next panel. The check panel
    // waits for the last ones.
    assign make = make_i && valid_q == '0 && !done_o;
    bertd_ram_1r1w #(
        .WIDTH    (4 * SUM),
        .DEPTH    (128),
        .RAM_STYLE("distributed"),
        .LATENCY  (1)
    ) u_sums (
        .clk_i,
        .write_i        (valid_q[LATE-1]),
        .write_address_i(along[7:1]),
        .write_data_i   (sums),
        .read_i         (valid_q[LATE-2] || make),
        .read_address_i (make ? asked_q : along_before[7:1]),
        .read_data_o    (earlier)
    );
    assign valid_o = making_q;
    assign done_o = making_q && 11'(group_q) == groups_i - 11'd1;

    always_comb begin
        logic [SUM-1:0] left;
        beat_o = '0;
        for (int i = 0; i < 4; i++) begin
            left = earlier[i*SUM+:SUM];
            for (int digit = 0; digit < DIGITS; digit++) begin
                beat_o[(4*digit+i)*8+:8] = left[7:0];
                left = SUM'($signed(left[SUM-1:8])) + SUM'(left[7]);
            end
            beat_o[(4*4+i)*8+:8] = {3'd0, group_q[1:0], 2'(i), 1'b1};
        end
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            valid_q <= '0;
            making_q <= 1'b0;
            asked_q <= '0;
        end else begin
            valid_q <= {valid_q[LATE-2:0], valid_i};
            making_q <= make;
            asked_q <= make ? asked_q + 7'd1 : '0;
        end
    end
    always_ff @(posedge clk_i) group_q <= asked_q;

endmodule
