// Data path: a sum in fixed point -> its mantissa, to be rounded.
// A number's leading one to the top: 24 bits from there, the next one, and whether there is a one below. Bits that can
// only end below are collected on the way, so that later stages of the shift are narrower.
module bertd_fp_normalise #(
    parameter int WIDTH = 52,
    localparam int COUNT = $clog2(WIDTH + 1)
) (
    input  logic [WIDTH-1:0] x_i,
    input  logic [COUNT-1:0] zeros_i,
    output logic [     23:0] mantissa_o,
    output logic             guard_o,
    output logic             sticky_o
);

    // After the shifts by multiples of 16, at most 15 places are left to go; after those of 4, three.
    localparam int MIDDLE = WIDTH < 25 + 15 ? WIDTH : 25 + 15;
    localparam int LAST = WIDTH < 25 + 3 ? WIDTH : 25 + 3;

    logic [WIDTH-1:0] coarse;
    logic [MIDDLE:0] middle, after_middle;
    logic [LAST:0] last, after_last;
    if (COUNT > 4) begin : g_coarse
        assign coarse = x_i << {zeros_i[COUNT-1:4], 4'd0};
    end else begin : g_none
        assign coarse = x_i;
    end
    if (WIDTH > MIDDLE) begin : g_middle
        assign middle = {coarse[WIDTH-1-:MIDDLE], coarse[WIDTH-MIDDLE-1:0] != '0};
    end else begin : g_all
        assign middle = {coarse, 1'b0};
    end
    assign after_middle = {middle[MIDDLE:1] << {zeros_i[3:2], 2'd0}, middle[0]};
    assign last = {after_middle[MIDDLE-:LAST], after_middle[MIDDLE-LAST:0] != '0};
    assign after_last = {last[LAST:1] << zeros_i[1:0], last[0]};
    assign mantissa_o = after_last[LAST-:24];
    assign guard_o = after_last[LAST-24];
    assign sticky_o = after_last[LAST-25:0] != '0;

endmodule
