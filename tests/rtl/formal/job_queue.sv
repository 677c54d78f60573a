// bertd_job_queue, and with it bertd_stream_fifo: it never holds more than it has room for, and what goes in comes out,
// in order. One word, whichever the prover likes, is watched from its way in to its way out.
module formal_job_queue (
    input logic       clk_i,
    input logic       reset_i,
    input logic       in_valid_i,
    input logic [3:0] in_i,
    input logic       out_ready_i,
    input logic       watch_i
);

    logic rst_n, in_ready, out_valid;
    logic [3:0] out;

    formal_reset u_reset (.clk_i, .reset_i, .rst_no(rst_n));
    bertd_job_queue #(.WIDTH(4)) dut (
        .clk_i, .rst_ni(rst_n), .in_valid_i, .in_ready_o(in_ready), .in_i, .out_valid_o(out_valid), .out_ready_i,
        .out_o(out)
    );
    (* hierconn *) logic [4:0] \dut.u_fifo.head_q ;
    (* hierconn *) logic [4:0] \dut.u_fifo.tail_q ;
    (* hierconn *) logic [3:0] \dut.u_fifo.words[0] , \dut.u_fifo.words[1] , \dut.u_fifo.words[2] ,
        \dut.u_fifo.words[3] , \dut.u_fifo.words[4] , \dut.u_fifo.words[5] , \dut.u_fifo.words[6] ,
        \dut.u_fifo.words[7] , \dut.u_fifo.words[8] , \dut.u_fifo.words[9] , \dut.u_fifo.words[10] ,
        \dut.u_fifo.words[11] , \dut.u_fifo.words[12] , \dut.u_fifo.words[13] , \dut.u_fifo.words[14] ,
        \dut.u_fifo.words[15] ;
    logic [63:0] words;
    assign words = {
        \dut.u_fifo.words[15] , \dut.u_fifo.words[14] , \dut.u_fifo.words[13] , \dut.u_fifo.words[12] ,
        \dut.u_fifo.words[11] , \dut.u_fifo.words[10] , \dut.u_fifo.words[9] , \dut.u_fifo.words[8] ,
        \dut.u_fifo.words[7] , \dut.u_fifo.words[6] , \dut.u_fifo.words[5] , \dut.u_fifo.words[4] ,
        \dut.u_fifo.words[3] , \dut.u_fifo.words[2] , \dut.u_fifo.words[1] , \dut.u_fifo.words[0]
    };

    logic push, pop, watching_q, waited_q;
    logic [7:0] held_q;   // words within
    logic [7:0] ahead_q;  // of the watched one
    logic [3:0] watched_q, offered_q, place;
    assign push = in_valid_i && in_ready;
    assign pop = out_valid && out_ready_i;
    assign place = \dut.u_fifo.head_q [3:0] + ahead_q[3:0];

    always_ff @(posedge clk_i or negedge rst_n) begin
        if (!rst_n) begin
            held_q <= '0;
            ahead_q <= '0;
            watching_q <= 1'b0;
            watched_q <= '0;
            waited_q <= 1'b0;
            offered_q <= '0;
        end else begin
            held_q <= held_q + 8'(push) - 8'(pop);
            waited_q <= out_valid && !out_ready_i;
            offered_q <= out;
            if (!watching_q && push && watch_i) begin
                watching_q <= 1'b1;
                watched_q <= in_i;
                ahead_q <= held_q - 8'(pop);
            end else if (watching_q && pop) begin
                watching_q <= ahead_q != '0;
                ahead_q <= ahead_q - 8'd1;
            end
        end
    end

    always_comb begin
        if (rst_n) begin
            never_overflows: assert (held_q <= 8'd16);
            has_room_for_all: assert (in_ready == (held_q != 8'd16));
            gives_all: assert (out_valid == (held_q != '0));
            in_order: assert (!watching_q || !out_valid || ahead_q != '0 || out == watched_q);
            offered_word_stays: assert (!waited_q || (out_valid && out == offered_q));
            same_held: assert (8'(5'(\dut.u_fifo.tail_q - \dut.u_fifo.head_q )) == held_q);
            same_watched: assert (!watching_q || (ahead_q < held_q && words[place*4+:4] == watched_q));
        end
    end

endmodule
