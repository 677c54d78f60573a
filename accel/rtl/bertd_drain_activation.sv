// Data path: linear outputs in bertd_drain -> activated ones, before the residual.
// Activates rows of 16 with 12 units: three rows every four cycles. In turns 0, 1 and 2 a row may come, in turn 3 what is
// left over of it goes through. bertd_pkg::DRAIN_ACTIVATION_LATENCY cycles.
//
//   turn       0          1              2              3
//   units      12 of a    4 of a, 8 of b 8 of b, 4 of c 12 of c
module bertd_drain_activation (
    input  logic         clk_i,
    input  logic [  1:0] kind_i,  // bertd_pkg::ACTIVATION_*
    input  logic [  1:0] turn_i,  // counts up with every cycle
    input  logic [511:0] x_i,     // [16]
    output logic [511:0] y_o
);

    localparam int UNITS = 12;

    logic [511:128] x_before_q;
    logic [UNITS*32-1:0] x, y, y_before_q;
    logic [1:0] turn;

    always_comb begin
        unique case (turn_i)
            2'd0: x = x_i[383:0];
            2'd1: x = {x_i[255:0], x_before_q[511:384]};
            2'd2: x = {x_i[127:0], x_before_q[511:256]};
            default: x = x_before_q[511:128];
        endcase
    end
    for (genvar u = 0; u < UNITS; u++) begin : gen_unit
        bertd_fp_activation u_activation (
            .clk_i, .en_i(1'b1), .kind_i, .x_i(x[u*32+:32]), .y_o(y[u*32+:32])
        );
    end
    bertd_delay_line #(.WIDTH(2), .DEPTH(bertd_pkg::FP_ACTIVATION_LATENCY)) u_turn (
        .clk_i, .in_i(turn_i), .out_o(turn));

    // A row is whole in the turn behind its own.
    always_comb begin
        unique case (turn)
            2'd1: y_o = {y[127:0], y_before_q};
            2'd2: y_o = {y[255:0], y_before_q[383:128]};
            default: y_o = {y, y_before_q[383:256]};
        endcase
    end
    always_ff @(posedge clk_i) begin
        x_before_q <= x_i[511:128];
        y_before_q <= y;
    end

endmodule
