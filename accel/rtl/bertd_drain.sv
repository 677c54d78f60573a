// Data path: the array's int32 sums -> scale, bias, activation, residual -> binary32 rows in the row memory.
// From accumulators to binary32, a row's 16 outputs a cycle:
//   y = fma(float(sum) * scale[output], scalar[row], bias[output]), then the activation, then + residual.
// Scores have no bias, contexts neither bias nor scale; adding -0 and multiplying by 1 change nothing.
module bertd_drain #(
    parameter int PATHS = 1
) (
    input  logic                             clk_i,
    input  logic                             rst_ni,
    input  logic [                      1:0] activation_i,
    input  logic                             valid_i,
    input  logic [                      1:0] turn_i,            // counts up; rows to be activated come in 0, 1, 2
    input  logic [                      8:0] row_i,
    input  bertd_pkg::tile_t                 tile_i,
    input  logic                             tile_end_i,
    input  logic [                    511:0] sums_i,

    output logic                             scale_read_o,
    output logic [bertd_pkg::PARAM_BITS-1:0] scale_slot_o,
    input  logic [                    511:0] scale_i,           // bertd_pkg::DISTRIBUTED_LATENCY cycles later, as bias_i
    output logic                             bias_read_o,
    output logic [bertd_pkg::PARAM_BITS-1:0] bias_slot_o,
    input  logic [                    511:0] bias_i,
    output logic                             scalar_read_o,     // the scalar comes bertd_pkg::SCALAR_LATENCY cycles later
    output logic [                      8:0] scalar_row_o,
    output logic [                      5:0] scalar_o,
    input  logic [                     31:0] scalar_data_i,
    output logic                             residual_read_o,   // the word RESIDUAL_LATENCY cycles later
    output logic [                      8:0] residual_row_o,
    output logic [                      7:0] residual_column_o,
    input  logic [                    511:0] residual_data_i,

    output logic                             write_o,
    output logic [                      8:0] write_row_o,
    output logic [                      7:0] write_column_o,
    output logic [                    511:0] write_data_o,
    output logic                             panel_done_o,      // a panel's last word is written in this cycle
    output logic                             rows_done_o,       // likewise, the last of these rows of a pass ...
    output logic                             pass_done_o,       // ... and of all its rows
    output logic [                      9:0] end_row_o,         // behind them
    output logic                             made_read_o,       // what the row's operands came to; SCALAR_LATENCY cycles later
    output logic [                      8:0] made_row_o,
    output logic [                      5:0] made_scalar_o,
    input  logic [                     31:0] made_i,
    output logic                             product_error_o,   // bertd_checksum
    output logic                             operand_error_o
);

    localparam int LANES = bertd_pkg::PANEL;
    localparam int TO_MUL = bertd_pkg::FP_FROM_INT32_LATENCY;
    localparam int TO_FMA = TO_MUL + bertd_pkg::FP_MUL_LATENCY;
    localparam int TO_BIAS = TO_FMA + bertd_pkg::FP_PRODUCT_LATENCY;
    localparam int TO_ACTIVATION = TO_FMA + bertd_pkg::FP_FMA_LATENCY;
    localparam int TO_ADD = TO_ACTIVATION + bertd_pkg::DRAIN_ACTIVATION_LATENCY;
    localparam int TO_WRITE = TO_ADD + bertd_pkg::FP_ADD_LATENCY;
    localparam int TO_END = TO_WRITE + (PATHS - 1) * bertd_pkg::GROUP_ROWS;  // of the last path

    if (TO_MUL <= bertd_pkg::DISTRIBUTED_LATENCY || TO_FMA <= bertd_pkg::SCALAR_LATENCY ||
        TO_ADD <= bertd_pkg::RESIDUAL_LATENCY)
        $error("the drain needs a word before it has the row that the word is for");

    localparam int WORD = 9 + $bits(tile_i);  // of a drain_word_t

    bertd_pkg::drain_word_t word_scale, word_mul, word_scalar, word_bias, word_biased, word_residual, word_add, word_write;
    logic last_tile, rows_done, pass_last;
    logic [TO_WRITE*WORD-1:0] words_q;
    logic [511:0] scales, biases, residuals, linear, kept, active, activated;
    logic [1:0] turn;
    logic [31:0] scalar;
    logic [TO_WRITE-1:0] valid_q;
    logic [TO_END-1:0] end_q;

    // The word's description travels along, past what must be read a memory's latency before it is used; the valid bits
    // alone know of resets.
    always_ff @(posedge clk_i) words_q <= {words_q[(TO_WRITE-1)*WORD-1:0], row_i, tile_i};
    assign word_scale = words_q[(TO_MUL-bertd_pkg::DISTRIBUTED_LATENCY-1)*WORD+:WORD];
    assign word_mul = words_q[(TO_MUL-1)*WORD+:WORD];
    assign word_scalar = words_q[(TO_FMA-bertd_pkg::SCALAR_LATENCY-1)*WORD+:WORD];
    assign word_bias = words_q[(TO_BIAS-bertd_pkg::DISTRIBUTED_LATENCY-1)*WORD+:WORD];
    assign word_biased = words_q[(TO_BIAS-1)*WORD+:WORD];
    assign word_residual = words_q[(TO_ADD-bertd_pkg::RESIDUAL_LATENCY-1)*WORD+:WORD];
    assign word_add = words_q[(TO_ADD-1)*WORD+:WORD];
    assign word_write = words_q[(TO_WRITE-1)*WORD+:WORD];

    bertd_delay_line #(.WIDTH(13), .DEPTH(TO_END - TO_ADD)) u_to_end (
        .clk_i,
        .in_i({word_add.tile.last_tile, word_add.tile.rows_done, word_add.tile.pass_last,
               {1'b0, word_add.tile.row} + word_add.tile.rows}),
        .out_o({last_tile, rows_done, pass_last, end_row_o})
    );

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            valid_q <= '0;
            end_q <= '0;
        end else begin
            valid_q <= {valid_q[TO_WRITE-2:0], valid_i};
            end_q <= {end_q[TO_END-2:0], valid_i && tile_end_i};
        end
    end

    assign scale_read_o = valid_q[TO_MUL-bertd_pkg::DISTRIBUTED_LATENCY-1] && word_scale.tile.params != 2'd0 &&
        !word_scale.tile.check;
    assign scale_slot_o = word_scale.tile.slot;
    assign scales = word_mul.tile.params != 2'd0 ? scale_i : {LANES{bertd_pkg::FP_ONE}};
    assign scalar_read_o = valid_q[TO_FMA-bertd_pkg::SCALAR_LATENCY-1];
    assign scalar_row_o = word_scalar.row;
    assign scalar_o = word_scalar.tile.scalar;
    assign scalar = scalar_data_i;
    assign bias_read_o = valid_q[TO_BIAS-bertd_pkg::DISTRIBUTED_LATENCY-1] && word_bias.tile.params == 2'd2 &&
        !word_bias.tile.check;
    assign bias_slot_o = word_bias.tile.slot;
    assign biases = word_biased.tile.params == 2'd2 ? bias_i : {LANES{bertd_pkg::FP_MINUS_ZERO}};
    assign residual_read_o = valid_q[TO_ADD-bertd_pkg::RESIDUAL_LATENCY-1] && word_residual.tile.residual;
    assign residual_row_o = word_residual.row;
    assign residual_column_o = word_residual.tile.column;
    assign residuals = word_add.tile.residual ? residual_data_i : {LANES{bertd_pkg::FP_MINUS_ZERO}};

    for (genvar l = 0; l < LANES; l++) begin : gen_lane
        logic [31:0] real_sum, scaled;

        bertd_fp_from_int32 u_from_int32 (.clk_i, .en_i(1'b1), .a_i(sums_i[l*32+:32]), .y_o(real_sum));
        bertd_fp_mul u_mul (.clk_i, .en_i(1'b1), .a_i(real_sum), .b_i(scales[l*32+:32]), .y_o(scaled));
        bertd_fp_fma u_fma (
            .clk_i, .en_i(1'b1),
            .a_i(scaled), .b_i(scalar), .c_i(biases[l*32+:32]), .y_o(linear[l*32+:32])
        );
        bertd_fp_add u_add (
            .clk_i, .en_i(1'b1),
            .a_i(activated[l*32+:32]), .b_i(residuals[l*32+:32]), .y_o(write_data_o[l*32+:32])
        );
    end

    bertd_delay_line #(.WIDTH(2), .DEPTH(TO_ACTIVATION)) u_turn (.clk_i, .in_i(turn_i), .out_o(turn));
    bertd_drain_activation u_activation (
        .clk_i, .kind_i(activation_i), .turn_i(turn), .x_i(linear), .y_o(active)
    );
    bertd_delay_line #(.WIDTH(512), .DEPTH(bertd_pkg::DRAIN_ACTIVATION_LATENCY)) u_kept (
        .clk_i, .in_i(linear), .out_o(kept));
    assign activated = word_add.tile.activate ? active : kept;

    bertd_checksum u_checksum (
        .clk_i,
        .rst_ni,
        .valid_i,
        .row_i,
        .scalar_i(tile_i.scalar),
        .first_i(tile_i.check_first),
        .check_i(tile_i.check),
        .sums_i,
        .made_read_o,
        .made_row_o,
        .made_scalar_o,
        .made_i,
        .product_error_o,
        .operand_error_o
    );

    assign write_o = valid_q[TO_WRITE-1] && !word_write.tile.check;
    assign write_row_o = word_write.row;
    assign write_column_o = word_write.tile.column;
    assign panel_done_o = end_q[TO_END-1] && last_tile;
    assign rows_done_o = end_q[TO_END-1] && rows_done;
    assign pass_done_o = rows_done_o && last_tile && pass_last;

endmodule
