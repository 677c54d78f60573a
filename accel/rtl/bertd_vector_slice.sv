// Data path: rows of bertd_vector_feed -> int8 rows, scales and normalised rows -> bertd_vector_lane.
// Row programs on groups of four rows, 16 elements a cycle, bit for bit as accel/ref does them:
//   QUANT    [Walsh-Hadamard] -> int8 and a scale a row
//   NORM     LayerNorm -> rows in binary32, and of them QUANT
//   SOFTMAX  scores -> probabilities times value scales in two 7-bit digits, and a factor a row
//
//          bertd_slice_load     bertd_slice_issue                                       bertd_slice_put
//   in -+---> row buffer --------> center -> sum -> factor (NORM, first pass)               |
//       |     mean or max                 -> norm -+-> x                                    |
//       |                                          +-> rotate -+-> collect: result buffer --+-> q
//       +------------------------- (QUANT) --------+           |   largest magnitude --> scale --> scale
//                                  center -> exp, * s_v -------+
//
// The four rows are interleaved word by word, so that a row's running sums are due again just when the adders give
// them. All stages work at once, each on its own group; up to 16 groups are in the slice. Words are sent into a
// pipeline only where there is room behind it, so that nothing but the FIFOs at the ends ever waits.
//
// Elements past the width and rows past `rows` count as +0 and come out as 0. NORM: QUANT follows even where nobody
// needs it. Value scales are >= 0. MAX_WIDTH is a power of two.
module bertd_vector_slice #(
    parameter int MAX_WIDTH = 4096
) (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  logic                  clear_i,        // abandon all work; nothing is taken then and in the next cycle
    input  logic                  cmd_valid_i,
    output logic                  cmd_ready_o,
    input  bertd_pkg::slice_cmd_t cmd_i,
    input  logic                  in_valid_i,     // for each word of 16 elements, the word of row 0, 1, 2, 3
    output logic                  in_ready_o,
    input  logic [         511:0] in_i,
    input  logic                  side_valid_i,   // NORM: gamma low, beta high; SOFTMAX: value scales low; once a word
    output logic                  side_ready_o,
    input  logic [        1023:0] side_i,
    output logic                  x_valid_o,      // NORM; taken at once
    output logic [         511:0] x_o,
    output logic                  q_valid_o,      // {high, low} digits, or an int8 low
    input  logic                  q_ready_i,
    output logic [         255:0] q_o,
    output logic                  scale_valid_o,  // one a row
    input  logic                  scale_ready_i,
    output logic [          31:0] scale_o,
    output logic                  error_o,        // a value was not finite; until clear_i
    output logic                  memory_error_o  // a word of a buffer has changed
);

    localparam int GROUP = MAX_WIDTH / 16 * 4;

    // bertd_slice_scale wants a row's largest weight, four stages behind the product that it is, times its step, before
    // the row's sum: which leaves bertd_slice_sum behind a product and all rounds of a fold, and began three words later.
    if (2 * bertd_pkg::FP_MUL_LATENCY + 4 >=
        3 + bertd_pkg::FP_PRODUCT_LATENCY + 1 + bertd_pkg::FOLD_CYCLES - bertd_pkg::GROUP_ROWS)
        $error("a softmax's sum comes before its largest value");

    // Clearing is a reset that the slice makes itself.
    logic reset_n;
    always_ff @(posedge clk_i) reset_n <= rst_ni && !clear_i;

    bertd_pkg::slice_cmd_t load_cmd, issue_cmd, collect_cmd, put_cmd, in_flight;
    logic [3:0] stats_group, issue_group, inverse_group, put_group;
    logic load_valid, issue_valid, issue_loaded, issue_input, issue_drained, put_valid;
    logic load_taken, stat_valid, issue_quant, issue_done, collect_taken, inverse_valid, scale_valid, put_done;
    logic [1:0] stat_row, inverse_row, scale_row;
    bertd_slice_commands u_commands (
        .clk_i,
        .rst_ni         (reset_n),
        .cmd_valid_i    (cmd_valid_i),
        .cmd_ready_o,
        .cmd_i,
        .scale_taken_i  (scale_valid_o && scale_ready_i),
        .load_i         (load_taken || (issue_done && issue_quant)),
        .stats_i        ((stat_valid && stat_row == 2'd3) || (issue_done && issue_quant)),
        .issue_i        (issue_done),
        .collect_i      (collect_taken),
        .inverse_i      (inverse_valid && inverse_row == 2'd3),
        .scale_i        (scale_valid && scale_row == 2'd3),
        .put_i          (put_done),
        .load_cmd_o     (load_cmd),
        .issue_cmd_o    (issue_cmd),
        .collect_cmd_o  (collect_cmd),
        .put_cmd_o      (put_cmd),
        .stats_group_o  (stats_group),
        .issue_group_o  (issue_group),
        .inverse_group_o(inverse_group),
        .put_group_o    (put_group),
        .load_valid_o   (load_valid),
        .issue_valid_o  (issue_valid),
        .issue_loaded_o (issue_loaded),
        .issue_input_o  (issue_input),
        .issue_drained_o(issue_drained),
        .put_valid_o    (put_valid)
    );

    // Into the row buffer. QUANT does without it.
    logic load_ready, row_space, row_write, load_error;
    logic [511:0] row_write_data;
    logic [31:0] stat;
    bertd_slice_load u_load (
        .clk_i,
        .rst_ni      (reset_n),
        .cmd_valid_i (load_valid && load_cmd.kind != bertd_pkg::SLICE_QUANT),
        .cmd_i       (load_cmd),
        .space_i     (row_space),
        .in_valid_i,
        .in_ready_o  (load_ready),
        .in_i,
        .taken_o     (load_taken),
        .write_o     (row_write),
        .write_data_o(row_write_data),
        .stat_valid_o(stat_valid),
        .stat_row_o  (stat_row),
        .stat_o      (stat),
        .error_o     (load_error)
    );
    (* ram_style = "distributed" *) logic [31:0] stats[0:63];
    always_ff @(posedge clk_i) if (stat_valid) stats[{stats_group, stat_row}] <= stat;

    // Out of it, or straight from the input
    logic issue, issue_final, issue_rewind, issue_first, issue_end, quant_ready, factors_ready;
    logic side_space, beta_space, result_space;
    logic [1:0] issue_row;
    logic [15:0] issue_mask;
    bertd_slice_issue u_issue (
        .clk_i,
        .rst_ni      (reset_n),
        .cmd_valid_i (issue_valid),
        .cmd_i       (issue_cmd),
        .loaded_i    (issue_loaded),
        .input_i     (issue_input),
        .drained_i   (issue_drained),
        .factors_i   (factors_ready),
        .in_valid_i,
        .in_ready_o  (quant_ready),
        .side_valid_i(side_valid_i && side_space && beta_space),
        .side_ready_o(side_ready_o),
        .space_i     (result_space),
        .issue_o     (issue),
        .quant_o     (issue_quant),
        .final_o     (issue_final),
        .done_o      (issue_done),
        .rewind_o    (issue_rewind),
        .row_o       (issue_row),
        .first_o     (issue_first),
        .end_o       (issue_end),
        .mask_o      (issue_mask),
        .in_flight_o (in_flight)
    );
    assign in_ready_o = quant_ready || load_ready;

    logic [511:0] row_data;
    logic row_error, result_error;
    bertd_slice_buffer #(
        .DEPTH(GROUP)
    ) u_rows (
        .clk_i,
        .rst_ni      (reset_n),
        .space_o     (row_space),
        .promise_i   (in_valid_i && load_ready),
        .write_i     (row_write),
        .write_data_i(row_write_data),
        .read_i      (issue && !issue_quant),
        .release_i   (issue && !issue_quant && issue_final),
        .rewind_i    (issue_rewind),
        .read_data_o (row_data),
        .error_o     (row_error)
    );
    assign memory_error_o = row_error || result_error;

    // Side words wait for the pipeline's end, betas a little longer.
    logic side_push, side_pop, beta_pop, side_there, beta_there, gamma_taken, beta_taken, softmax_side_taken;
    logic [511:0] side, beta;
    logic [5:0] side_used, beta_used;
    assign side_push = side_valid_i && side_ready_o && side_space && beta_space;
    assign side_pop = gamma_taken || softmax_side_taken;
    assign beta_pop = beta_taken || softmax_side_taken;
    bertd_stream_fifo #(
        .WIDTH(512),
        .DEPTH(32)
    ) u_side (
        .clk_i,
        .rst_ni     (reset_n),
        .in_valid_i (side_push),
        .in_ready_o (side_space),
        .in_i       (side_i[511:0]),
        .out_valid_o(side_there),
        .out_ready_i(side_pop),
        .out_o      (side),
        .used_o     (side_used)
    );
    bertd_stream_fifo #(
        .WIDTH(512),
        .DEPTH(32)
    ) u_side_beta (
        .clk_i,
        .rst_ni     (reset_n),
        .in_valid_i (side_push),
        .in_ready_o (beta_space),
        .in_i       (side_i[1023:512]),
        .out_valid_o(beta_there),
        .out_ready_i(beta_pop),
        .out_o      (beta),
        .used_o     (beta_used)
    );

    // What goes along with a word: row, first, end, final, mask
    localparam int TAG = 21;
    logic row_valid, center_valid;
    logic [TAG-1:0] row_tag, center_tag;
    logic [31:0] row_stat;
    logic [511:0] centered;
    bertd_slice_valid #(
        .WIDTH(TAG),
        .DEPTH(bertd_pkg::BLOCK_LATENCY)
    ) u_row_valid (
        .clk_i,
        .rst_ni (reset_n),
        .valid_i(issue && !issue_quant),
        .tag_i  ({issue_row, issue_first, issue_end, issue_final, issue_mask}),
        .valid_o(row_valid),
        .tag_o  (row_tag)
    );
    bertd_fp_delay #(
        .DEPTH(bertd_pkg::BLOCK_LATENCY)
    ) u_row_stat (
        .clk_i,
        .en_i(1'b1),
        .d_i (stats[{issue_group, issue_row}]),
        .q_o (row_stat)
    );
    bertd_slice_center #(
        .TAG(TAG)
    ) u_center (
        .clk_i,
        .rst_ni (reset_n),
        .valid_i(row_valid),
        .tag_i  (row_tag),
        .x_i    (row_data),
        .stat_i (row_stat),
        .valid_o(center_valid),
        .tag_o  (center_tag),
        .d_o    (centered)
    );

    logic softmax, center_first, center_end, center_final;
    logic [1:0] center_row;
    logic [15:0] center_mask;
    assign softmax = in_flight.kind == bertd_pkg::SLICE_SOFTMAX;
    assign {center_row, center_first, center_end, center_final, center_mask} = center_tag;

    // SOFTMAX
    logic e_valid, e_first, e_end, w_valid;
    logic [15:0] e_mask, w_mask;
    logic [511:0] e, w;
    bertd_slice_softmax u_softmax (
        .clk_i,
        .rst_ni      (reset_n),
        .valid_i     (center_valid && softmax),
        .first_i     (center_first),
        .end_i       (center_end),
        .row_i       (center_row),
        .mask_i      (center_mask),
        .d_i         (centered),
        .scales_i    (side),
        .side_taken_o(softmax_side_taken),
        .e_valid_o   (e_valid),
        .e_first_o   (e_first),
        .e_end_o     (e_end),
        .e_mask_o    (e_mask),
        .e_o         (e),
        .valid_o     (w_valid),
        .mask_o      (w_mask),
        .w_o         (w)
    );

    // Sums of e * 1, and for NORM of d * d, over the elements that there are
    logic [511:0] summed;
    for (genvar l = 0; l < 16; l++) begin : g_summed
        assign summed[32*l+:32] = softmax ? (e_mask[l] ? e[32*l+:32] : 32'd0) : center_mask[l] ? centered[32*l+:32] : 32'd0;
    end
    logic sum_valid;
    logic [1:0] sum_row;
    logic [31:0] sum;
    bertd_slice_sum u_sum (
        .clk_i,
        .rst_ni (reset_n),
        .valid_i(softmax ? e_valid : center_valid && !center_final),
        .first_i(softmax ? e_first : center_first),
        .end_i  (softmax ? e_end : center_end),
        .a_i    (summed),
        .b_i    (softmax ? {16{bertd_pkg::FP_ONE}} : centered),
        .valid_o(sum_valid),
        .row_o  (sum_row),
        .sum_o  (sum)
    );

    // The divider of NORM and scales
    logic root_valid, factor_valid;
    logic [1:0] root_row, scale_asks, scale_quotients;
    logic [2:0] quotient_tag;
    logic [5:0] scale_tags;
    logic [31:0] root, quotient;
    logic [63:0] dividends, divisors;
    bertd_slice_divide #(
        .ASKERS(3)
    ) u_divide (
        .clk_i,
        .rst_ni (reset_n),
        .valid_i({scale_asks, root_valid}),
        .tag_i  ({scale_tags, 1'b0, root_row}),
        .a_i    ({dividends, bertd_pkg::FP_ONE}),
        .b_i    ({divisors, root}),
        .valid_o({scale_quotients, factor_valid}),
        .tag_o  (quotient_tag),
        .y_o    (quotient)
    );

    // NORM
    logic factor_error, y_valid;
    logic [15:0] y_mask;
    logic [127:0] factors;
    logic [511:0] y;
    bertd_slice_factor u_factor (
        .clk_i,
        .rst_ni     (reset_n),
        .inv_width_i(in_flight.inv_width),
        .eps_i      (in_flight.eps),
        .rows_i     (in_flight.rows),
        .valid_i    (sum_valid && !softmax),
        .row_i      (sum_row),
        .sum_i      (sum),
        .taken_i    (issue_done),
        .ready_o    (factors_ready),
        .factors_o  (factors),
        .error_o    (factor_error),
        .root_valid_o  (root_valid),
        .root_row_o    (root_row),
        .root_o        (root),
        .factor_valid_i(factor_valid),
        .factor_row_i  (quotient_tag[1:0]),
        .factor_i      (quotient)
    );
    bertd_slice_norm u_norm (
        .clk_i,
        .rst_ni      (reset_n),
        .valid_i     (center_valid && !softmax && center_final),
        .row_i       (center_row),
        .mask_i      (center_mask),
        .d_i         (centered),
        .factor_i    (factors[32*center_row+:32]),
        .gamma_i     (side),
        .beta_i      (beta),
        .gamma_taken_o(gamma_taken),
        .beta_taken_o(beta_taken),
        .valid_o     (y_valid),
        .mask_o      (y_mask),
        .y_o         (y)
    );

    always_ff @(posedge clk_i) x_valid_o <= reset_n && y_valid;
    always_ff @(posedge clk_i) begin
        for (int l = 0; l < 16; l++) x_o[32*l+:32] <= y_mask[l] ? y[32*l+:32] : 32'd0;
    end

    // Rotation of QUANT's and NORM's rows
    logic quant_valid_q, rotated_valid;
    logic [511:0] quant_q, rotated_from, rotated;
    always_ff @(posedge clk_i) begin
        if (!reset_n) quant_valid_q <= 1'b0;
        else quant_valid_q <= issue && issue_quant;
    end
    always_ff @(posedge clk_i) begin
        for (int l = 0; l < 16; l++) quant_q[32*l+:32] <= issue_mask[l] ? in_i[32*l+:32] : 32'd0;
    end
    for (genvar l = 0; l < 16; l++) begin : g_rotated
        assign rotated_from[32*l+:32] = quant_valid_q ? quant_q[32*l+:32] : y_mask[l] ? y[32*l+:32] : 32'd0;
    end
    bertd_slice_rotate u_rotate (
        .clk_i,
        .rst_ni (reset_n),
        .log2_i (in_flight.rotate_log2),
        .valid_i(y_valid || quant_valid_q),
        .x_i    (rotated_from),
        .valid_o(rotated_valid),
        .y_o    (rotated)
    );

    // Into the result buffer
    logic result_write, amax_valid, scale_error;
    logic [1:0] amax_row;
    logic [31:0] amax, inverse, scale;
    logic [511:0] collected, result_write_data;
    for (genvar l = 0; l < 16; l++) begin : g_collected
        assign collected[32*l+:32] = !w_valid ? rotated[32*l+:32] : w_mask[l] ? w[32*l+:32] : 32'd0;
    end
    bertd_slice_collect u_collect (
        .clk_i,
        .rst_ni      (reset_n),
        .cmd_i       (collect_cmd),
        .valid_i     (rotated_valid || w_valid),
        .x_i         (collected),
        .taken_o     (collect_taken),
        .write_o     (result_write),
        .write_data_o(result_write_data),
        .amax_valid_o(amax_valid),
        .amax_row_o  (amax_row),
        .amax_o      (amax)
    );
    bertd_slice_scale u_scale (
        .clk_i,
        .rst_ni         (reset_n),
        .softmax_i      (softmax),
        .amax_valid_i   (amax_valid),
        .amax_row_i     (amax_row),
        .amax_i         (amax),
        .z_valid_i      (sum_valid && softmax),
        .z_row_i        (sum_row),
        .z_i            (sum),
        .inverse_valid_o(inverse_valid),
        .inverse_row_o  (inverse_row),
        .inverse_o      (inverse),
        .scale_valid_o  (scale_valid),
        .scale_row_o    (scale_row),
        .scale_o        (scale),
        .error_o        (scale_error),
        .ask_valid_o    (scale_asks),
        .ask_tag_o      (scale_tags),
        .ask_a_o        (dividends),
        .ask_b_o        (divisors),
        .quotient_valid_i(scale_quotients),
        .quotient_tag_i (quotient_tag),
        .quotient_i     (quotient)
    );
    (* ram_style = "distributed" *) logic [31:0] inverses[0:63];
    always_ff @(posedge clk_i) if (inverse_valid) inverses[{inverse_group, inverse_row}] <= inverse;

    logic scale_ready;
    logic [6:0] scale_used;
    bertd_stream_fifo #(
        .WIDTH(32),
        .DEPTH(64)
    ) u_scales (
        .clk_i,
        .rst_ni     (reset_n),
        .in_valid_i (scale_valid),
        .in_ready_o (scale_ready),
        .in_i       (scale),
        .out_valid_o(scale_valid_o),
        .out_ready_i(scale_ready_i),
        .out_o      (scale_o),
        .used_o     (scale_used)
    );

    // And out
    logic put_read;
    logic [1:0] put_row;
    logic [511:0] result_data;
    bertd_slice_buffer #(
        .DEPTH(2 * GROUP)
    ) u_results (
        .clk_i,
        .rst_ni      (reset_n),
        .space_o     (result_space),
        .promise_i   (issue && issue_final),
        .write_i     (result_write),
        .write_data_i(result_write_data),
        .read_i      (put_read),
        .release_i   (put_read),
        .rewind_i    (1'b0),
        .read_data_o (result_data),
        .error_o     (result_error)
    );
    bertd_slice_put u_put (
        .clk_i,
        .rst_ni     (reset_n),
        .cmd_valid_i(put_valid),
        .cmd_i      (put_cmd),
        .row_o      (put_row),
        .inverse_i  (inverses[{put_group, put_row}]),
        .read_o     (put_read),
        .data_i     (result_data),
        .done_o     (put_done),
        .q_valid_o,
        .q_ready_i,
        .q_o
    );

    always_ff @(posedge clk_i) begin
        if (!reset_n || clear_i) error_o <= 1'b0;
        else error_o <= error_o || load_error || factor_error || scale_error;
    end

    logic unused;
    assign unused = ^{side_used, beta_used, scale_used, load_cmd, collect_cmd, put_cmd, in_flight, side_there};

`ifndef SYNTHESIS
    always_ff @(posedge clk_i) begin
        assert (!(quant_valid_q && y_valid));
        assert (!(rotated_valid && w_valid));
        assert (!scale_valid || scale_ready);
        assert (!side_pop || side_there);
        assert (!beta_pop || beta_there);
    end
`endif

endmodule
