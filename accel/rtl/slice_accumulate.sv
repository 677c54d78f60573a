// The row reduction: 16 lanes add up the words of each row, then lanes l and l + 8, l + 4, l + 2, l + 1.
//
// The adders take four cycles, and four rows come in turn: when a row's next word arrives, its sum is just leaving the
// adders, as long as these move only with the words. After a group's last word they move by themselves, four rounds of
// four rows for the lanes and one to put the sums out, row by row. For those 20 cycles no word may come (busy_o).
//
// What is added are products as of fp_product, P bits wide, or values in that form.
module slice_accumulate #(
    parameter int P = 48
) (
    input  logic            clk_i,
    input  logic            rst_ni,
    input  logic            valid_i,
    input  logic            first_i,     // word 0: sums begin at +0
    input  logic            end_i,       // the last word of the last row
    input  logic [    15:0] sign_i,
    input  logic [   159:0] exponent_i,
    input  logic [16*P-1:0] mantissa_i,
    input  logic [    15:0] inf_i,
    input  logic [    15:0] nan_i,
    output logic            busy_o,
    output logic            valid_o,
    output logic [     1:0] row_o,
    output logic [    31:0] sum_o
);

    logic [4:0] step_q;  // 0..19 after the last word
    logic busy_q;
    assign busy_o = busy_q;
    always_ff @(posedge clk_i or negedge rst_ni) begin
        if (!rst_ni) begin
            busy_q <= 1'b0;
            step_q <= 5'd0;
        end else if (busy_q) begin
            busy_q <= step_q != 5'd19;
            step_q <= step_q == 5'd19 ? 5'd0 : step_q + 5'd1;
        end else if (valid_i && end_i) begin
            busy_q <= 1'b1;
        end
    end

    logic [511:0] sums;
    for (genvar l = 0; l < 16; l++) begin : g_lane
        // The lane that is added to this one in each round; what lanes from 8 on do then does not matter.
        logic [31:0] other;
        if (l < 8) begin : g_other
            always_comb begin
                case (step_q[4:2])
                    3'd0: other = sums[32*(l+8)+:32];
                    3'd1: other = sums[32*(l+4)+:32];
                    3'd2: other = sums[32*(l+2)+:32];
                    default: other = sums[32*(l+1)+:32];
                endcase
            end
        end else begin : g_none
            assign other = 32'd0;
        end

        logic zero, top;
        assign zero = other[30:23] == 8'd0;
        assign top = other[30:23] == 8'd255;
        fp_sum #(
            .P(P)
        ) u_sum (
            .clk_i,
            .en_i      (valid_i || busy_q),
            .sign_i    (busy_q ? other[31] : sign_i[l]),
            .exponent_i(busy_q ? (zero ? -10'sd256 : {2'b0, other[30:23]}) : exponent_i[10*l+:10]),
            .mantissa_i(busy_q ? (zero ? '0 : {2'b01, other[22:0], {(P - 25) {1'b0}}}) : mantissa_i[P*l+:P]),
            .inf_i     (busy_q ? top : inf_i[l]),
            .nan_i     (busy_q ? top && other[22:0] != 23'd0 : nan_i[l]),
            .c_i       (first_i && !busy_q ? 32'd0 : sums[32*l+:32]),
            .y_o       (sums[32*l+:32])
        );
    end

    assign valid_o = busy_q && step_q[4];
    assign row_o = step_q[1:0];
    assign sum_o = sums[31:0];

`ifndef SYNTHESIS
    always_ff @(posedge clk_i) assert (!(valid_i && busy_q));
`endif

endmodule
