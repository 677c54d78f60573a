// bertd_stream_crossing, and with it bertd_stream_register: word n is n; all words come out, in order, and stay until they
// are taken. Two registers in a row.
module formal_stream_register (
    input logic clk_i,
    input logic reset_i,
    input logic in_valid_i,
    input logic out_ready_i
);

    localparam int WIDTH = 6;

    logic rst_n, in_ready, out_valid;
    logic [WIDTH-1:0] out, in_q, out_q;  // that went in, that came out
    logic waited_q;

    formal_reset u_reset (.clk_i, .reset_i, .rst_no(rst_n));
    bertd_stream_crossing #(.WIDTH(WIDTH), .STAGES(2)) dut (
        .clk_i, .rst_ni(rst_n), .in_valid_i, .in_ready_o(in_ready), .in_i(in_q), .out_valid_o(out_valid), .out_ready_i,
        .out_o(out)
    );
    (* hierconn *) logic \dut.gen_stage[0].u_register.valid_q , \dut.gen_stage[0].u_register.ready_q ;
    (* hierconn *) logic \dut.gen_stage[1].u_register.valid_q , \dut.gen_stage[1].u_register.ready_q ;
    (* hierconn *) logic [WIDTH-1:0] \dut.gen_stage[0].u_register.word_q , \dut.gen_stage[0].u_register.spare_q ;
    (* hierconn *) logic [WIDTH-1:0] \dut.gen_stage[1].u_register.word_q , \dut.gen_stage[1].u_register.spare_q ;

    // Words in each register, and which they should be.
    logic [1:0] first, second;
    assign first = 2'(\dut.gen_stage[0].u_register.valid_q ) +
        2'(\dut.gen_stage[0].u_register.valid_q && !\dut.gen_stage[0].u_register.ready_q );
    assign second = 2'(\dut.gen_stage[1].u_register.valid_q ) +
        2'(\dut.gen_stage[1].u_register.valid_q && !\dut.gen_stage[1].u_register.ready_q );

    always_ff @(posedge clk_i or negedge rst_n) begin
        if (!rst_n) begin
            in_q <= '0;
            out_q <= '0;
            waited_q <= 1'b0;
        end else begin
            in_q <= in_q + WIDTH'(in_valid_i && in_ready);
            out_q <= out_q + WIDTH'(out_valid && out_ready_i);
            waited_q <= out_valid && !out_ready_i;
        end
    end

    always_comb begin
        if (rst_n) begin
            in_order: assert (!out_valid || out == out_q);
            no_word_that_was_not_put_in: assert (!out_valid || in_q != out_q);
            offered_word_stays: assert (!waited_q || out_valid);
            same_held: assert (WIDTH'(in_q - out_q) == WIDTH'(first) + WIDTH'(second));
            same_second: assert ((second == 2'd0 || \dut.gen_stage[1].u_register.word_q == out_q) &&
                (second != 2'd2 || \dut.gen_stage[1].u_register.spare_q == out_q + 1'b1));
            same_first: assert ((first == 2'd0 || \dut.gen_stage[0].u_register.word_q == out_q + WIDTH'(second)) &&
                (first != 2'd2 || \dut.gen_stage[0].u_register.spare_q == out_q + WIDTH'(second) + 1'b1));
        end
    end

endmodule
