// Data path: array jobs of bertd_sequencer -> addresses and steps for ring, operand memory and bertd_array.
// Walks the panels of the array jobs: for each panel all tiles that hold rows of the job, for each tile all groups of
// four inputs (twice, where the operand has two digits). One step a cycle, unless weights, rows or the drain keep it
// waiting.
module bertd_array_control #(
    parameter int ROWS = 4
) (
    input  logic                             clk_i,
    input  logic                             rst_ni,
    input  logic                             job_valid_i,
    output logic                             job_ready_o,
    input  bertd_pkg::array_job_t            job_i,
    input  logic [                      9:0] vector_done_i,  // vector jobs done
    input  logic [  bertd_pkg::RING_BITS:0] arrived_i,      // beats of weights that are there

    output logic                             step_o,         // read weights and operands
    output logic [bertd_pkg::RING_BITS-1:0] ring_address_o,
    output logic [                      6:0] tile_o,
    output logic [                      8:0] operand_o,      // word of the rows
    output logic [                      1:0] group_o,        // of the word's four
    output logic                             first_o,
    output logic                             shift_o,        // first step of the low digits
    output logic                             last_o,
    output logic                             beat_freed_o,

    input  logic                             results_busy_i, // the last tile's results are still being drained
    output bertd_pkg::tile_t                 result_o,       // with last_o: what becomes of this tile

    output logic                             wait_weights_o,
    output logic                             wait_rows_o,
    output logic                             wait_drain_o,
    output logic                             idle_o
);

    localparam int ROW_BITS = $clog2(ROWS);

    bertd_pkg::array_job_t job_q;
    logic active_q, started_q, digit_q, fresh_q;  // fresh: the job's first panel
    logic [6:0] tile_q, first_tile, last_tile, next_first;
    logic [10:0] group_q;
    logic [bertd_pkg::RING_BITS:0] base_q, there;
    logic [bertd_pkg::PARAM_BITS-1:0] slot_q;
    logic [9:0] ahead, first_row, end_row, rows_before_last, tile_begin, tile_end;
    logic have_rows, have_weights, last_group, last_step, on_last_tile, panel_end, job_end, accept;

    // The job's rows, and those of them in this tile.
    assign first_row = {1'b0, job_q.group, 2'b00};
    assign end_row = first_row + {job_q.row_groups, 2'b00};
    assign rows_before_last = (end_row - 10'd1) >> ROW_BITS;
    assign first_tile = 7'(first_row >> ROW_BITS);
    assign last_tile = rows_before_last[6:0];
    assign next_first = 7'({1'b0, job_i.group, 2'b00} >> ROW_BITS);
    assign tile_begin = tile_q == first_tile ? first_row : 10'(tile_q) << ROW_BITS;
    assign tile_end = on_last_tile ? end_row : (10'(tile_q) + 10'd1) << ROW_BITS;
    assign ahead = vector_done_i - job_q.wait_vector;
    assign have_rows = started_q || !ahead[9];
    assign there = arrived_i - base_q;
    assign have_weights = there > 12'(group_q);
    assign last_group = group_q == job_q.groups - 11'd1;
    assign last_step = last_group && digit_q == job_q.two_digits;
    assign on_last_tile = tile_q == last_tile;

    assign step_o = active_q && have_rows && have_weights && !(last_step && results_busy_i);
    assign panel_end = step_o && last_step && on_last_tile;
    assign job_end = panel_end && job_q.panels == 9'd1;
    assign job_ready_o = !active_q || job_end;
    assign accept = job_valid_i && job_ready_o;

    assign idle_o = !active_q;
    assign wait_rows_o = active_q && !have_rows;
    assign wait_weights_o = active_q && have_rows && !have_weights;
    assign wait_drain_o = active_q && have_rows && have_weights && !step_o;

    assign ring_address_o = base_q[bertd_pkg::RING_BITS-1:0] + group_q;
    assign tile_o = tile_q;
    assign operand_o = job_q.operand + group_q[10:2] + (digit_q ? bertd_pkg::OPERAND_DIGIT_WORDS : 9'd0);
    assign group_o = group_q[1:0];
    assign first_o = group_q == '0 && !digit_q;
    assign shift_o = group_q == '0 && digit_q;
    assign last_o = step_o && last_step;
    assign beat_freed_o = step_o && on_last_tile && digit_q == job_q.two_digits;

    always_comb begin
        result_o.row = tile_begin[8:0];
        result_o.rows = tile_end - tile_begin;
        result_o.last_tile = on_last_tile;
        result_o.slot = slot_q;
        result_o.scalar = job_q.scalar;
        result_o.params = job_q.params;
        result_o.activate = job_q.activate;
        result_o.residual = job_q.residual;
        result_o.wide = job_q.wide;
        result_o.column = job_q.column;
        result_o.checked = job_q.checked;
        result_o.check_first = job_q.check_first && fresh_q;
        result_o.check = job_q.check_last && job_q.panels == 9'd1;
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            job_q <= '0;
            active_q <= 1'b0;
            started_q <= 1'b0;
            fresh_q <= 1'b0;
            digit_q <= 1'b0;
            tile_q <= '0;
            group_q <= '0;
            base_q <= '0;
            slot_q <= '0;
        end else begin
            if (step_o) begin
                started_q <= 1'b1;
                group_q <= last_group ? '0 : group_q + 11'd1;
                if (last_group) digit_q <= job_q.two_digits && !digit_q;
                if (last_step) tile_q <= on_last_tile ? first_tile : tile_q + 7'd1;
            end
            if (panel_end) begin
                base_q <= base_q + 12'(job_q.groups);
                slot_q <= slot_q + 1'b1;
                job_q.panels <= job_q.panels - 9'd1;
                job_q.column <= job_q.column + 8'd1;
                fresh_q <= 1'b0;
            end
            if (job_end) active_q <= 1'b0;
            if (accept) begin
                job_q <= job_i;
                active_q <= 1'b1;
                started_q <= 1'b0;
                fresh_q <= 1'b1;
                tile_q <= next_first;
            end
        end
    end

endmodule
