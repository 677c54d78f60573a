// bertd_read_arbiter with bertd_axi_reader behind it: each beat goes to whoever asked for it, in the order of asking.
// Who asks holds his request until it is taken.
module formal_read_arbiter (
    input logic         clk_i,
    input logic         reset_i,
    input logic [  2:0] request_valid_i,
    input logic [191:0] request_address_i,
    input logic [ 47:0] request_beats_i,
    input logic [  2:0] data_ready_i,
    input logic         arready_i,
    input logic         rvalid_i,
    input logic [511:0] rdata_i
);

    logic rst_n, valid, ready, data_valid, data_ready, idle, error, arvalid, rready;
    logic [2:0] request_ready, data_valids;
    logic [63:0] address, araddr;
    logic [15:0] beats;
    logic [7:0] arlen;
    logic [511:0] data;

    formal_reset u_reset (.clk_i, .reset_i, .rst_no(rst_n));
    bertd_read_arbiter dut (
        .clk_i, .rst_ni(rst_n), .request_valid_i, .request_ready_o(request_ready), .request_address_i,
        .request_beats_i, .data_valid_o(data_valids), .data_ready_i, .reader_valid_o(valid), .reader_ready_i(ready),
        .reader_address_o(address), .reader_beats_o(beats), .reader_data_valid_i(data_valid),
        .reader_data_ready_o(data_ready), .reader_idle_i(idle)
    );
    bertd_axi_reader reader (
        .clk_i, .rst_ni(rst_n), .request_valid_i(valid), .request_ready_o(ready), .request_address_i(address),
        .request_beats_i(beats), .data_valid_o(data_valid), .data_ready_i(data_ready), .data_o(data), .idle_o(idle),
        .error_o(error), .m_axi_arvalid_o(arvalid), .m_axi_arready_i(arready_i), .m_axi_araddr_o(araddr),
        .m_axi_arlen_o(arlen), .m_axi_rvalid_i(rvalid_i), .m_axi_rready_o(rready), .m_axi_rdata_i(rdata_i),
        .m_axi_rresp_i(2'b00)
    );
    (* hierconn *) logic [2:0] \dut.owner_q ;
    (* hierconn *) logic [19:0] \reader.pending_q ;
    (* hierconn *) logic [15:0] \reader.left_q ;

    // Beats that each has asked for and not got.
    logic [31:0] due_q[0:2];
    logic [31:0] due_0, due_1, due_2, coming_q;
    logic [2:0] accept, receive, waited_q;
    logic [191:0] addresses_q;
    logic [47:0] beats_q;
    assign due_0 = due_q[0];
    assign due_1 = due_q[1];
    assign due_2 = due_q[2];
    assign accept = request_valid_i & request_ready;
    assign receive = data_valids & data_ready_i;

    always_ff @(posedge clk_i or negedge rst_n) begin
        if (!rst_n) begin
            for (int i = 0; i < 3; i++) due_q[i] <= '0;
            coming_q <= '0;
            waited_q <= '0;
            addresses_q <= '0;
            beats_q <= '0;
        end else begin
            for (int i = 0; i < 3; i++) begin
                due_q[i] <= due_q[i] + (accept[i] ? 32'(request_beats_i[i*16+:16]) : 32'd0) - 32'(receive[i]);
            end
            coming_q <= coming_q + (arvalid && arready_i ? 32'(arlen) + 32'd1 : 32'd0) - 32'(rvalid_i && rready);
            waited_q <= request_valid_i & ~request_ready;
            addresses_q <= request_address_i;
            beats_q <= request_beats_i;
        end
    end

    always_comb begin
        assume (!rvalid_i || coming_q != '0);
        for (int i = 0; i < 3; i++) begin
            assume (request_beats_i[i*16+:16] != '0);
            assume (!waited_q[i] || (request_valid_i[i] && request_address_i[i*64+:64] == addresses_q[i*64+:64] &&
                request_beats_i[i*16+:16] == beats_q[i*16+:16]));
        end
    end

    always_comb begin
        if (rst_n) begin
            data_for_who_asked: assert (!data_valids[0] || due_0 != '0);
            data_for_who_asked_1: assert (!data_valids[1] || due_1 != '0);
            data_for_who_asked_2: assert (!data_valids[2] || due_2 != '0);
            one_at_a_time: assert ((due_0 == '0) + (due_1 == '0) + (due_2 == '0) >= 2'd2);
            no_beat_is_lost: assert ((rvalid_i && rready) == (receive != '0) && (receive & (receive - 3'd1)) == '0);
            no_request_is_lost: assert ((valid && ready) == (accept != '0) && (accept & (accept - 3'd1)) == '0);
            the_requests_own: assert (!accept[0] || (address == request_address_i[63:0] && beats == request_beats_i[15:0]));
            the_requests_own_1: assert (!accept[1] || (address == request_address_i[127:64] && beats == request_beats_i[31:16]));
            the_requests_own_2: assert (!accept[2] || (address == request_address_i[191:128] && beats == request_beats_i[47:32]));
            same_owner: assert (\dut.owner_q == 3'd0 || \dut.owner_q == 3'd1 || \dut.owner_q == 3'd2 || \dut.owner_q == 3'd4);
            same_due: assert (due_0 + due_1 + due_2 == 32'(\reader.pending_q ) &&
                (due_0 == '0 || \dut.owner_q [0]) && (due_1 == '0 || \dut.owner_q [1]) && (due_2 == '0 || \dut.owner_q [2]));
            same_coming: assert (coming_q + 32'(\reader.left_q ) == 32'(\reader.pending_q ) && coming_q[31:20] == '0);
        end
    end

endmodule
