// bertd_drain_control at full size, behind an array that finishes a tile whenever it may, and shows it as many cycles
// later as bertd_array does: the tile before has left by then, and of each tile all rows leave, in order.
module formal_drain_control (
    input logic             clk_i,
    input logic             reset_i,
    input logic             last_i,
    input bertd_pkg::tile_t tile_i
);

    localparam int ROWS = 64;
    localparam int LATER = bertd_pkg::ARRAY_DOT_LATENCY + 2;

    logic rst_n, last, result, busy, tile_end;
    logic [1:0] take, turn;
    logic [8:0] row;
    bertd_pkg::tile_t tile;

    formal_reset u_reset (.clk_i, .reset_i, .rst_no(rst_n));
    bertd_drain_control #(.ROWS(ROWS), .PATHS(2)) dut (
        .clk_i, .rst_ni(rst_n), .last_i(last), .tile_i, .result_i(result), .busy_o(busy),
        .take_o(take), .turn_o(turn), .row_o(row), .tile_o(tile), .tile_end_o(tile_end)
    );
    (* hierconn *) logic [9:0] \dut.left_q ;
    (* hierconn *) logic [8:0] \dut.row_q ;
    (* hierconn *) logic \dut.released_q ;
    (* hierconn *) logic [$bits(tile_i)-1:0] \dut.tile_q , \dut.next_q ;

    assign last = last_i && !busy;

    // Tiles on their way through the array, and the rows of the one that leaves (of scores: its first path's).
    logic [LATER-1:0] under_way_q;
    bertd_pkg::tile_t coming_q, leaving_q;
    logic [9:0] due_q;     // rows that have still to leave
    logic [9:0] next_q;    // the next of them
    logic [9:0] to_go;     // cycles until all have left: of rows to be activated three leave in four cycles
    assign result = under_way_q[LATER-1];
    always_comb begin
        to_go = due_q;
        if (leaving_q.activate && due_q != '0) begin
            if (turn == 2'd3) to_go = due_q + 10'd1 + third(due_q - 10'd1);
            else to_go = due_q + third(due_q - 10'd1 + 10'(turn));
        end
    end

    function automatic logic [9:0] third(input logic [9:0] x);  // up to 255
        logic [17:0] scaled;
        scaled = 18'(x) * 18'd171;
        third = {1'b0, scaled[17:9]};
    endfunction

    always_ff @(posedge clk_i or negedge rst_n) begin
        if (!rst_n) begin
            under_way_q <= '0;
            coming_q <= '0;
            leaving_q <= '0;
            due_q <= '0;
            next_q <= '0;
        end else begin
            under_way_q <= {under_way_q[LATER-2:0], last};
            if (last) coming_q <= tile_i;
            if (take[0]) begin
                due_q <= due_q - 10'd1;
                next_q <= next_q + 10'd1;
            end
            if (result) begin
                leaving_q <= coming_q;
                next_q <= {1'b0, coming_q.row};
                due_q <= coming_q.wide && coming_q.rows > 10'(ROWS / 2) ? 10'(ROWS / 2) : coming_q.rows;
            end
        end
    end

    // A tile's rows lie within ROWS.
    always_comb assume (tile_i.rows != '0 && 11'(tile_i.row[5:0]) + 11'(tile_i.rows) <= 11'(ROWS) && !tile_i.row[8]);

    logic [LATER-1:0] too_late;
    always_comb begin
        for (int i = 0; i < LATER; i++) too_late[i] = under_way_q[i] && to_go > 10'(LATER - i);
        if (rst_n) begin
            gone_before_the_next_comes: assert (!result || due_q == '0 || (due_q == 10'd1 && take[0]));
            a_row_that_is_due: assert (!take[0] || (due_q != '0 && {1'b0, row} == next_q));
            activated_rows_in_their_turns: assert (!take[0] || !leaving_q.activate || turn != 2'd3);
            of_the_tile_that_leaves: assert (!take[0] || tile == leaving_q);
            tiles_end_with_their_last_row: assert (!tile_end || (take[0] && due_q == 10'd1));
            no_tile_ends_unseen: assert (tile_end || !take[0] || due_q != 10'd1);
            same_left: assert (\dut.left_q == due_q && (due_q == '0 || next_q == {1'b0, \dut.row_q }));
            same_tile: assert (due_q == '0 || (\dut.tile_q == leaving_q && next_q >= {1'b0, leaving_q.row}));
            same_next: assert (under_way_q == '0 || \dut.next_q == coming_q);
            same_coming: assert (under_way_q == '0 || (coming_q.rows != '0 && !coming_q.row[8] &&
                11'(coming_q.row[5:0]) + 11'(coming_q.rows) <= 11'(ROWS)));
            same_rows: assert (due_q == '0 || (!\dut.row_q [8] && due_q <= 10'(ROWS) && next_q + due_q <= 10'd256));
            same_under_way: assert ((under_way_q & (under_way_q - 10'd1)) == '0 && (under_way_q == '0 || busy));
            same_released: assert ((busy && under_way_q == '0) || \dut.left_q == '0 || \dut.released_q );
            same_left_when_not_busy: assert (busy || to_go <= 10'(LATER + 1));
            same_left_under_way: assert (too_late == '0);
        end
    end

endmodule
