// bertd_axi_writer writes just the beats that it was given, each behind its address, in bursts as AXI wants them, and
// knows when all of them are answered. The memory takes and answers whenever it likes, each burst once; whoever writes
// holds what he offers.
module formal_axi_writer (
    input logic         clk_i,
    input logic         reset_i,
    input logic         request_valid_i,
    input logic [ 63:0] request_address_i,
    input logic [ 15:0] request_beats_i,
    input logic         data_valid_i,
    input logic [511:0] data_i,
    input logic [ 63:0] strobe_i,
    input logic         awready_i,
    input logic         wready_i,
    input logic         bvalid_i,
    input logic [  1:0] bresp_i
);

    logic rst_n, request_ready, data_ready, idle, error, awvalid, wvalid, wlast, bready;
    logic [63:0] awaddr, wstrb;
    logic [7:0] awlen;
    logic [511:0] wdata;

    formal_reset u_reset (.clk_i, .reset_i, .rst_no(rst_n));
    bertd_axi_writer dut (
        .clk_i, .rst_ni(rst_n), .request_valid_i, .request_ready_o(request_ready), .request_address_i,
        .request_beats_i, .data_valid_i, .data_ready_o(data_ready), .data_i, .strobe_i, .idle_o(idle),
        .error_o(error), .m_axi_awvalid_o(awvalid), .m_axi_awready_i(awready_i), .m_axi_awaddr_o(awaddr),
        .m_axi_awlen_o(awlen), .m_axi_wvalid_o(wvalid), .m_axi_wready_i(wready_i), .m_axi_wdata_o(wdata),
        .m_axi_wstrb_o(wstrb), .m_axi_wlast_o(wlast), .m_axi_bvalid_i(bvalid_i), .m_axi_bready_o(bready),
        .m_axi_bresp_i(bresp_i)
    );
    (* hierconn *) logic [15:0] \dut.left_q ;
    (* hierconn *) logic [63:0] \dut.address_q ;
    (* hierconn *) logic [6:0] \dut.burst_left_q ;
    (* hierconn *) logic [7:0] \dut.unanswered_q ;

    // What is to be addressed, addressed and to be sent, sent (as bursts) and to be answered.
    logic [63:0] next_q;
    logic [31:0] wanted_q, open_q, bursts_q;
    logic accept, issue, send, answer, address_waited_q, data_waited_q;
    logic [71:0] burst_q;
    logic [576:0] beat_q;
    assign accept = request_valid_i && request_ready;
    assign issue = awvalid && awready_i;
    assign send = wvalid && wready_i;
    assign answer = bvalid_i && bready;

    always_ff @(posedge clk_i or negedge rst_n) begin
        if (!rst_n) begin
            next_q <= '0;
            wanted_q <= '0;
            open_q <= '0;
            bursts_q <= '0;
            address_waited_q <= 1'b0;
            data_waited_q <= 1'b0;
            burst_q <= '0;
            beat_q <= '0;
        end else begin
            if (accept) next_q <= request_address_i;
            else if (issue) next_q <= next_q + {50'd0, 8'(awlen) + 8'd1, 6'd0};
            wanted_q <= wanted_q + (accept ? 32'(request_beats_i) : 32'd0) - (issue ? 32'(awlen) + 32'd1 : 32'd0);
            open_q <= open_q + (issue ? 32'(awlen) + 32'd1 : 32'd0) - 32'(send);
            bursts_q <= bursts_q + 32'(issue) - 32'(answer);
            address_waited_q <= awvalid && !awready_i;
            data_waited_q <= wvalid && !wready_i;
            burst_q <= {awaddr, awlen};
            beat_q <= {wdata, wstrb, wlast};
        end
    end

    always_comb begin
        assume (request_address_i[5:0] == '0 && request_beats_i != '0);
        assume (!bvalid_i || bursts_q > 32'(open_q != '0));
        assume (!data_waited_q || (data_valid_i && {data_i, strobe_i} == beat_q[576:1]));
    end

    always_comb begin
        if (rst_n) begin
            within_4_kib: assert (!awvalid || (awaddr[5:0] == '0 && 8'(awaddr[11:6]) + awlen < 8'd64));
            offered_burst_stays: assert (!address_waited_q || (awvalid && {awaddr, awlen} == burst_q));
            offered_beat_stays: assert (!data_waited_q || (wvalid && {wdata, wstrb, wlast} == beat_q));
            address_follows: assert (!awvalid || awaddr == next_q);
            writes_no_more: assert (!awvalid || 32'(awlen) < wanted_q);
            data_behind_its_address: assert (!wvalid || open_q != '0);
            last_beat_is_marked: assert (!wvalid || wlast == (open_q == 32'd1));
            one_burst_at_a_time: assert (!awvalid || open_q == '0);
            idle_is_true: assert (idle == (wanted_q == '0 && open_q == '0 && bursts_q == '0));
            data_is_passed: assert (send == (data_valid_i && data_ready) && wdata == data_i && wstrb == strobe_i);
            errors_are_told: assert (error == (answer && bresp_i != '0));
            same_left: assert (32'(\dut.left_q ) == wanted_q);
            same_address: assert (\dut.address_q == next_q && next_q[5:0] == '0);
            same_open: assert (32'(\dut.burst_left_q ) == open_q);
            same_bursts: assert (32'(\dut.unanswered_q ) == bursts_q && bursts_q <= 32'd128);
            same_burst_of_data: assert (open_q == '0 || bursts_q != '0);
        end
    end

endmodule
