// bertd_drain_control at full size, behind an array that finishes a tile whenever it may, and shows it as many cycles
// later as bertd_array does: the tile before has left by then, and of each tile all rows leave, in order.
module formal_drain_control (
    input logic             clk_i,
    input logic             reset_i,
    input logic             last_i,
    input bertd_pkg::tile_t tile_i
);

    localparam int ROWS = 64;
    localparam int LATER = bertd_pkg::ARRAY_RESULT_LATENCY;
    localparam int TILE = $bits(tile_i);

    logic rst_n, last, result, busy, tile_end;
    logic [1:0] take, turn;
    logic [8:0] row;
    bertd_pkg::tile_t tile;

    formal_reset u_reset (.clk_i, .reset_i, .rst_no(rst_n));
    bertd_drain_control #(.ROWS(ROWS), .PATHS(2)) dut (
        .clk_i, .rst_ni(rst_n), .last_i(last), .tile_i, .result_i(result), .busy_o(busy),
        .take_o(take), .turn_o(turn), .row_o(row), .tile_o(tile), .tile_end_o(tile_end)
    );
    (* hierconn *) logic [9:0] \dut.left_q , \dut.ahead_q ;
    (* hierconn *) logic [8:0] \dut.row_q ;
    (* hierconn *) logic \dut.fresh_q ;
    (* hierconn *) logic [TILE-1:0] \dut.tile_q , \dut.last_q ;
    (* hierconn *) logic [(LATER-1)*TILE-1:0] \dut.u_next.genblk1.gen_many.words_q ;

    assign last = last_i && !busy;

    // Tiles on their way through the array, the newest first, and the rows of the one that leaves (of scores: its first
    // path's).
    logic [LATER-1:0] under_way_q;
    logic [LATER*TILE-1:0] coming_q;
    bertd_pkg::tile_t oldest, leaving_q;
    logic [9:0] due_q;     // rows that have still to leave
    logic [9:0] next_q;    // the next of them
    logic [9:0] to_go;     // cycles until all have left: of rows to be activated three leave in four cycles
    assign result = under_way_q[LATER-1];
    assign oldest = coming_q[(LATER-1)*TILE+:TILE];
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

    always_ff @(posedge clk_i) coming_q <= {coming_q[(LATER-1)*TILE-1:0], tile_i};
    always_ff @(posedge clk_i or negedge rst_n) begin
        if (!rst_n) begin
            under_way_q <= '0;
            leaving_q <= '0;
            due_q <= '0;
            next_q <= '0;
        end else begin
            under_way_q <= {under_way_q[LATER-2:0], last};
            if (take[0]) begin
                due_q <= due_q - 10'd1;
                next_q <= next_q + 10'd1;
            end
            if (result) begin
                leaving_q <= oldest;
                next_q <= {1'b0, oldest.row};
                due_q <= oldest.wide && oldest.rows > 10'(ROWS / 2) ? 10'(ROWS / 2) : oldest.rows;
            end
        end
    end

    // A tile's rows lie within ROWS.
    always_comb assume (tile_i.rows != '0 && 11'(tile_i.row[5:0]) + 11'(tile_i.rows) <= 11'(ROWS) && !tile_i.row[8]);

    // What the module holds of each tile on its way, and that their rows will not meet.
    logic [LATER-1:0] wrong, not_kept, too_late, too_soon, not_ahead;
    for (genvar i = 0; i < LATER; i++) begin : gen_tile
        logic [TILE-1:0] tile_then;
        logic [9:0] leave;
        assign tile_then = coming_q[i*TILE+:TILE];
        formal_drain_tile #(.ROWS(ROWS)) u_tile (.tile_i(tile_then), .leave_o(leave), .wrong_o(wrong[i]));
        if (i == 0) begin : gen_newest
            assign not_kept[i] = \dut.last_q != tile_then;
            assign too_soon[i] = 1'b0;
            assign not_ahead[i] = !\dut.fresh_q ;
        end else begin : gen_older
            logic [i-1:0] newer;  // that come before this one has left
            for (genvar j = 0; j < i; j++) begin : gen_newer
                assign newer[j] = under_way_q[j] && leave > 10'(i - j);
            end
            assign not_kept[i] = \dut.u_next.genblk1.gen_many.words_q [(i-1)*TILE+:TILE] != tile_then;
            assign too_soon[i] = newer != '0;
            assign not_ahead[i] = leave > 10'(i + 1) && \dut.ahead_q != leave - 10'(i + 1);
        end
        assign too_late[i] = to_go > 10'(LATER - i);
    end

    always_comb begin
        if (rst_n) begin
            gone_before_the_next_comes: assert (!result || due_q == '0 || (due_q == 10'd1 && take[0]));
            a_row_that_is_due: assert (!take[0] || (due_q != '0 && {1'b0, row} == next_q));
            activated_rows_in_their_turns: assert (!take[0] || !leaving_q.activate || turn != 2'd3);
            of_the_tile_that_leaves: assert (!take[0] || tile == leaving_q);
            tiles_end_with_their_last_row: assert (!tile_end || (take[0] && due_q == 10'd1));
            no_tile_ends_unseen: assert (tile_end || !take[0] || due_q != 10'd1);
            same_left: assert (\dut.left_q == due_q && (due_q == '0 || {1'b0, \dut.row_q } == next_q));
            same_tile: assert (due_q == '0 || (\dut.tile_q == leaving_q && next_q >= {1'b0, leaving_q.row}));
            same_rows: assert (due_q == '0 || (!\dut.row_q [8] && due_q <= 10'(ROWS) && next_q + due_q <= 10'd256));
            same_coming: assert ((under_way_q & wrong) == '0);
            same_kept: assert ((under_way_q & not_kept) == '0);
            same_late: assert ((under_way_q & too_late) == '0);
            same_soon: assert ((under_way_q & too_soon) == '0);
            same_ahead: assert ((under_way_q & not_ahead) == '0 && (\dut.fresh_q == under_way_q[0]));
            same_left_alone: assert (under_way_q != '0 || 11'(to_go) <= 11'(\dut.ahead_q ) + 11'(LATER + 1));
        end
    end

endmodule

// A tile: the cycles that its rows take to leave at most, and whether there is no such tile.
module formal_drain_tile #(
    parameter int ROWS = 64
) (
    input  bertd_pkg::tile_t tile_i,
    output logic [9:0]       leave_o,
    output logic             wrong_o
);

    logic [9:0] rows;
    assign rows = tile_i.wide && tile_i.rows > 10'(ROWS / 2) ? 10'(ROWS / 2) : tile_i.rows;
    assign leave_o = tile_i.activate ? rows + rows / 4 + rows / 8 + 10'd2 : rows;
    assign wrong_o = tile_i.rows == '0 || tile_i.row[8] || 11'(tile_i.row[5:0]) + 11'(tile_i.rows) > 11'(ROWS);

endmodule
