// Data path: the array's sums, beside bertd_drain and bertd_drain_path -> errors for bertd_command_fetch.
// A linear's, a head's scores' or a head's contexts' last panel is its check panel. Its first four outputs are the
// digits, base 256, of what the row's other accumulators must come to, each times its factor (bertd_check_sum), modulo
// 2^32: the product of the row with the so weighted sum of all weights. Its fifth is the weighted sum of the row's
// operands, which must be what it was when they were made (bertd_check_operands).
module bertd_checksum #(
    parameter int WIDTH = 32               // of the sums
) (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic         valid_i,
    input  logic [  8:0] row_i,
    input  logic [  5:0] scalar_i,         // where the row's scalar and its operands' sum lie
    input  logic         first_i,          // first panel of the linear
    input  logic         check_i,          // check panel
    input  logic [16*WIDTH-1:0] sums_i,    // [16], two's complement
    output logic         made_read_o,      // sum of the operands as they were made; it comes SCALAR_LATENCY cycles later
    output logic [  8:0] made_row_o,
    output logic [  5:0] made_scalar_o,
    input  logic [ 31:0] made_i,
    output logic         product_error_o,
    output logic         operand_error_o
);

    localparam int SUM = bertd_pkg::CHECK_SUM_LATENCY;
    localparam int MADE = bertd_pkg::SCALAR_LATENCY;
    localparam int MEMORY = bertd_pkg::BLOCK_LATENCY;
    localparam int LATE = SUM > MADE ? (SUM > MEMORY ? SUM : MEMORY) : MADE > MEMORY ? MADE : MEMORY;
    localparam int WORD = 17;  // row, scalar, first, check

    // A row comes again with the next panel, behind the tile's other ones.
    if (MEMORY >= bertd_pkg::GROUP_ROWS) $error("a row's sum is read before that of the panel before is written");

    logic [159:0] firsts;
    logic [31:0] digits, expected, read, panel, panel_then, earlier;
    logic [LATE:0] valid;
    logic [LATE-1:0] valid_q;
    logic [(LATE+1)*WORD-1:0] words;
    logic [LATE*WORD-1:0] words_q;
    logic [8:0] row, memory_row;
    logic first, check, product_error_q, operand_error_q;

    for (genvar i = 0; i < 5; i++) begin : gen_sum
        assign firsts[i*32+:32] = 32'($signed(sums_i[i*WIDTH+:WIDTH]));
    end
    assign digits = firsts[31:0] + (firsts[63:32] << 8) + (firsts[95:64] << 16) + (firsts[127:96] << 24);
    bertd_check_sum #(.WIDTH(WIDTH)) u_panel (.clk_i, .x_i(sums_i), .y_o(panel));
    bertd_delay_line #(.WIDTH(32), .DEPTH(LATE - SUM)) u_panel_then (.clk_i, .in_i(panel), .out_o(panel_then));
    bertd_delay_line #(.WIDTH(64), .DEPTH(LATE)) u_check (
        .clk_i, .in_i({firsts[159:128], digits}), .out_o({read, expected}));

    assign valid = {valid_q, valid_i};
    assign words = {words_q, row_i, scalar_i, first_i, check_i};
    assign made_read_o = valid[LATE-MADE] && words[(LATE-MADE)*WORD];
    assign made_row_o = words[(LATE-MADE)*WORD+8+:9];
    assign made_scalar_o = words[(LATE-MADE)*WORD+2+:6];
    assign memory_row = words[(LATE-MEMORY)*WORD+8+:9];
    assign row = words[LATE*WORD+8+:9];
    assign {first, check} = words[LATE*WORD+:2];

    // Of the panels so far.
    bertd_ram_1r1w #(
        .WIDTH  (32),
        .DEPTH  (1 << 9),
        .LATENCY(MEMORY)
    ) u_sums (
        .clk_i,
        .write_i        (valid[LATE] && !check),
        .write_address_i(row),
        .write_data_i   (panel_then + (first ? 32'd0 : earlier)),
        .read_i         (valid[LATE-MEMORY]),
        .read_address_i (memory_row),
        .read_data_o    (earlier)
    );

    assign product_error_o = product_error_q;
    assign operand_error_o = operand_error_q;

    always_ff @(posedge clk_i) words_q <= words[LATE*WORD-1:0];
    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            valid_q <= '0;
            product_error_q <= 1'b0;
            operand_error_q <= 1'b0;
        end else begin
            valid_q <= valid[LATE-1:0];
            product_error_q <= valid[LATE] && check && expected != earlier;
            operand_error_q <= valid[LATE] && check && read != made_i;
        end
    end

endmodule
