// Data path: a command list, rows and weights in card memory -> rows, keys and values in card memory.
// The engine: BERT encoder layers of ragged batches, from a command list in card memory.
//   ROWS    rows of the array, a multiple of 4 * SLICES: ROWS * 64 multiply-accumulates a cycle
//   SLICES  vector slices, a power of two
//   PATHS   rows of scores that leave the array in a cycle, a power of two up to SLICES; ROWS a multiple of
//           4 * SLICES * PATHS
module bertd_engine #(
    parameter int ROWS = 64,
    parameter int SLICES = 2,
    parameter int PATHS = SLICES > 1 ? 2 : 1
) (
    input  logic         clk_i,
    input  logic         rst_ni,
    output logic         interrupt_o,

    // Registers: AXI4-Lite.
    input  logic         s_axi_awvalid_i,
    output logic         s_axi_awready_o,
    input  logic [  7:0] s_axi_awaddr_i,
    input  logic         s_axi_wvalid_i,
    output logic         s_axi_wready_o,
    input  logic [ 31:0] s_axi_wdata_i,
    input  logic [  3:0] s_axi_wstrb_i,
    output logic         s_axi_bvalid_o,
    input  logic         s_axi_bready_i,
    output logic [  1:0] s_axi_bresp_o,
    input  logic         s_axi_arvalid_i,
    output logic         s_axi_arready_o,
    input  logic [  7:0] s_axi_araddr_i,
    output logic         s_axi_rvalid_o,
    input  logic         s_axi_rready_i,
    output logic [ 31:0] s_axi_rdata_o,
    output logic [  1:0] s_axi_rresp_o,

    // Weights, keys and values: AXI4, read only. All bursts are INCR, of whole 512-bit beats, with one ID.
    output logic         m_axi_weights_arvalid_o,
    input  logic         m_axi_weights_arready_i,
    output logic [ 63:0] m_axi_weights_araddr_o,
    output logic [  7:0] m_axi_weights_arlen_o,
    input  logic         m_axi_weights_rvalid_i,
    output logic         m_axi_weights_rready_o,
    input  logic [511:0] m_axi_weights_rdata_i,
    input  logic [  1:0] m_axi_weights_rresp_i,

    // Commands, rows, norms, and what is written.
    output logic         m_axi_data_arvalid_o,
    input  logic         m_axi_data_arready_i,
    output logic [ 63:0] m_axi_data_araddr_o,
    output logic [  7:0] m_axi_data_arlen_o,
    input  logic         m_axi_data_rvalid_i,
    output logic         m_axi_data_rready_o,
    input  logic [511:0] m_axi_data_rdata_i,
    input  logic [  1:0] m_axi_data_rresp_i,
    output logic         m_axi_data_awvalid_o,
    input  logic         m_axi_data_awready_i,
    output logic [ 63:0] m_axi_data_awaddr_o,
    output logic [  7:0] m_axi_data_awlen_o,
    output logic         m_axi_data_wvalid_o,
    input  logic         m_axi_data_wready_i,
    output logic [511:0] m_axi_data_wdata_o,
    output logic [ 63:0] m_axi_data_wstrb_o,
    output logic         m_axi_data_wlast_o,
    input  logic         m_axi_data_bvalid_i,
    output logic         m_axi_data_bready_o,
    input  logic [  1:0] m_axi_data_bresp_i
);

    localparam int SLICE_BITS = $clog2(SLICES);
    localparam int BANK_ROW = bertd_pkg::ROW_BITS - SLICE_BITS;

    // Reset: a copy for each part --------------------------------------------------------------------------------------
    logic rst_ports_n, rst_control_n, rst_data_n, rst_sequencer_n, rst_rows_n, rst_vector_n, rst_matrix_n;
    bertd_reset #(.PARTS(6)) u_reset (
        .clk_i, .rst_ni, .ports_no(rst_ports_n),
        .parts_no({rst_control_n, rst_data_n, rst_sequencer_n, rst_rows_n, rst_vector_n, rst_matrix_n})
    );

    // Control ---------------------------------------------------------------------------------------------------------
    logic list_start, list_busy, list_over, list_done, command_start, command_done;
    logic [63:0] list, record;
    logic [31:0] count, failed;
    logic [2:0] status;
    logic [10:0] layer, layer_now;
    logic layer_done;
    logic stop;
    logic [511:0] counts;
    logic step, wait_weights, wait_rows, wait_drain, array_idle;
    logic recording, recorded;
    logic weights_error, data_read_error, write_error, product_error, operand_error, memory_error, not_finite;
    logic [9:0] memory_errors;
    assign memory_error = memory_errors != '0;
    bertd_pkg::command_t command;
    bertd_pkg::layout_t layout;
    bertd_pkg::extent_t extent;

    // The host's port takes nothing from the first cycle of a reset until all parts are out of it.
    bertd_control #(.ROWS(ROWS), .SLICES(SLICES)) u_control (
        .clk_i, .rst_ni(rst_ports_n && rst_control_n),
        .s_axi_awvalid_i, .s_axi_awready_o, .s_axi_awaddr_i, .s_axi_wvalid_i, .s_axi_wready_o, .s_axi_wdata_i,
        .s_axi_wstrb_i, .s_axi_bvalid_o, .s_axi_bready_i, .s_axi_bresp_o, .s_axi_arvalid_i, .s_axi_arready_o,
        .s_axi_araddr_i, .s_axi_rvalid_o, .s_axi_rready_i, .s_axi_rdata_o, .s_axi_rresp_o, .interrupt_o,
        .start_o(list_start), .list_o(list), .count_o(count), .record_o(record), .busy_i(list_busy),
        .done_i(list_done),
        .status_i(status), .failed_i(failed), .layer_i(layer), .counters_i(counts)
    );

    bertd_counters u_counters (
        .clk_i, .rst_ni(rst_control_n),
        .start_i(list_start), .busy_i(list_busy && !list_over),
        .step_i(step), .wait_weights_i(wait_weights), .wait_rows_i(wait_rows), .wait_drain_i(wait_drain),
        .idle_i(array_idle),
        .read_i({m_axi_weights_rvalid_i && m_axi_weights_rready_o, m_axi_data_rvalid_i && m_axi_data_rready_o}),
        .written_i(m_axi_data_wvalid_o && m_axi_data_wready_i),
        .counters_o(counts)
    );

    // The data port: commands, rows and side words are read, keys, values and rows written ------------------------------
    logic [2:0] request_valid, request_ready, data_valid, data_ready;
    logic [191:0] request_address;
    logic [47:0] request_beats;
    logic reader_valid, reader_ready, reader_data_valid, reader_data_ready, reader_idle;
    logic [63:0] reader_address;
    logic [15:0] reader_beats;
    logic [511:0] read_data;

    logic data_arvalid, data_arready, data_rvalid, data_rready, data_awvalid, data_awready, data_wvalid, data_wready;
    logic data_wlast, data_bvalid, data_bready;
    logic [63:0] data_araddr, data_awaddr, data_wstrb;
    logic [7:0] data_arlen, data_awlen;
    logic [511:0] data_rdata, data_wdata;
    logic [1:0] data_rresp, data_bresp;

    bertd_read_arbiter u_read_arbiter (
        .clk_i, .rst_ni(rst_data_n),
        .request_valid_i(request_valid), .request_ready_o(request_ready), .request_address_i(request_address),
        .request_beats_i(request_beats), .data_valid_o(data_valid), .data_ready_i(data_ready),
        .reader_valid_o(reader_valid), .reader_ready_i(reader_ready), .reader_address_o(reader_address),
        .reader_beats_o(reader_beats), .reader_data_valid_i(reader_data_valid),
        .reader_data_ready_o(reader_data_ready), .reader_idle_i(reader_idle)
    );
    bertd_axi_reader u_reader (
        .clk_i, .rst_ni(rst_data_n),
        .request_valid_i(reader_valid), .request_ready_o(reader_ready), .request_address_i(reader_address),
        .request_beats_i(reader_beats), .data_valid_o(reader_data_valid), .data_ready_i(reader_data_ready),
        .data_o(read_data), .idle_o(reader_idle), .error_o(data_read_error),
        .m_axi_arvalid_o(data_arvalid), .m_axi_arready_i(data_arready),
        .m_axi_araddr_o(data_araddr), .m_axi_arlen_o(data_arlen),
        .m_axi_rvalid_i(data_rvalid), .m_axi_rready_o(data_rready),
        .m_axi_rdata_i(data_rdata), .m_axi_rresp_i(data_rresp)
    );

    bertd_command_fetch u_command_fetch (
        .clk_i, .rst_ni(rst_control_n),
        .start_i(list_start), .list_i(list), .count_i(count), .done_o(list_done), .busy_o(list_busy),
        .over_o(list_over), .recorded_i(recorded),
        .status_o(status), .failed_o(failed), .layer_o(layer), .stop_o(stop),
        .bus_error_i(weights_error || data_read_error || write_error),
        .checksum_error_i(product_error || operand_error || memory_error),
        .not_finite_i(not_finite),
        .request_valid_o(request_valid[0]), .request_ready_i(request_ready[0]),
        .request_address_o(request_address[63:0]), .request_beats_o(request_beats[15:0]),
        .data_valid_i(data_valid[0]), .data_ready_o(data_ready[0]), .data_i(read_data),
        .command_start_o(command_start), .command_o(command), .layout_o(layout), .extent_o(extent),
        .layer_i(layer_now), .command_done_i(command_done)
    );

    logic writer_valid, writer_ready, writer_data_valid, writer_data_ready, writer_idle;
    logic [63:0] writer_address, writer_strobe;
    logic [15:0] writer_beats;
    logic [511:0] writer_data;
    bertd_axi_writer u_writer (
        .clk_i, .rst_ni(rst_data_n),
        .request_valid_i(writer_valid), .request_ready_o(writer_ready), .request_address_i(writer_address),
        .request_beats_i(writer_beats), .data_valid_i(writer_data_valid), .data_ready_o(writer_data_ready),
        .data_i(writer_data), .strobe_i(writer_strobe), .idle_o(writer_idle), .error_o(write_error),
        .m_axi_awvalid_o(data_awvalid), .m_axi_awready_i(data_awready),
        .m_axi_awaddr_o(data_awaddr), .m_axi_awlen_o(data_awlen),
        .m_axi_wvalid_o(data_wvalid), .m_axi_wready_i(data_wready),
        .m_axi_wdata_o(data_wdata), .m_axi_wstrb_o(data_wstrb), .m_axi_wlast_o(data_wlast),
        .m_axi_bvalid_i(data_bvalid), .m_axi_bready_o(data_bready),
        .m_axi_bresp_i(data_bresp)
    );

    // The edge of the engine: all that leaves and enters by the memory's ports goes through registers.
    bertd_axi_read_port u_data_reads (
        .clk_i, .rst_ni(rst_ports_n),
        .arvalid_i(data_arvalid), .arready_o(data_arready), .araddr_i(data_araddr), .arlen_i(data_arlen),
        .rvalid_o(data_rvalid), .rready_i(data_rready), .rdata_o(data_rdata), .rresp_o(data_rresp),
        .m_axi_arvalid_o(m_axi_data_arvalid_o), .m_axi_arready_i(m_axi_data_arready_i),
        .m_axi_araddr_o(m_axi_data_araddr_o), .m_axi_arlen_o(m_axi_data_arlen_o),
        .m_axi_rvalid_i(m_axi_data_rvalid_i), .m_axi_rready_o(m_axi_data_rready_o),
        .m_axi_rdata_i(m_axi_data_rdata_i), .m_axi_rresp_i(m_axi_data_rresp_i)
    );
    bertd_axi_write_port u_data_writes (
        .clk_i, .rst_ni(rst_ports_n),
        .awvalid_i(data_awvalid), .awready_o(data_awready), .awaddr_i(data_awaddr), .awlen_i(data_awlen),
        .wvalid_i(data_wvalid), .wready_o(data_wready), .wdata_i(data_wdata), .wstrb_i(data_wstrb), .wlast_i(data_wlast),
        .bvalid_o(data_bvalid), .bready_i(data_bready), .bresp_o(data_bresp),
        .m_axi_awvalid_o(m_axi_data_awvalid_o), .m_axi_awready_i(m_axi_data_awready_i),
        .m_axi_awaddr_o(m_axi_data_awaddr_o), .m_axi_awlen_o(m_axi_data_awlen_o),
        .m_axi_wvalid_o(m_axi_data_wvalid_o), .m_axi_wready_i(m_axi_data_wready_i),
        .m_axi_wdata_o(m_axi_data_wdata_o), .m_axi_wstrb_o(m_axi_data_wstrb_o), .m_axi_wlast_o(m_axi_data_wlast_o),
        .m_axi_bvalid_i(m_axi_data_bvalid_i), .m_axi_bready_o(m_axi_data_bready_o),
        .m_axi_bresp_i(m_axi_data_bresp_i)
    );

    // Jobs ------------------------------------------------------------------------------------------------------------
    bertd_pkg::fetch_job_t fetch_job;
    bertd_pkg::array_job_t array_job;
    bertd_pkg::vector_job_t vector_job, vector_queued;
    bertd_pkg::side_job_t side_job, side_queued;
    bertd_pkg::kv_job_t kv_job, kv_queued;
    logic fetch_valid, fetch_ready, array_valid, array_ready, vector_valid, vector_ready, side_valid, side_ready;
    logic kv_valid, kv_ready, vector_queued_valid, vector_queued_ready, side_queued_valid, side_queued_ready;
    logic kv_queued_valid, kv_queued_ready;
    logic panel_done, vector_done, kv_done, load_start, store_start, storing;
    logic [7:0] kvs_done;
    logic [9:0] loaded_rows, norm_rows;
    logic rows_done, pass_done;
    logic [9:0] end_row, job_rows, passes_done, pass_rows, vectors_done, vector_rows;

    bertd_sequencer u_sequencer (
        .clk_i, .rst_ni(rst_sequencer_n),
        .start_i(command_start), .command_i(command), .layout_i(layout), .extent_i(extent), .stop_i(stop),
        .done_o(command_done), .layer_o(layer_now), .memory_error_o(memory_errors[6]),
        .fetch_valid_o(fetch_valid), .fetch_ready_i(fetch_ready), .fetch_o(fetch_job),
        .array_valid_o(array_valid), .array_ready_i(array_ready), .array_o(array_job),
        .vector_valid_o(vector_valid), .vector_ready_i(vector_ready), .vector_o(vector_job),
        .side_valid_o(side_valid), .side_ready_i(side_ready), .side_o(side_job),
        .kv_valid_o(kv_valid), .kv_ready_i(kv_ready), .kv_o(kv_job),
        .panel_done_i(panel_done), .rows_done_i(rows_done), .pass_done_i(pass_done), .end_row_i(end_row),
        .vector_done_i(vector_done), .vector_rows_i(job_rows), .layer_done_i(layer_done), .kv_done_i(kv_done),
        .writer_idle_i(writer_idle),
        .passes_done_o(passes_done), .pass_rows_o(pass_rows), .vector_done_o(vectors_done), .vector_rows_o(vector_rows),
        .kv_done_o(kvs_done),
        .load_start_o(load_start), .store_busy_i(storing)
    );
    // A job has a parity bit.
    logic [2:0] job_parity;
    logic job_error_q;
    assign memory_errors[5] = job_error_q;
    always_ff @(posedge clk_i)
        job_error_q <= rst_sequencer_n && ((vector_queued_valid && job_parity[0] != ^vector_queued) ||
            (side_queued_valid && job_parity[1] != ^side_queued) || (kv_queued_valid && job_parity[2] != ^kv_queued));
    bertd_job_queue #(.WIDTH(1 + $bits(vector_job))) u_vector_queue (
        .clk_i, .rst_ni(rst_sequencer_n),
        .in_valid_i(vector_valid), .in_ready_o(vector_ready), .in_i({^vector_job, vector_job}),
        .out_valid_o(vector_queued_valid), .out_ready_i(vector_queued_ready), .out_o({job_parity[0], vector_queued})
    );
    bertd_job_queue #(.WIDTH(1 + $bits(side_job))) u_side_queue (
        .clk_i, .rst_ni(rst_sequencer_n),
        .in_valid_i(side_valid), .in_ready_o(side_ready), .in_i({^side_job, side_job}),
        .out_valid_o(side_queued_valid), .out_ready_i(side_queued_ready), .out_o({job_parity[1], side_queued})
    );
    bertd_job_queue #(.WIDTH(1 + $bits(kv_job))) u_kv_queue (
        .clk_i, .rst_ni(rst_sequencer_n),
        .in_valid_i(kv_valid), .in_ready_o(kv_ready), .in_i({^kv_job, kv_job}),
        .out_valid_o(kv_queued_valid), .out_ready_i(kv_queued_ready), .out_o({job_parity[2], kv_queued})
    );

    // Rows in and out -------------------------------------------------------------------------------------------------
    logic load_write, load_zero, store_read, store_request, store_data_valid, residual_read;
    logic [8:0] load_row, store_row;
    logic [5:0] load_word, store_word;
    logic [63:0] store_address;
    logic [15:0] store_beats;
    logic [511:0] load_data, store_data, input_data;
    assign load_data = load_zero ? '0 : read_data;

    bertd_row_load u_row_load (
        .clk_i, .rst_ni(rst_rows_n), .command_i(command), .layout_i(layout), .extent_i(extent), .start_i(load_start),
        .rows_o(loaded_rows), .memory_error_o(memory_errors[7]),
        .request_valid_o(request_valid[1]), .request_ready_i(request_ready[1]),
        .request_address_o(request_address[127:64]), .request_beats_o(request_beats[31:16]),
        .data_valid_i(data_valid[1]), .data_ready_o(data_ready[1]),
        .write_o(load_write), .write_row_o(load_row), .write_word_o(load_word), .write_zero_o(load_zero)
    );
    bertd_row_store u_row_store (
        .clk_i, .rst_ni(rst_rows_n), .command_i(command), .layout_i(layout), .extent_i(extent), .start_i(store_start),
        .rows_done_i(norm_rows), .busy_o(storing), .memory_error_o(memory_errors[8]),
        .read_o(store_read), .read_taken_i(residual_read), .read_row_o(store_row), .read_word_o(store_word),
        .read_data_i(input_data),
        .request_valid_o(store_request), .request_ready_i(writer_ready && storing),
        .request_address_o(store_address), .request_beats_o(store_beats),
        .data_valid_o(store_data_valid), .data_ready_i(writer_data_ready && storing), .data_o(store_data)
    );

    logic operand_read;
    logic [6:0] operand_tile;
    logic [8:0] operand_word, residual_row;
    logic [7:0] residual_column;
    logic [PATHS-1:0] scalar_read, drain_write;
    logic [PATHS*9-1:0] scalar_row, drain_row;
    logic [PATHS*6-1:0] scalar_kind;
    logic [PATHS*32-1:0] scalar_data, made;
    logic [PATHS-1:0] made_read;
    logic [PATHS*9-1:0] made_row;
    logic [PATHS*6-1:0] made_scalar;
    logic [PATHS*8-1:0] drain_column;
    logic [PATHS*512-1:0] drain_data;
    logic [ROWS*128-1:0] operand_data;

    logic [1:0] side_full, kv_free;
    logic side_release, side_write_low, side_write_high, kv_filled, kv_fill_slot;
    logic [6:0] side_write_address;
    logic [SLICES-1:0] row_read, input_write, kv_write, kv_scale_write, scalar_write;
    logic [SLICES*(BANK_ROW+8)-1:0] row_address;
    logic [SLICES*(BANK_ROW+6)-1:0] input_address, scalar_address;
    logic [SLICES*512-1:0] row_data, input_write_data;
    logic [SLICES*2-1:0] operand_write, scale_row;
    logic [SLICES*14-1:0] operand_write_group;
    logic [SLICES*4-1:0] operand_write_row;
    logic [SLICES*18-1:0] operand_write_word;
    logic [SLICES*256-1:0] operand_write_data;
    logic [SLICES*7-1:0] scale_group;
    logic [SLICES*32-1:0] scale, made_sum;
    logic [SLICES-1:0] made_write;
    logic [SLICES*(BANK_ROW+6)-1:0] made_address;

    // The boundary of the weights' side (the matrix unit, its operands and scalars) and the rows' side (all else) --------
    // Everything that crosses it does so here, in bertd_pkg::CROSSING_STAGES cycles: jobs and what is done, operands and
    // scalars from the vector lanes, residual rows and what the drain makes of all that. What was written is told no sooner
    // than it is there, since both take as long.
    bertd_pkg::fetch_job_t matrix_fetch_job;
    bertd_pkg::array_job_t matrix_array_job;
    logic matrix_fetch_valid, matrix_fetch_ready, matrix_array_valid, matrix_array_ready;
    bertd_stream_crossing #(.WIDTH($bits(fetch_job))) u_cross_fetch (
        .clk_i, .rst_ni(rst_sequencer_n), .in_valid_i(fetch_valid), .in_ready_o(fetch_ready), .in_i(fetch_job),
        .out_valid_o(matrix_fetch_valid), .out_ready_i(matrix_fetch_ready), .out_o(matrix_fetch_job)
    );
    bertd_stream_crossing #(.WIDTH($bits(array_job))) u_cross_array (
        .clk_i, .rst_ni(rst_sequencer_n), .in_valid_i(array_valid), .in_ready_o(array_ready), .in_i(array_job),
        .out_valid_o(matrix_array_valid), .out_ready_i(matrix_array_ready), .out_o(matrix_array_job)
    );

    logic [9:0] matrix_vectors_done, matrix_vector_rows;
    logic [7:0] matrix_kvs_done;
    logic [1:0] matrix_activation;
    logic matrix_writer_idle;
    bertd_crossing #(.WIDTH(31)) u_cross_done (
        .clk_i, .in_i({vectors_done, vector_rows, kvs_done, writer_idle, command.activation}),
        .out_o({matrix_vectors_done, matrix_vector_rows, matrix_kvs_done, matrix_writer_idle, matrix_activation})
    );
    logic matrix_panel_done, matrix_rows_done, matrix_pass_done;
    logic [9:0] matrix_end_row;
    logic matrix_product_error, matrix_operand_error, matrix_bus_error;
    logic [2:0] matrix_memory_errors;
    logic matrix_step, matrix_wait_weights, matrix_wait_rows, matrix_wait_drain, matrix_idle;
    bertd_crossing #(.WIDTH(22)) u_cross_events (
        .clk_i,
        .in_i({matrix_panel_done, matrix_rows_done, matrix_pass_done, matrix_end_row, matrix_product_error,
               matrix_operand_error, matrix_memory_errors != '0, matrix_bus_error, matrix_step, matrix_wait_weights,
               matrix_wait_rows, matrix_wait_drain, matrix_idle}),
        .out_o({panel_done, rows_done, pass_done, end_row, product_error, operand_error, memory_errors[0], weights_error,
                step, wait_weights, wait_rows, wait_drain, array_idle})
    );

    localparam int OPERAND_BITS = 2 + 14 + 4 + 18 + 256;
    logic [SLICES*2-1:0] matrix_operand_write;
    logic [SLICES*14-1:0] matrix_operand_group;
    logic [SLICES*4-1:0] matrix_operand_row;
    logic [SLICES*18-1:0] matrix_operand_word;
    logic [SLICES*256-1:0] matrix_operand_data;
    bertd_crossing #(.WIDTH(SLICES * OPERAND_BITS)) u_cross_operands (
        .clk_i,
        .in_i({operand_write, operand_write_group, operand_write_row, operand_write_word, operand_write_data}),
        .out_o({matrix_operand_write, matrix_operand_group, matrix_operand_row, matrix_operand_word, matrix_operand_data})
    );
    logic [SLICES-1:0] matrix_scalar_write;
    logic [SLICES*(BANK_ROW+6)-1:0] matrix_scalar_address;
    logic [SLICES*32-1:0] matrix_scale;
    bertd_crossing #(.WIDTH(SLICES * (1 + BANK_ROW + 6 + 32))) u_cross_scalars (
        .clk_i, .in_i({scalar_write, scalar_address, scale}),
        .out_o({matrix_scalar_write, matrix_scalar_address, matrix_scale})
    );
    logic [SLICES-1:0] matrix_made_write;
    logic [SLICES*(BANK_ROW+6)-1:0] matrix_made_address;
    logic [SLICES*32-1:0] matrix_made_sum;
    bertd_crossing #(.WIDTH(SLICES * (1 + BANK_ROW + 6 + 32))) u_cross_made (
        .clk_i, .in_i({made_write, made_address, made_sum}),
        .out_o({matrix_made_write, matrix_made_address, matrix_made_sum})
    );

    logic matrix_residual_read;
    logic [8:0] matrix_residual_row;
    logic [7:0] matrix_residual_column;
    logic [511:0] matrix_residual;
    bertd_crossing #(.WIDTH(18)) u_cross_residual_reads (
        .clk_i, .in_i({matrix_residual_read, matrix_residual_row, matrix_residual_column}),
        .out_o({residual_read, residual_row, residual_column})
    );
    bertd_crossing #(.WIDTH(512)) u_cross_residuals (.clk_i, .in_i(input_data), .out_o(matrix_residual));

    logic [PATHS-1:0] matrix_drain_write;
    logic [PATHS*9-1:0] matrix_drain_row;
    logic [PATHS*8-1:0] matrix_drain_column;
    logic [PATHS*512-1:0] matrix_drain_data;
    bertd_crossing #(.WIDTH(PATHS * 530)) u_cross_drain (
        .clk_i, .in_i({matrix_drain_write, matrix_drain_row, matrix_drain_column, matrix_drain_data}),
        .out_o({drain_write, drain_row, drain_column, drain_data})
    );

    // The matrix unit -------------------------------------------------------------------------------------------------

    logic weights_arvalid, weights_arready, weights_rvalid, weights_rready;
    logic [63:0] weights_araddr;
    logic [7:0] weights_arlen;
    logic [511:0] weights_rdata;
    logic [1:0] weights_rresp;
    bertd_axi_read_port u_weights_reads (
        .clk_i, .rst_ni(rst_ports_n),
        .arvalid_i(weights_arvalid), .arready_o(weights_arready), .araddr_i(weights_araddr), .arlen_i(weights_arlen),
        .rvalid_o(weights_rvalid), .rready_i(weights_rready), .rdata_o(weights_rdata), .rresp_o(weights_rresp),
        .m_axi_arvalid_o(m_axi_weights_arvalid_o), .m_axi_arready_i(m_axi_weights_arready_i),
        .m_axi_araddr_o(m_axi_weights_araddr_o), .m_axi_arlen_o(m_axi_weights_arlen_o),
        .m_axi_rvalid_i(m_axi_weights_rvalid_i), .m_axi_rready_o(m_axi_weights_rready_o),
        .m_axi_rdata_i(m_axi_weights_rdata_i), .m_axi_rresp_i(m_axi_weights_rresp_i)
    );

    bertd_matrix_unit #(.ROWS(ROWS), .PATHS(PATHS)) u_matrix (
        .clk_i, .rst_ni(rst_matrix_n), .activation_i(matrix_activation),
        .fetch_valid_i(matrix_fetch_valid), .fetch_ready_o(matrix_fetch_ready), .fetch_i(matrix_fetch_job),
        .array_valid_i(matrix_array_valid), .array_ready_o(matrix_array_ready), .array_i(matrix_array_job),
        .vector_done_i(matrix_vectors_done), .vector_rows_i(matrix_vector_rows), .kv_done_i(matrix_kvs_done),
        .writer_idle_i(matrix_writer_idle),
        .panel_done_o(matrix_panel_done), .rows_done_o(matrix_rows_done), .pass_done_o(matrix_pass_done),
        .end_row_o(matrix_end_row),
        .product_error_o(matrix_product_error), .operand_error_o(matrix_operand_error),
        .memory_error_o(matrix_memory_errors[0]), .bus_error_o(matrix_bus_error),
        .step_o(matrix_step), .wait_weights_o(matrix_wait_weights), .wait_rows_o(matrix_wait_rows),
        .wait_drain_o(matrix_wait_drain),
        .idle_o(matrix_idle),
        .operand_read_o(operand_read), .operand_tile_o(operand_tile), .operand_word_o(operand_word),
        .operand_data_i(operand_data),
        .scalar_read_o(scalar_read), .scalar_row_o(scalar_row), .scalar_o(scalar_kind), .scalar_data_i(scalar_data),
        .made_read_o(made_read), .made_row_o(made_row), .made_scalar_o(made_scalar), .made_i(made),
        .residual_read_o(matrix_residual_read), .residual_row_o(matrix_residual_row),
        .residual_column_o(matrix_residual_column),
        .residual_data_i(matrix_residual),
        .write_o(matrix_drain_write), .write_row_o(matrix_drain_row), .write_column_o(matrix_drain_column),
        .write_data_o(matrix_drain_data),
        .m_axi_arvalid_o(weights_arvalid), .m_axi_arready_i(weights_arready),
        .m_axi_araddr_o(weights_araddr), .m_axi_arlen_o(weights_arlen),
        .m_axi_rvalid_i(weights_rvalid), .m_axi_rready_o(weights_rready),
        .m_axi_rdata_i(weights_rdata), .m_axi_rresp_i(weights_rresp)
    );

    // The vector unit -------------------------------------------------------------------------------------------------
    bertd_vector_unit #(.SLICES(SLICES)) u_vector (
        .clk_i, .rst_ni(rst_vector_n), .clear_i(list_start), .layout_i(layout), .groups_i(extent.groups),
        .job_valid_i(vector_queued_valid), .job_ready_o(vector_queued_ready), .job_i(vector_queued),
        .passes_done_i(passes_done), .pass_rows_i(pass_rows), .loaded_rows_i(loaded_rows), .kv_free_i(kv_free),
        .kv_filled_o(kv_filled), .kv_slot_o(kv_fill_slot), .done_o(vector_done), .layer_done_o(layer_done),
        .rows_done_o(job_rows), .error_o(not_finite), .memory_error_o(memory_errors[1]),
        .store_start_o(store_start), .norm_rows_o(norm_rows),
        .side_ready_i(side_full), .side_release_o(side_release), .side_write_low_i(side_write_low),
        .side_write_high_i(side_write_high), .side_write_address_i(side_write_address),
        .side_write_data_i(read_data),
        .row_read_o(row_read), .row_address_o(row_address), .row_data_i(row_data),
        .input_write_o(input_write), .input_address_o(input_address), .input_data_o(input_write_data),
        .operand_write_o(operand_write), .operand_group_o(operand_write_group), .operand_row_o(operand_write_row),
        .operand_word_o(operand_write_word), .operand_data_o(operand_write_data),
        .kv_write_o(kv_write), .kv_scale_write_o(kv_scale_write),
        .scalar_write_o(scalar_write), .scalar_address_o(scalar_address),
        .scale_group_o(scale_group), .scale_row_o(scale_row), .scale_o(scale),
        .made_write_o(made_write), .made_address_o(made_address), .made_o(made_sum)
    );
    bertd_side_load u_side_load (
        .clk_i, .rst_ni(rst_rows_n),
        .job_valid_i(side_queued_valid), .job_ready_o(side_queued_ready), .job_i(side_queued),
        .kv_done_i(kvs_done), .writer_idle_i(writer_idle),
        .release_i(side_release), .ready_o(side_full),
        .request_valid_o(request_valid[2]), .request_ready_i(request_ready[2]),
        .request_address_o(request_address[191:128]), .request_beats_o(request_beats[47:32]),
        .data_valid_i(data_valid[2]), .data_ready_o(data_ready[2]),
        .write_low_o(side_write_low), .write_high_o(side_write_high), .write_address_o(side_write_address)
    );

    // Keys and values on their way out ----------------------------------------------------------------------------------
    logic stage_read, stage_slot, kv_request, kv_data_valid;
    logic [6:0] stage_group;
    logic [1:0] stage_word;
    logic [511:0] stage_data, kv_data;
    logic [127:0] stage_scales;
    logic [63:0] kv_address, kv_strobe;
    logic [15:0] kv_beats;

    bertd_kv_stage #(.SLICES(SLICES)) u_kv_stage (
        .clk_i, .rst_ni(rst_rows_n),
        .write_slot_i(kv_fill_slot), .write_i(kv_write), .write_group_i(operand_write_group),
        .write_row_i(operand_write_row), .write_word_i(operand_write_word), .write_data_i(operand_write_data),
        .scale_write_i(kv_scale_write), .scale_group_i(scale_group), .scale_row_i(scale_row), .scale_i(scale),
        .read_i(stage_read), .read_slot_i(stage_slot), .read_group_i(stage_group), .read_word_i(stage_word),
        .read_data_o(stage_data), .read_scales_o(stage_scales), .error_o(memory_errors[2])
    );
    bertd_kv_write u_kv_write (
        .clk_i, .rst_ni(rst_rows_n), .command_i(command), .layout_i(layout), .extent_i(extent),
        .job_valid_i(kv_queued_valid), .job_ready_o(kv_queued_ready), .job_i(kv_queued),
        .filled_i(kv_filled), .free_o(kv_free), .done_o(kv_done), .memory_error_o(memory_errors[9]),
        .read_o(stage_read), .read_slot_o(stage_slot), .read_group_o(stage_group), .read_word_o(stage_word),
        .read_data_i(stage_data), .read_scales_i(stage_scales),
        .request_valid_o(kv_request), .request_ready_i(writer_ready && !storing),
        .request_address_o(kv_address), .request_beats_o(kv_beats),
        .data_valid_o(kv_data_valid), .data_ready_i(writer_data_ready && !storing), .data_o(kv_data),
        .strobe_o(kv_strobe)
    );

    // The record comes when all else is written.
    logic record_request, record_data_valid;
    logic [63:0] record_address;
    logic [15:0] record_beats;
    logic [511:0] record_data;
    bertd_record #(.ROWS(ROWS), .SLICES(SLICES)) u_record (
        .clk_i, .rst_ni(rst_control_n), .clear_i(list_start),
        .start_i(list_over), .busy_o(recording), .done_o(recorded),
        .address_i(record), .status_i(status), .failed_i(failed), .layer_i(layer), .counters_i(counts),
        .trouble_i({memory_error, operand_error, not_finite, product_error, write_error, data_read_error, weights_error}),
        .writer_idle_i(writer_idle), .request_valid_o(record_request), .request_ready_i(writer_ready),
        .request_address_o(record_address), .request_beats_o(record_beats),
        .data_valid_o(record_data_valid), .data_ready_i(writer_data_ready), .data_o(record_data)
    );

    assign writer_valid = recording ? record_request : storing ? store_request : kv_request;
    assign writer_address = recording ? record_address : storing ? store_address : kv_address;
    assign writer_beats = recording ? record_beats : storing ? store_beats : kv_beats;
    assign writer_data_valid = recording ? record_data_valid : storing ? store_data_valid : kv_data_valid;
    assign writer_data = recording ? record_data : storing ? store_data : kv_data;
    assign writer_strobe = recording || storing ? '1 : kv_strobe;

    // Memories --------------------------------------------------------------------------------------------------------
    logic [SLICES*512-1:0] input_bank_data;
    logic [8:0] input_row, input_bank, input_bank_row, input_bank_then;
    logic [5:0] input_word;
    logic [SLICES-1:0] input_read;

    // The drain's other paths write to other banks than the first.
    logic [SLICES-1:0] path_write;
    logic [SLICES*(BANK_ROW+8)-1:0] path_address;
    logic [SLICES*512-1:0] path_data;
    bertd_drain_banks #(.SLICES(SLICES), .PATHS(PATHS)) u_drain_banks (
        .write_i(drain_write), .row_i(drain_row), .column_i(drain_column), .data_i(drain_data),
        .bank_write_o(path_write), .bank_address_o(path_address), .bank_data_o(path_data)
    );
    bertd_row_memory #(.SLICES(SLICES), .WORDS(bertd_pkg::ROW_WORDS)) u_rows (
        .clk_i, .rst_ni(rst_rows_n),
        .write_i(drain_write[0] || load_write), .write_row_i(load_write ? load_row : drain_row[8:0]),
        .write_word_i(load_write ? {2'b00, load_word} : drain_column[7:0]),
        .write_data_i(load_write ? load_data : drain_data[511:0]),
        .bank_write_i(path_write), .bank_write_address_i(path_address), .bank_write_data_i(path_data),
        .bank_read_i(row_read), .bank_read_address_i(row_address), .bank_read_data_o(row_data),
        .error_o(memory_errors[3])
    );

    assign input_row = store_read ? store_row : residual_row;
    assign input_word = store_read ? store_word : residual_column[5:0];
    assign input_bank = (input_row >> 2) & 9'(SLICES - 1);
    assign input_bank_row = ((input_row >> (2 + SLICE_BITS)) << 2) | 9'(input_row[1:0]);
    bertd_row_memory #(.SLICES(SLICES), .WORDS(bertd_pkg::INPUT_WORDS)) u_inputs (
        .clk_i, .rst_ni(rst_rows_n),
        .write_i(load_write), .write_row_i(load_row), .write_word_i(load_word), .write_data_i(load_data),
        .bank_write_i(input_write), .bank_write_address_i(input_address), .bank_write_data_i(input_write_data),
        .bank_read_i(input_read),
        .bank_read_address_i({SLICES{input_bank_row[BANK_ROW-1:0], input_word}}),
        .bank_read_data_o(input_bank_data), .error_o(memory_errors[4])
    );
    for (genvar s = 0; s < SLICES; s++) begin : gen_input_read
        assign input_read[s] = (store_read || residual_read) && input_bank == 9'(s);
    end
    bertd_delay_line #(.WIDTH(9), .DEPTH(bertd_pkg::ROW_LATENCY)) u_input_bank (
        .clk_i, .in_i(input_bank), .out_o(input_bank_then)
    );
    always_comb begin
        input_data = '0;
        for (int s = 0; s < SLICES; s++) if (input_bank_then == 9'(s)) input_data = input_bank_data[s*512+:512];
    end

    bertd_scalar_memory #(.SLICES(SLICES), .PATHS(PATHS)) u_scalars (
        .clk_i, .rst_ni(rst_matrix_n),
        .bank_write_i(matrix_scalar_write), .bank_write_address_i(matrix_scalar_address), .bank_write_data_i(matrix_scale),
        .read_i(scalar_read), .read_row_i(scalar_row), .read_scalar_i(scalar_kind), .read_data_o(scalar_data),
        .error_o(matrix_memory_errors[1])
    );

    // What each row's operands came to when they were made, where their scales lie.
    bertd_scalar_memory #(.SLICES(SLICES), .PATHS(PATHS)) u_made (
        .clk_i, .rst_ni(rst_matrix_n),
        .bank_write_i(matrix_made_write), .bank_write_address_i(matrix_made_address), .bank_write_data_i(matrix_made_sum),
        .read_i(made_read), .read_row_i(made_row), .read_scalar_i(made_scalar), .read_data_o(made),
        .error_o(matrix_memory_errors[2])
    );

    bertd_operand_memory #(.ROWS(ROWS), .SLICES(SLICES)) u_operands (
        .clk_i,
        .write_i(matrix_operand_write), .write_group_i(matrix_operand_group), .write_row_i(matrix_operand_row),
        .write_word_i(matrix_operand_word), .write_data_i(matrix_operand_data),
        .read_i(operand_read), .read_tile_i(operand_tile), .read_word_i(operand_word), .read_data_o(operand_data)
    );

endmodule
