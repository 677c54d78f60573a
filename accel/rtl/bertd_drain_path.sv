// Data path: the array's sums of scores -> scales -> bertd_drain_banks, beside bertd_drain.
// What the drain does, for the rows of another path: scores alone come here, (float(sum) * scale[output]) *
// scalar[row], so it is a from_int32 and two multiplications. Everything happens LATE cycles after the drain does it
// for the first path's row, which has the same bank of every memory: LATE = 4 is another bank then.
module bertd_drain_path #(
    parameter int LATE = bertd_pkg::GROUP_ROWS
) (
    input  logic                             clk_i,
    input  logic                             rst_ni,
    input  logic                             valid_i,
    input  logic [                      8:0] row_i,
    input  bertd_pkg::tile_t                 tile_i,
    input  logic [                    511:0] sums_i,

    output logic                             scale_read_o,
    output logic [bertd_pkg::PARAM_BITS-1:0] scale_slot_o,
    input  logic [                    511:0] scale_i,        // bertd_pkg::DISTRIBUTED_LATENCY cycles later
    output logic                             scalar_read_o,  // the scalar comes bertd_pkg::SCALAR_LATENCY cycles later
    output logic [                      8:0] scalar_row_o,
    output logic [                      5:0] scalar_o,
    input  logic [                     31:0] scalar_data_i,

    output logic                             write_o,
    output logic [                      8:0] write_row_o,
    output logic [                      7:0] write_column_o,
    output logic [                    511:0] write_data_o,
    output logic                             made_read_o,    // what the row's operands came to; SCALAR_LATENCY cycles later
    output logic [                      8:0] made_row_o,
    output logic [                      5:0] made_scalar_o,
    input  logic [                     31:0] made_i,
    output logic                             product_error_o,
    output logic                             operand_error_o
);

    localparam int TO_MUL = LATE + bertd_pkg::FP_FROM_INT32_LATENCY;
    localparam int TO_ROW = TO_MUL + bertd_pkg::FP_MUL_LATENCY;
    localparam int TO_PRODUCT = TO_ROW + bertd_pkg::FP_MUL_LATENCY;
    localparam int TO_WRITE = LATE + bertd_pkg::DRAIN_LATENCY;
    if (TO_MUL <= bertd_pkg::DISTRIBUTED_LATENCY || TO_ROW <= bertd_pkg::SCALAR_LATENCY || TO_WRITE < TO_PRODUCT)
        $error("the drain's path needs a word before it has the row that the word is for");

    localparam int WORD = 9 + $bits(tile_i);  // of a drain_word_t
    localparam int BITS = bertd_pkg::SCORE_BITS;

    bertd_pkg::drain_word_t word_late, word_scale, word_scalar, word_write;
    logic [TO_WRITE*WORD-1:0] words_q;
    logic [bertd_pkg::PANEL*BITS-1:0] scores, sums;
    logic [511:0] products;
    logic [TO_WRITE-1:0] valid_q;

    always_ff @(posedge clk_i) words_q <= {words_q[(TO_WRITE-1)*WORD-1:0], row_i, tile_i};
    assign word_late = words_q[(LATE-1)*WORD+:WORD];
    assign word_scale = words_q[(TO_MUL-bertd_pkg::DISTRIBUTED_LATENCY-1)*WORD+:WORD];
    assign word_scalar = words_q[(TO_ROW-bertd_pkg::SCALAR_LATENCY-1)*WORD+:WORD];
    assign word_write = words_q[(TO_WRITE-1)*WORD+:WORD];

    always_ff @(posedge clk_i) begin
        if (!rst_ni) valid_q <= '0;
        else valid_q <= {valid_q[TO_WRITE-2:0], valid_i};
    end

    assign scale_read_o = valid_q[TO_MUL-bertd_pkg::DISTRIBUTED_LATENCY-1] && !word_scale.tile.check;
    assign scale_slot_o = word_scale.tile.slot;
    assign scalar_read_o = valid_q[TO_ROW-bertd_pkg::SCALAR_LATENCY-1];
    assign scalar_row_o = word_scalar.row;
    assign scalar_o = word_scalar.tile.scalar;

    // Scores have few bits.
    for (genvar l = 0; l < bertd_pkg::PANEL; l++) begin : gen_score
        assign scores[l*BITS+:BITS] = sums_i[l*32+:BITS];
    end
    bertd_delay_line #(.WIDTH(bertd_pkg::PANEL * BITS), .DEPTH(LATE)) u_late (.clk_i, .in_i(scores), .out_o(sums));

    for (genvar l = 0; l < bertd_pkg::PANEL; l++) begin : gen_lane
        logic [31:0] real_sum, scaled;

        bertd_fp_from_int32 #(.WIDTH(BITS)) u_from_int32 (
            .clk_i, .en_i(1'b1), .a_i(32'($signed(sums[l*BITS+:BITS]))), .y_o(real_sum)
        );
        bertd_fp_mul u_mul (.clk_i, .en_i(1'b1), .a_i(real_sum), .b_i(scale_i[l*32+:32]), .y_o(scaled));
        bertd_fp_mul u_row (.clk_i, .en_i(1'b1), .a_i(scaled), .b_i(scalar_data_i), .y_o(products[l*32+:32]));
    end

    bertd_checksum #(.WIDTH(BITS)) u_checksum (
        .clk_i,
        .rst_ni,
        .valid_i(valid_q[LATE-1]),
        .row_i(word_late.row),
        .scalar_i(word_late.tile.scalar),
        .first_i(word_late.tile.check_first),
        .check_i(word_late.tile.check),
        .sums_i(sums),
        .made_read_o,
        .made_row_o,
        .made_scalar_o,
        .made_i,
        .product_error_o,
        .operand_error_o
    );

    // The drain's other steps take this long.
    bertd_delay_line #(.WIDTH(512), .DEPTH(TO_WRITE - TO_PRODUCT)) u_products (
        .clk_i, .in_i(products), .out_o(write_data_o));

    logic unused;
    assign unused = ^sums_i;

    assign write_o = valid_q[TO_WRITE-1] && !word_write.tile.check;
    assign write_row_o = word_write.row;
    assign write_column_o = word_write.tile.column;

endmodule
