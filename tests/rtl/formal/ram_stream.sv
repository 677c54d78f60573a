// bertd_ram_stream on a memory of LATENCY cycles whose word n is n: all words come out, in order, and none finds no room.
// Between its answers the memory says anything.
module formal_ram_stream (
    input logic       clk_i,
    input logic       reset_i,
    input logic       address_valid_i,
    input logic       out_ready_i,
    input logic [3:0] noise_i
);

    localparam int LATENCY = 3;

    logic rst_n, address_ready, out_valid;
    logic [3:0] out, read_data;

    formal_reset u_reset (.clk_i, .reset_i, .rst_no(rst_n));
    bertd_ram_stream #(.WIDTH(4), .LATENCY(LATENCY)) dut (
        .clk_i, .rst_ni(rst_n), .address_valid_i, .address_ready_o(address_ready), .read_data_i(read_data),
        .out_valid_o(out_valid), .out_ready_i, .out_o(out)
    );
    (* hierconn *) logic [2:0] \dut.u_fifo.head_q ;
    (* hierconn *) logic [2:0] \dut.u_fifo.tail_q ;
    (* hierconn *) logic [2:0] \dut.held_q ;
    (* hierconn *) logic [LATENCY-1:0] \dut.in_flight_q ;
    (* hierconn *) logic [3:0] \dut.u_fifo.words[0] , \dut.u_fifo.words[1] , \dut.u_fifo.words[2] ,
        \dut.u_fifo.words[3] ;
    logic [15:0] words;
    logic [2:0] used;
    assign words = {\dut.u_fifo.words[3] , \dut.u_fifo.words[2] , \dut.u_fifo.words[1] , \dut.u_fifo.words[0] };
    assign used = \dut.u_fifo.tail_q - \dut.u_fifo.head_q ;

    logic [7:0] asked_q, taken_q;
    logic [LATENCY-1:0] reading_q;  // asked for so many cycles ago
    logic [7:0] came_q;
    logic waited_q;
    assign read_data = reading_q[LATENCY-1] ? came_q[3:0] : noise_i;

    always_ff @(posedge clk_i or negedge rst_n) begin
        if (!rst_n) begin
            asked_q <= '0;
            taken_q <= '0;
            reading_q <= '0;
            came_q <= '0;
            waited_q <= 1'b0;
        end else begin
            asked_q <= asked_q + 8'(address_valid_i && address_ready);
            taken_q <= taken_q + 8'(out_valid && out_ready_i);
            reading_q <= {reading_q[LATENCY-2:0], address_valid_i && address_ready};
            came_q <= came_q + 8'(reading_q[LATENCY-1]);
            waited_q <= out_valid && !out_ready_i;
        end
    end

    logic [1:0] places[0:3];
    logic [3:0] there, right;
    always_comb begin
        for (int i = 0; i < 4; i++) begin
            places[i] = \dut.u_fifo.head_q [1:0] + 2'(i);
            there[i] = 3'(i) < used;
            right[i] = words[places[i]*4+:4] == taken_q[3:0] + 4'(i);
        end
        if (rst_n) begin
            room_for_what_is_read: assert (8'(asked_q - taken_q) <= 8'd4);
            in_order: assert (!out_valid || out == taken_q[3:0]);
            no_word_that_was_not_asked_for: assert (!out_valid || asked_q != taken_q);
            offered_word_stays: assert (!waited_q || out_valid);
            same_held: assert (8'(\dut.held_q ) == 8'(asked_q - taken_q));
            same_used: assert (8'(used) == 8'(came_q - taken_q));
            same_reading: assert (reading_q == \dut.in_flight_q );
            same_came: assert (8'(came_q + 8'(reading_q[0]) + 8'(reading_q[1]) + 8'(reading_q[2])) == asked_q);
            same_words: assert ((there & ~right) == '0);
        end
    end

endmodule
