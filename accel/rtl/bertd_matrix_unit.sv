// Data path: weights in card memory, rows in the operand memory -> binary32 rows in the row memory.
// Products with int8 weights: fetches panels, multiplies them with the rows in the operand memory, drains the sums into
// binary32 rows.
module bertd_matrix_unit #(
    parameter int ROWS = 4,
    parameter int PATHS = 1
) (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  logic [           1:0] activation_i,
    input  logic                  fetch_valid_i,
    output logic                  fetch_ready_o,
    input  bertd_pkg::fetch_job_t fetch_i,
    input  logic                  array_valid_i,
    output logic                  array_ready_o,
    input  bertd_pkg::array_job_t array_i,
    input  logic [           9:0] vector_done_i,
    input  logic [           9:0] vector_rows_i,
    input  logic [           7:0] kv_done_i,
    input  logic                  writer_idle_i,
    output logic                  panel_done_o,
    output logic                  rows_done_o,
    output logic                  pass_done_o,
    output logic [           9:0] end_row_o,
    output logic                  product_error_o,
    output logic                  operand_error_o,
    output logic                  memory_error_o,   // a word of a memory has changed
    output logic                  bus_error_o,
    output logic                  step_o,
    output logic                  wait_weights_o,
    output logic                  wait_rows_o,
    output logic                  wait_drain_o,
    output logic                  idle_o,

    output logic                  operand_read_o,
    output logic [           6:0] operand_tile_o,
    output logic [           8:0] operand_word_o,
    input  logic [  ROWS*128-1:0] operand_data_i,
    output logic [     PATHS-1:0] scalar_read_o,
    output logic [   PATHS*9-1:0] scalar_row_o,
    output logic [   PATHS*6-1:0] scalar_o,
    input  logic [  PATHS*32-1:0] scalar_data_i,
    output logic [     PATHS-1:0] made_read_o,
    output logic [   PATHS*9-1:0] made_row_o,
    output logic [   PATHS*6-1:0] made_scalar_o,
    input  logic [  PATHS*32-1:0] made_i,
    output logic                  residual_read_o,
    output logic [           8:0] residual_row_o,
    output logic [           7:0] residual_column_o,
    input  logic [         511:0] residual_data_i,
    output logic [     PATHS-1:0] write_o,
    output logic [   PATHS*9-1:0] write_row_o,
    output logic [   PATHS*8-1:0] write_column_o,
    output logic [ PATHS*512-1:0] write_data_o,

    output logic                  m_axi_arvalid_o,
    input  logic                  m_axi_arready_i,
    output logic [          63:0] m_axi_araddr_o,
    output logic [           7:0] m_axi_arlen_o,
    input  logic                  m_axi_rvalid_i,
    output logic                  m_axi_rready_o,
    input  logic [         511:0] m_axi_rdata_i,
    input  logic [           1:0] m_axi_rresp_i
);

    localparam int FETCH_BITS = $bits(fetch_i);
    localparam int ARRAY_BITS = $bits(array_i);

    bertd_pkg::fetch_job_t fetch_job;
    bertd_pkg::array_job_t array_job;
    bertd_pkg::tile_t result;
    bertd_pkg::drain_word_t word, picked;
    logic fetch_valid, fetch_ready, array_valid, array_ready;
    logic panel_valid, panel_ready, panel_adds, panel_first, panel_check;
    logic request_valid, request_ready, data_valid, data_ready;
    logic [10:0] panel_groups;
    logic [1:0] panel_params, group;
    logic [63:0] request_address;
    logic [15:0] request_beats;
    logic [511:0] data, weights, bias;
    logic [PATHS*512-1:0] sums, scale;
    logic [bertd_pkg::RING_BITS:0] arrived;
    logic [bertd_pkg::RING_BITS-1:0] ring_address;
    logic [PATHS*bertd_pkg::PARAM_BITS-1:0] scale_slot;
    logic [bertd_pkg::PARAM_BITS-1:0] bias_slot;
    logic first, shift, last, beat_freed, results_busy, results_there;
    logic [PATHS:0] take, taken;         // and the tile's end
    logic [PATHS-1:0] product_error, operand_error, scale_read;
    logic bias_read;
    logic [1:0] turn, picked_turn;
    logic reader_idle;
    logic [1:0] job_parity;
    logic param_error, job_error_q;

    // A job has a parity bit.
    bertd_job_queue #(.WIDTH(1 + FETCH_BITS)) u_fetch_queue (
        .clk_i, .rst_ni,
        .in_valid_i(fetch_valid_i), .in_ready_o(fetch_ready_o), .in_i({^fetch_i, fetch_i}),
        .out_valid_o(fetch_valid), .out_ready_i(fetch_ready), .out_o({job_parity[0], fetch_job})
    );
    bertd_job_queue #(.WIDTH(1 + ARRAY_BITS)) u_array_queue (
        .clk_i, .rst_ni,
        .in_valid_i(array_valid_i), .in_ready_o(array_ready_o), .in_i({^array_i, array_i}),
        .out_valid_o(array_valid), .out_ready_i(array_ready), .out_o({job_parity[1], array_job})
    );
    assign memory_error_o = param_error || job_error_q;
    always_ff @(posedge clk_i)
        job_error_q <= rst_ni &&
            ((fetch_valid && job_parity[0] != ^fetch_job) || (array_valid && job_parity[1] != ^array_job));

    bertd_weight_fetch u_fetch (
        .clk_i, .rst_ni,
        .job_valid_i(fetch_valid), .job_ready_o(fetch_ready), .job_i(fetch_job),
        .kv_done_i, .writer_idle_i,
        .beat_freed_i(ring_beat_freed), .panel_retired_i(panel_done_o),
        .panel_valid_o(panel_valid), .panel_ready_i(panel_ready),
        .panel_groups_o(panel_groups), .panel_params_o(panel_params),
        .panel_adds_o(panel_adds), .panel_first_o(panel_first), .panel_check_o(panel_check),
        .request_valid_o(request_valid), .request_ready_i(request_ready),
        .request_address_o(request_address), .request_beats_o(request_beats)
    );

    bertd_axi_reader u_reader (
        .clk_i, .rst_ni,
        .request_valid_i(request_valid), .request_ready_o(request_ready),
        .request_address_i(request_address), .request_beats_i(request_beats),
        .data_valid_o(data_valid), .data_ready_i(data_ready), .data_o(data),
        .idle_o(reader_idle), .error_o(bus_error_o),
        .m_axi_arvalid_o, .m_axi_arready_i, .m_axi_araddr_o, .m_axi_arlen_o,
        .m_axi_rvalid_i, .m_axi_rready_o, .m_axi_rdata_i, .m_axi_rresp_i
    );

    // Weights leave the ring so that they meet the operands in the array, behind their tree.
    localparam int RING_LATE = bertd_pkg::OPERAND_LATENCY - bertd_pkg::FANOUT_STAGES - bertd_pkg::ULTRA_LATENCY;
    logic ring_read, ring_beat_freed;
    logic [bertd_pkg::RING_BITS-1:0] ring_read_address;
    if (RING_LATE < 0) $error("the weight ring takes %0d cycles longer than the operands", -RING_LATE);
    bertd_delay_line #(.WIDTH(bertd_pkg::RING_BITS + 2), .DEPTH(RING_LATE)) u_ring_read (
        .clk_i, .in_i({step_o, beat_freed, ring_address}), .out_o({ring_read, ring_beat_freed, ring_read_address}));

    bertd_weight_ring #(.PATHS(PATHS)) u_ring (
        .clk_i, .rst_ni,
        .panel_valid_i(panel_valid), .panel_ready_o(panel_ready),
        .panel_groups_i(panel_groups), .panel_params_i(panel_params),
        .panel_adds_i(panel_adds), .panel_first_i(panel_first), .panel_check_i(panel_check),
        .data_valid_i(data_valid), .data_ready_o(data_ready), .data_i(data),
        .arrived_o(arrived),
        .read_i(ring_read), .read_address_i(ring_read_address), .read_data_o(weights),
        .scale_read_i(scale_read), .scale_slot_i(scale_slot), .scale_o(scale),
        .bias_read_i(bias_read), .bias_slot_i(bias_slot), .bias_o(bias), .param_error_o(param_error)
    );

    bertd_array_control #(.ROWS(ROWS)) u_control (
        .clk_i, .rst_ni,
        .job_valid_i(array_valid), .job_ready_o(array_ready), .job_i(array_job),
        .vector_done_i, .vector_rows_i,
        .arrived_i(arrived),
        .step_o, .ring_address_o(ring_address),
        .tile_o(operand_tile_o), .operand_o(operand_word_o), .group_o(group),
        .first_o(first), .shift_o(shift), .last_o(last), .beat_freed_o(beat_freed),
        .results_busy_i(results_busy), .result_o(result),
        .wait_weights_o, .wait_rows_o, .wait_drain_o, .idle_o
    );
    assign operand_read_o = step_o;
    assign product_error_o = product_error != '0;
    assign operand_error_o = operand_error != '0;

    bertd_array #(.ROWS(ROWS), .PATHS(PATHS)) u_array (
        .clk_i, .rst_ni,
        .step_i(step_o), .group_i(group), .first_i(first), .shift_i(shift), .last_i(last),
        .weights_i(weights), .operands_i(operand_data_i),
        .result_o(results_there), .row_i(word.row), .rows_o(sums)
    );

    bertd_drain_control #(.ROWS(ROWS), .PATHS(PATHS)) u_drain_control (
        .clk_i, .rst_ni,
        .last_i(last), .tile_i(result), .result_i(results_there),
        .busy_o(results_busy), .take_o(take[PATHS-1:0]), .turn_o(turn), .row_o(word.row), .tile_o(word.tile),
        .tile_end_o(take[PATHS])
    );
    // What a row is, beside its way out of the array.
    bertd_delay_line #(.WIDTH($bits({turn, take, word})), .DEPTH(bertd_pkg::ARRAY_ROW_LATENCY)) u_picked (
        .clk_i, .in_i({turn, take, word}), .out_o({picked_turn, taken, picked}));

    bertd_drain #(.PATHS(PATHS)) u_drain (
        .clk_i, .rst_ni, .activation_i,
        .valid_i(taken[0]), .turn_i(picked_turn), .row_i(picked.row), .tile_i(picked.tile), .tile_end_i(taken[PATHS]),
        .sums_i(sums[511:0]),
        .scale_read_o(scale_read[0]), .scale_slot_o(scale_slot[bertd_pkg::PARAM_BITS-1:0]), .scale_i(scale[511:0]),
        .bias_read_o(bias_read), .bias_slot_o(bias_slot), .bias_i(bias),
        .scalar_read_o(scalar_read_o[0]), .scalar_row_o(scalar_row_o[8:0]), .scalar_o(scalar_o[5:0]),
        .scalar_data_i(scalar_data_i[31:0]),
        .residual_read_o, .residual_row_o, .residual_column_o, .residual_data_i,
        .write_o(write_o[0]), .write_row_o(write_row_o[8:0]), .write_column_o(write_column_o[7:0]),
        .write_data_o(write_data_o[511:0]),
        .panel_done_o, .rows_done_o, .pass_done_o, .end_row_o,
        .made_read_o(made_read_o[0]), .made_row_o(made_row_o[8:0]), .made_scalar_o(made_scalar_o[5:0]),
        .made_i(made_i[31:0]), .product_error_o(product_error[0]), .operand_error_o(operand_error[0])
    );

    for (genvar w = 1; w < PATHS; w++) begin : gen_path
        bertd_drain_path #(.LATE(w * bertd_pkg::GROUP_ROWS)) u_path (
            .clk_i, .rst_ni,
            .valid_i(taken[w]), .row_i(picked.row + 9'(w * (ROWS / PATHS))), .tile_i(picked.tile),
            .sums_i(sums[w*512+:512]),
            .scale_read_o(scale_read[w]), .scale_slot_o(scale_slot[w*bertd_pkg::PARAM_BITS+:bertd_pkg::PARAM_BITS]),
            .scale_i(scale[w*512+:512]),
            .scalar_read_o(scalar_read_o[w]), .scalar_row_o(scalar_row_o[w*9+:9]), .scalar_o(scalar_o[w*6+:6]),
            .scalar_data_i(scalar_data_i[w*32+:32]),
            .write_o(write_o[w]), .write_row_o(write_row_o[w*9+:9]), .write_column_o(write_column_o[w*8+:8]),
            .write_data_o(write_data_o[w*512+:512]),
            .made_read_o(made_read_o[w]), .made_row_o(made_row_o[w*9+:9]), .made_scalar_o(made_scalar_o[w*6+:6]),
            .made_i(made_i[w*32+:32]), .product_error_o(product_error[w]), .operand_error_o(operand_error[w])
        );
    end

endmodule
