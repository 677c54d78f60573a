// Data path: binary32 rows in the row memory -> int8 rows, scales, normalised rows, keys and values.
// The row programs: SLICES vector lanes under one control, with the buffers of side words and the KV stage's ports.
module bertd_vector_unit #(
    parameter int SLICES = 1,
    localparam int SLICE_BITS = $clog2(SLICES),
    localparam int BANK_ROW = bertd_pkg::ROW_BITS - SLICE_BITS
) (
    input  logic                           clk_i,
    input  logic                           rst_ni,
    input  logic                           clear_i,
    input  bertd_pkg::layout_t             layout_i,
    input  logic [                    7:0] groups_i,
    input  logic                           job_valid_i,
    output logic                           job_ready_o,
    input  bertd_pkg::vector_job_t         job_i,
    input  logic [                    9:0] passes_done_i,
    input  logic [                    9:0] pass_rows_i,
    input  logic [                    9:0] loaded_rows_i,
    input  logic [                    1:0] kv_free_i,
    output logic                           kv_filled_o,
    output logic                           kv_slot_o,
    output logic                           done_o,
    output logic                           layer_done_o,
    output logic [                    9:0] rows_done_o,    // with which the job has done, from the first on
    output logic                           error_o,
    output logic                           memory_error_o, // a word of a memory has changed
    output logic                           store_start_o,  // the rows that are normalised from now on are to be stored
    output logic [                    9:0] norm_rows_o,    // that are there, from the first on

    input  logic [                    1:0] side_ready_i,
    output logic                           side_release_o,
    input  logic                           side_write_low_i,
    input  logic                           side_write_high_i,
    input  logic [                    6:0] side_write_address_i,
    input  logic [                  511:0] side_write_data_i,

    output logic [             SLICES-1:0] row_read_o,
    output logic [SLICES*(BANK_ROW+8)-1:0] row_address_o,
    input  logic [         SLICES*512-1:0] row_data_i,
    output logic [             SLICES-1:0] input_write_o,
    output logic [SLICES*(BANK_ROW+6)-1:0] input_address_o,
    output logic [         SLICES*512-1:0] input_data_o,
    output logic [           SLICES*2-1:0] operand_write_o,
    output logic [          SLICES*14-1:0] operand_group_o,
    output logic [           SLICES*4-1:0] operand_row_o,
    output logic [          SLICES*18-1:0] operand_word_o,
    output logic [         SLICES*256-1:0] operand_data_o,
    output logic [             SLICES-1:0] kv_write_o,
    output logic [             SLICES-1:0] kv_scale_write_o,
    output logic [             SLICES-1:0] scalar_write_o,
    output logic [SLICES*(BANK_ROW+6)-1:0] scalar_address_o,
    output logic [           SLICES*7-1:0] scale_group_o,
    output logic [           SLICES*2-1:0] scale_row_o,
    output logic [          SLICES*32-1:0] scale_o,
    output logic [             SLICES-1:0] made_write_o,   // what the operands came to
    output logic [SLICES*(BANK_ROW+6)-1:0] made_address_o, // as scalar_address_o
    output logic [          SLICES*32-1:0] made_o
);

    logic start, running, side_slot;
    logic [9:0] rows_there;
    logic [SLICES-1:0] busy, error, memory_error;
    logic [7:0] side_parity;
    bertd_pkg::vector_job_t job;

    bertd_vector_control u_control (
        .clk_i,
        .rst_ni,
        .job_valid_i,
        .job_ready_o,
        .job_i,
        .passes_done_i,
        .pass_rows_i,
        .loaded_rows_i,
        .side_ready_i,
        .kv_free_i,
        .side_release_o,
        .side_slot_o (side_slot),
        .kv_filled_o,
        .kv_slot_o,
        .start_o     (start),
        .job_o       (job),
        .running_o   (running),
        .rows_there_o(rows_there),
        .lanes_busy_i(busy != '0),
        .done_o,
        .layer_done_o
    );
    assign error_o = error != '0;
    assign memory_error_o = memory_error != '0;
    assign store_start_o = start && job.store;

    // All groups before the one that the slowest lane is at.
    logic [SLICES*8-1:0] norm_group, done_group;
    logic [7:0] norm_missing, missing, missing_q;
    always_comb begin
        norm_missing = norm_group[7:0];
        missing = done_group[7:0];
        for (int s = 1; s < SLICES; s++) begin
            if (norm_group[s*8+:8] < norm_missing) norm_missing = norm_group[s*8+:8];
            if (done_group[s*8+:8] < missing) missing = done_group[s*8+:8];
        end
    end
    assign norm_rows_o = {norm_missing, 2'b00};
    // While rows are loaded, the drain must not write any: they share a port of the row memory.
    assign rows_done_o = {missing_q, 2'b00};
    always_ff @(posedge clk_i) begin
        if (!rst_ni) missing_q <= '0;
        else missing_q <= running && !done_o && !job.wait_load ? missing : '0;
    end

    bertd_parity #(.WIDTH(512)) u_side_parity (.word_i(side_write_data_i), .parity_o(side_parity));

    for (genvar s = 0; s < SLICES; s++) begin : gen_lane
        logic side_read;
        logic [5:0] side_word;
        logic [1039:0] side_data;
        logic [14:0] made_place;

        bertd_ram_1r1w #(
            .WIDTH(8 + 512),
            .DEPTH(128),
            .LATENCY(bertd_pkg::BLOCK_LATENCY)
        ) u_side_low (
            .clk_i,
            .write_i        (side_write_low_i),
            .write_address_i(side_write_address_i),
            .write_data_i   ({side_parity, side_write_data_i}),
            .read_i         (side_read),
            .read_address_i ({side_slot, side_word}),
            .read_data_o    ({side_data[1031:1024], side_data[511:0]})
        );
        bertd_ram_1r1w #(
            .WIDTH(8 + 512),
            .DEPTH(128),
            .LATENCY(bertd_pkg::BLOCK_LATENCY)
        ) u_side_high (
            .clk_i,
            .write_i        (side_write_high_i),
            .write_address_i(side_write_address_i),
            .write_data_i   ({side_parity, side_write_data_i}),
            .read_i         (side_read),
            .read_address_i ({side_slot, side_word}),
            .read_data_o    ({side_data[1039:1032], side_data[1023:512]})
        );

        bertd_vector_lane #(
            .SLICES(SLICES),
            .INDEX (s)
        ) u_lane (
            .clk_i,
            .rst_ni,
            .clear_i,
            .start_i         (start),
            .job_i           (job),
            .layout_i,
            .groups_i,
            .rows_there_i    (rows_there),
            .busy_o          (busy[s]),
            .error_o         (error[s]),
            .memory_error_o  (memory_error[s]),
            .norm_group_o    (norm_group[s*8+:8]),
            .done_group_o    (done_group[s*8+:8]),
            .row_read_o      (row_read_o[s]),
            .row_address_o   (row_address_o[s*(BANK_ROW+8)+:BANK_ROW+8]),
            .row_data_i      (row_data_i[s*512+:512]),
            .side_read_o     (side_read),
            .side_address_o  (side_word),
            .side_data_i     (side_data),
            .input_write_o   (input_write_o[s]),
            .input_address_o (input_address_o[s*(BANK_ROW+6)+:BANK_ROW+6]),
            .input_data_o    (input_data_o[s*512+:512]),
            .operand_write_o (operand_write_o[s*2+:2]),
            .operand_group_o (operand_group_o[s*14+:14]),
            .operand_row_o   (operand_row_o[s*4+:4]),
            .operand_word_o  (operand_word_o[s*18+:18]),
            .operand_data_o  (operand_data_o[s*256+:256]),
            .kv_write_o      (kv_write_o[s]),
            .scalar_write_o  (scalar_write_o[s]),
            .kv_scale_write_o(kv_scale_write_o[s]),
            .scale_group_o   (scale_group_o[s*7+:7]),
            .scale_row_o     (scale_row_o[s*2+:2]),
            .scale_o         (scale_o[s*32+:32]),
            .made_write_o    (made_write_o[s]),
            .made_place_o    (made_place),
            .made_o          (made_o[s*32+:32])
        );
        assign made_address_o[s*(BANK_ROW+6)+:BANK_ROW+6] = {
            made_place[14:9], made_place[bertd_pkg::ROW_BITS-1:2+SLICE_BITS], made_place[1:0]
        };
        assign scalar_address_o[s*(BANK_ROW+6)+:BANK_ROW+6] = {
            job.scalar, scale_group_o[s*7+SLICE_BITS+:bertd_pkg::ROW_BITS-2-SLICE_BITS], scale_row_o[s*2+:2]
        };
    end

endmodule
