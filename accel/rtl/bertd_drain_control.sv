// Data path: a finished tile in bertd_array -> which row leaves in this cycle -> bertd_drain.
// Picks the wanted rows of a finished tile, one a cycle (of scores one of each path a cycle, of rows to be activated three
// in four cycles), and says what each of them is. Lets the array finish the next tile as soon as that can no longer overtake this one.
module bertd_drain_control #(
    parameter int ROWS = 4,
    parameter int PATHS = 1
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             last_i,     // the array begins the last step of a tile ...
    input  bertd_pkg::tile_t tile_i,     // ... that becomes this
    input  logic             result_i,   // its results are there from the next cycle on
    output logic             busy_o,     // no other tile may finish yet
    output logic [PATHS-1:0] take_o,     // which paths' rows go out
    output logic [      1:0] turn_o,     // counts up; rows to be activated come in 0, 1, 2
    output logic [      8:0] row_o,      // of the first path; the others' lie ROWS / PATHS apart
    output bertd_pkg::tile_t tile_o,
    output logic             tile_end_o  // with the last row of a tile
);

    // Cycles from the array's last step until its results replace those of the tile before.
    localparam int ARRAY_LATENCY = bertd_pkg::ARRAY_DOT_LATENCY + 3;
    // A tile with so many cycles to go is gone before the next one's results come.
    localparam int GOING = ARRAY_LATENCY + 1;
    localparam logic [9:0] PATH_ROWS = 10'(ROWS / PATHS);

    bertd_pkg::tile_t next_q, tile_q;
    logic [9:0] most, left_q, rows_left_q;
    logic [8:0] row_q;
    logic [1:0] turn_q;
    logic busy_q, released_q, release_now, taking;

    assign most = next_q.wide ? PATH_ROWS : 10'(ROWS);
    assign row_o = row_q;
    assign tile_o = tile_q;
    assign turn_o = turn_q;
    assign tile_end_o = taking && left_q == 10'd1;
    assign release_now = left_q != '0 && !released_q && left_q <= (tile_q.activate ? 10'(GOING * 3 / 4) : 10'(GOING));
    assign busy_o = busy_q;

    assign taking = left_q != '0 && !(tile_q.activate && turn_q == 2'd3);
    assign take_o[0] = taking;
    for (genvar w = 1; w < PATHS; w++) begin : gen_path
        assign take_o[w] = taking && tile_q.wide && rows_left_q > 10'(w) * PATH_ROWS;
    end

    always_ff @(posedge clk_i or negedge rst_ni) begin
        if (!rst_ni) begin
            next_q <= '0;
            tile_q <= '0;
            left_q <= '0;
            rows_left_q <= '0;
            row_q <= '0;
            turn_q <= '0;
            busy_q <= 1'b0;
            released_q <= 1'b0;
        end else begin
            turn_q <= turn_q + 2'd1;
            if (taking) begin
                left_q <= left_q - 10'd1;
                rows_left_q <= rows_left_q - 10'd1;
                row_q <= row_q + 9'd1;
            end
            if (release_now) begin
                busy_q <= 1'b0;
                released_q <= 1'b1;
            end
            if (last_i) begin
                next_q <= tile_i;
                busy_q <= 1'b1;
            end
            if (result_i) begin
                tile_q <= next_q;
                left_q <= next_q.rows < most ? next_q.rows : most;
                rows_left_q <= next_q.rows;
                row_q <= next_q.row;
                released_q <= 1'b0;
            end
        end
    end

`ifndef SYNTHESIS
    // The array must not overtake the drain.
    always_ff @(posedge clk_i) assert (!result_i || left_q == '0 || (left_q == 10'd1 && taking));
`endif

endmodule
