// Data path: a finished tile in bertd_array -> which row leaves in this cycle -> bertd_drain.
// Picks the wanted rows of a finished tile, one a cycle (of scores one of each path a cycle), and says what each of them
// is. All tiles take the same time through the array: so it may finish another one as many cycles behind this one as this
// one's rows need to leave, and several may be on their way.
module bertd_drain_control #(
    parameter int ROWS = 4,
    parameter int PATHS = 1
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             last_i,     // the array begins the last step of a tile ...
    input  bertd_pkg::tile_t tile_i,     // ... that becomes this
    input  logic             result_i,   // ARRAY_RESULT_LATENCY later: its results are there from the next cycle on
    output logic             busy_o,     // no other tile may finish yet
    output logic [PATHS-1:0] take_o,     // which paths' rows go out
    output logic [      8:0] row_o,      // of the first path; the others' lie ROWS / PATHS apart
    output bertd_pkg::tile_t tile_o,
    output logic             tile_end_o  // with the last row of a tile
);

    localparam logic [9:0] PATH_ROWS = 10'(ROWS / PATHS);

    bertd_pkg::tile_t last_q, next, tile_q;
    logic [9:0] last_most, last_leave;  // of the tile that was finished in the cycle before
    logic [9:0] next_leave;             // of the one whose results come
    logic [9:0] ahead_q, left_q, rows_left_q;
    logic [8:0] row_q;
    logic fresh_q, taking;

    assign last_most = last_q.wide ? PATH_ROWS : 10'(ROWS);
    assign last_leave = last_q.rows < last_most ? last_q.rows : last_most;
    bertd_delay_line #(
        .WIDTH($bits(tile_i) + 10),
        .DEPTH(bertd_pkg::ARRAY_RESULT_LATENCY - 1)
    ) u_next (
        .clk_i,
        .in_i ({last_q, last_leave}),
        .out_o({next, next_leave})
    );
    assign row_o = row_q;
    assign tile_o = tile_q;
    assign tile_end_o = left_q == 10'd1;
    assign busy_o = fresh_q || ahead_q != '0;

    assign taking = left_q != '0;
    assign take_o[0] = taking;
    for (genvar w = 1; w < PATHS; w++) begin : gen_path
        assign take_o[w] = taking && tile_q.wide && rows_left_q > 10'(w) * PATH_ROWS;
    end

    always_ff @(posedge clk_i) begin
        last_q <= tile_i;
        if (result_i) tile_q <= next;
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            fresh_q <= 1'b0;
            ahead_q <= '0;
            left_q <= '0;
            rows_left_q <= '0;
            row_q <= '0;
        end else begin
            fresh_q <= last_i;
            if (fresh_q) ahead_q <= last_leave < 10'd2 ? '0 : last_leave - 10'd2;
            else if (ahead_q != '0) ahead_q <= ahead_q - 10'd1;
            if (taking) begin
                left_q <= left_q - 10'd1;
                rows_left_q <= rows_left_q - 10'd1;
                row_q <= row_q + 9'd1;
            end
            if (result_i) begin
                left_q <= next_leave;
                rows_left_q <= next.rows;
                row_q <= next.row;
            end
        end
    end

`ifndef SYNTHESIS
    // The array must not overtake the drain.
    always_ff @(posedge clk_i) assert (!result_i || left_q <= 10'd1);
`endif

endmodule
