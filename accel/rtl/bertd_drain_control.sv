// Data path: a finished tile in bertd_array -> which row leaves in this cycle -> bertd_drain.
// Picks the wanted rows of a finished tile, one a cycle (of scores one of each path a cycle, of rows to be activated
// three in four cycles), and says what each of them is. All tiles take the same time through the array: so it may finish
// another one as many cycles behind this one as this one's rows need to leave, and several may be on their way.
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
    output logic [      1:0] turn_o,     // counts up; rows to be activated come in 0, 1, 2
    output logic [      8:0] row_o,      // of the first path; the others' lie ROWS / PATHS apart
    output bertd_pkg::tile_t tile_o,
    output logic             tile_end_o  // with the last row of a tile
);

    localparam logic [9:0] PATH_ROWS = 10'(ROWS / PATHS);

    bertd_pkg::tile_t last_q, next, tile_q;
    logic [9:0] last_rows, last_leave;  // of the tile finished in the cycle before; the cycles they take at most
    logic [9:0] ahead_q, left_q, rows_left_q;
    logic [8:0] row_q;
    logic [1:0] turn_q;
    logic fresh_q, taking;

    // Rows that leave by the first path.
    function automatic logic [9:0] first_path(input logic wide, input logic [9:0] rows);
        first_path = wide && rows > PATH_ROWS ? PATH_ROWS : rows;
    endfunction

    assign last_rows = first_path(last_q.wide, last_q.rows);
    // A third more to be activated, and a turn that none comes in: rather too many than a division.
    assign last_leave = last_q.activate ? last_rows + (last_rows >> 2) + (last_rows >> 3) + 10'd2 : last_rows;
    bertd_delay_line #(
        .WIDTH($bits(tile_i)),
        .DEPTH(bertd_pkg::ARRAY_RESULT_LATENCY - 1)
    ) u_next (
        .clk_i,
        .in_i (last_q),
        .out_o(next)
    );
    assign row_o = row_q;
    assign tile_o = tile_q;
    assign turn_o = turn_q;
    assign tile_end_o = taking && left_q == 10'd1;
    assign busy_o = fresh_q || ahead_q != '0;

    assign taking = left_q != '0 && !(tile_q.activate && turn_q == 2'd3);
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
            turn_q <= '0;
        end else begin
            turn_q <= turn_q + 2'd1;
            fresh_q <= last_i;
            if (fresh_q) ahead_q <= last_leave < 10'd2 ? '0 : last_leave - 10'd2;
            else if (ahead_q != '0) ahead_q <= ahead_q - 10'd1;
            if (taking) begin
                left_q <= left_q - 10'd1;
                rows_left_q <= rows_left_q - 10'd1;
                row_q <= row_q + 9'd1;
            end
            if (result_i) begin
                left_q <= first_path(next.wide, next.rows);
                rows_left_q <= next.rows;
                row_q <= next.row;
            end
        end
    end

`ifndef SYNTHESIS
    // The array must not overtake the drain.
    always_ff @(posedge clk_i) assert (!result_i || left_q == '0 || (left_q == 10'd1 && taking));
`endif

endmodule
