// Data path: array jobs of bertd_sequencer -> addresses and steps for ring, operand memory and bertd_array.
// Walks the panels of the array jobs, chunk by chunk: for each chunk all tiles that hold rows of the job, for each tile
// all panels of the chunk, for each panel all groups of four inputs (twice, where the operand has two digits). One step a
// cycle, unless weights, rows or the drain keep it waiting.
module bertd_array_control #(
    parameter int ROWS = 4
) (
    input  logic                             clk_i,
    input  logic                             rst_ni,
    input  logic                             job_valid_i,
    output logic                             job_ready_o,
    input  bertd_pkg::array_job_t            job_i,
    input  logic [                      9:0] vector_done_i,  // vector jobs done
    input  logic [                      9:0] vector_rows_i,  // and rows that the next one has done with
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
    localparam int COUNT = bertd_pkg::RING_BITS + 1;

    bertd_pkg::array_job_t job_q;
    logic active_q, digit_q, fresh_q;             // fresh: the job's first chunk
    logic [6:0] tile_q, first_tile, last_tile, next_first;
    logic [10:0] group_q;
    logic [5:0] chunk_q, panel_q;                 // panels of the chunk, and which of them
    logic [8:0] panels_left;                      // of the job, for this tile
    logic [8:0] panels_behind;                    // of the job, behind this chunk
    logic [COUNT-1:0] base_q, chunk_base_q, next_base, there;
    logic [bertd_pkg::PARAM_BITS-1:0] slot_q;     // of the chunk's first panel
    logic [9:0] missing, first_row, end_row, rows_before_last, tile_begin, tile_end;
    logic have_rows, have_weights, last_group, last_step, last_panel, on_last_tile;
    logic panel_end, chunk_of_tile_end, chunk_end, job_end, accept;

    // The last rows of a tile of scores come late, on another path, while the next tile's first ones leave: of another
    // bank as long as a sequence's first tile, which may begin with any, does not follow its last, which may be whole.
    if (bertd_pkg::CHUNK_PANELS <= bertd_pkg::MAX_TOKENS / bertd_pkg::PANEL)
        $error("a head's scores take more than a chunk");

    // Panels of a chunk. The first and the last one are large where possible: what row programs do meanwhile is then.
    function automatic logic [5:0] chunk(input logic [8:0] panels, input logic [10:0] groups, input logic first);
        logic [8:0] most;
        most = 9'd1;
        for (int p = 2; p <= bertd_pkg::CHUNK_PANELS; p++) begin
            if (13'(groups) <= 13'(bertd_pkg::CHUNK_BEATS / p)) most = 9'(p);
        end
        chunk = panels <= most ? panels[5:0] :
            panels >= {most[7:0], 1'b0} ? most[5:0] :
            first ? 6'((panels + 9'd1) >> 1) : 6'(panels - most);
    endfunction

    // The job's rows, and those of them in this tile.
    assign first_row = {1'b0, job_q.group, 2'b00};
    assign end_row = first_row + {job_q.row_groups, 2'b00};
    assign rows_before_last = (end_row - 10'd1) >> ROW_BITS;
    assign first_tile = 7'(first_row >> ROW_BITS);
    assign last_tile = rows_before_last[6:0];
    assign next_first = 7'({1'b0, job_i.group, 2'b00} >> ROW_BITS);
    assign tile_begin = tile_q == first_tile ? first_row : 10'(tile_q) << ROW_BITS;
    assign tile_end = on_last_tile ? end_row : (10'(tile_q) + 10'd1) << ROW_BITS;
    assign missing = job_q.wait_vector - vector_done_i;
    assign have_rows = missing == '0 || missing[9] || (missing == 10'd1 && vector_rows_i >= tile_end);
    assign there = arrived_i - base_q;
    assign have_weights = there > COUNT'(group_q);
    assign last_group = group_q == job_q.groups - 11'd1;
    assign last_step = last_group && digit_q == job_q.two_digits;
    assign last_panel = panel_q == chunk_q - 6'd1;
    assign on_last_tile = tile_q == last_tile;
    assign panels_left = job_q.panels - 9'(panel_q);
    assign panels_behind = job_q.panels - 9'(chunk_q);
    assign next_base = base_q + COUNT'(job_q.groups);

    assign step_o = active_q && have_rows && have_weights && !(last_step && results_busy_i);
    assign panel_end = step_o && last_step;
    assign chunk_of_tile_end = panel_end && last_panel;
    assign chunk_end = chunk_of_tile_end && on_last_tile;
    assign job_end = chunk_end && panels_behind == '0;
    assign job_ready_o = !active_q || job_end;
    assign accept = job_valid_i && job_ready_o;

    assign idle_o = !active_q;
    assign wait_rows_o = active_q && !have_rows;
    assign wait_weights_o = active_q && have_rows && !have_weights;
    assign wait_drain_o = active_q && have_rows && have_weights && !step_o;

    assign ring_address_o = base_q[bertd_pkg::RING_BITS-1:0] + bertd_pkg::RING_BITS'(group_q);
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
        result_o.slot = slot_q + bertd_pkg::PARAM_BITS'(panel_q);
        result_o.scalar = job_q.scalar;
        result_o.params = job_q.params;
        result_o.activate = job_q.activate;
        result_o.residual = job_q.residual;
        result_o.wide = job_q.wide;
        result_o.column = job_q.column + 8'(panel_q);
        result_o.check_first = job_q.check_first && fresh_q && panel_q == '0;
        result_o.check = job_q.check_last && panels_left == 9'd1;
        result_o.rows_done = panels_left == (job_q.check_last ? 9'd2 : 9'd1);
        result_o.pass_last = job_q.pass_last;
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            job_q <= '0;
            active_q <= 1'b0;
            fresh_q <= 1'b0;
            digit_q <= 1'b0;
            tile_q <= '0;
            group_q <= '0;
            chunk_q <= '0;
            panel_q <= '0;
            base_q <= '0;
            chunk_base_q <= '0;
            slot_q <= '0;
        end else begin
            if (step_o) begin
                group_q <= last_group ? '0 : group_q + 11'd1;
                if (last_group) digit_q <= job_q.two_digits && !digit_q;
            end
            if (panel_end) begin
                base_q <= next_base;
                panel_q <= panel_q + 6'd1;
            end
            if (chunk_of_tile_end) begin
                base_q <= chunk_base_q;
                panel_q <= '0;
                tile_q <= tile_q + 7'd1;
            end
            if (chunk_end) begin
                base_q <= next_base;
                chunk_base_q <= next_base;
                tile_q <= first_tile;
                slot_q <= slot_q + bertd_pkg::PARAM_BITS'(chunk_q);
                job_q.panels <= panels_behind;
                job_q.column <= job_q.column + 8'(chunk_q);
                chunk_q <= chunk(panels_behind, job_q.groups, 1'b0);
                fresh_q <= 1'b0;
            end
            if (job_end) active_q <= 1'b0;
            if (accept) begin
                job_q <= job_i;
                active_q <= 1'b1;
                fresh_q <= 1'b1;
                chunk_q <= chunk(job_i.panels, job_i.groups, 1'b1);
                tile_q <= next_first;
            end
        end
    end

endmodule
