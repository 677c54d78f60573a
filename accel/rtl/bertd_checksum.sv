// Data path: the array's sums, beside bertd_drain and bertd_drain_path -> errors for bertd_command_fetch.
// A linear's, a head's scores' or a head's contexts' last panel is its check panel. Its first four outputs are the
// digits, base 256, of what the row's other accumulators must come to, each times its factor (bertd_check_sum), modulo
// 2^32: the product of the row with the so weighted sum of all weights. Its fifth is the weighted sum of the row's
// operands, which must be what it was when they were made (bertd_check_operands).
module bertd_checksum (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic         valid_i,
    input  logic [  8:0] row_i,
    input  logic [  5:0] scalar_i,         // where the row's scalar and its operands' sum lie
    input  logic         first_i,          // first panel of the linear
    input  logic         check_i,          // check panel
    input  logic [511:0] sums_i,           // [16] int32
    output logic         made_read_o,      // sum of the operands as they were made; it comes a cycle later
    output logic [  8:0] made_row_o,
    output logic [  5:0] made_scalar_o,
    input  logic [ 31:0] made_i,
    output logic         product_error_o,
    output logic         operand_error_o
);

    localparam int LATE = bertd_pkg::CHECK_SUM_LATENCY;

    logic [31:0] digits, expected, read, panel, earlier;
    logic [LATE-1:0] valid_q;
    logic [16:0] along_before, along;
    logic [8:0] row;
    logic first, check, product_error_q, operand_error_q;

    assign digits = sums_i[31:0] + (sums_i[63:32] << 8) + (sums_i[95:64] << 16) + (sums_i[127:96] << 24);
    bertd_check_sum u_panel (.clk_i, .x_i(sums_i), .y_o(panel));
    bertd_delay_line #(.WIDTH(64), .DEPTH(LATE)) u_check (
        .clk_i, .in_i({sums_i[159:128], digits}), .out_o({read, expected}));
    bertd_delay_line #(.WIDTH(17), .DEPTH(LATE - 1)) u_before (
        .clk_i, .in_i({row_i, scalar_i, first_i, check_i}), .out_o(along_before));
    bertd_delay_line #(.WIDTH(17), .DEPTH(1)) u_along (.clk_i, .in_i(along_before), .out_o(along));
    assign {made_row_o, made_scalar_o} = along_before[16:2];
    assign made_read_o = valid_q[LATE-2] && along_before[0];
    assign {row, first, check} = {along[16:8], along[1:0]};

    // Of the panels so far.
    bertd_ram_1r1w #(
        .WIDTH(32),
        .DEPTH(bertd_pkg::MAX_TOKENS)
    ) u_sums (
        .clk_i,
        .write_i        (valid_q[LATE-1] && !check),
        .write_address_i(row),
        .write_data_i   (panel + (first ? 32'd0 : earlier)),
        .read_i         (valid_q[LATE-2]),
        .read_address_i (made_row_o),
        .read_data_o    (earlier)
    );

    assign product_error_o = product_error_q;
    assign operand_error_o = operand_error_q;

    always_ff @(posedge clk_i or negedge rst_ni) begin
        if (!rst_ni) begin
            valid_q <= '0;
            product_error_q <= 1'b0;
            operand_error_q <= 1'b0;
        end else begin
            valid_q <= {valid_q[LATE-2:0], valid_i};
            product_error_q <= valid_q[LATE-1] && check && expected != earlier;
            operand_error_q <= valid_q[LATE-1] && check && read != made_i;
        end
    end

    logic unused;
    assign unused = ^along[7:2];

endmodule
