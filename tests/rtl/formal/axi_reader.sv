// bertd_axi_reader asks for just the beats that it was asked for, in bursts as AXI wants them, and knows when all of
// them are here. The memory answers whenever it likes, with as many beats as were asked for.
module formal_axi_reader (
    input logic         clk_i,
    input logic         reset_i,
    input logic         request_valid_i,
    input logic [ 63:0] request_address_i,
    input logic [ 15:0] request_beats_i,
    input logic         data_ready_i,
    input logic         arready_i,
    input logic         rvalid_i,
    input logic [511:0] rdata_i,
    input logic [  1:0] rresp_i
);

    logic rst_n, request_ready, data_valid, idle, error, arvalid, rready;
    logic [63:0] araddr;
    logic [7:0] arlen;
    logic [511:0] data;

    formal_reset u_reset (.clk_i, .reset_i, .rst_no(rst_n));
    bertd_axi_reader dut (
        .clk_i, .rst_ni(rst_n), .request_valid_i, .request_ready_o(request_ready), .request_address_i,
        .request_beats_i, .data_valid_o(data_valid), .data_ready_i, .data_o(data), .idle_o(idle), .error_o(error),
        .m_axi_arvalid_o(arvalid), .m_axi_arready_i(arready_i), .m_axi_araddr_o(araddr), .m_axi_arlen_o(arlen),
        .m_axi_rvalid_i(rvalid_i), .m_axi_rready_o(rready), .m_axi_rdata_i(rdata_i), .m_axi_rresp_i(rresp_i)
    );
    (* hierconn *) logic [15:0] \dut.left_q ;
    (* hierconn *) logic [63:0] \dut.address_q ;
    (* hierconn *) logic [19:0] \dut.pending_q ;

    // What was asked of the reader and not yet by it, and what it asked the memory for that is not yet here.
    logic [63:0] next_q;
    logic [31:0] wanted_q, coming_q;
    logic accept, issue, receive, waited_q;
    logic [71:0] burst_q;
    assign accept = request_valid_i && request_ready;
    assign issue = arvalid && arready_i;
    assign receive = rvalid_i && rready;

    always_ff @(posedge clk_i or negedge rst_n) begin
        if (!rst_n) begin
            next_q <= '0;
            wanted_q <= '0;
            coming_q <= '0;
            waited_q <= 1'b0;
            burst_q <= '0;
        end else begin
            if (accept) next_q <= request_address_i;
            else if (issue) next_q <= next_q + {50'd0, 8'(arlen) + 8'd1, 6'd0};
            wanted_q <= wanted_q + (accept ? 32'(request_beats_i) : 32'd0) - (issue ? 32'(arlen) + 32'd1 : 32'd0);
            coming_q <= coming_q + (issue ? 32'(arlen) + 32'd1 : 32'd0) - 32'(receive);
            waited_q <= arvalid && !arready_i;
            burst_q <= {araddr, arlen};
        end
    end

    always_comb begin
        assume (request_address_i[5:0] == '0 && request_beats_i != '0);
        assume (!rvalid_i || coming_q != '0);
    end

    always_comb begin
        if (rst_n) begin
            within_4_kib: assert (!arvalid || (araddr[5:0] == '0 && 8'(araddr[11:6]) + arlen < 8'd64));
            offered_burst_stays: assert (!waited_q || (arvalid && {araddr, arlen} == burst_q));
            address_follows: assert (!arvalid || araddr == next_q);
            asks_for_no_more: assert (!arvalid || 32'(arlen) < wanted_q);
            asks_for_all: assert (arvalid == (wanted_q != '0));
            idle_is_true: assert (idle == (wanted_q + coming_q == '0));
            data_is_passed: assert ((data_valid && data_ready_i) == receive && data == rdata_i);
            errors_are_told: assert (error == (receive && rresp_i != '0));
            // What the reader knows is what was counted here.
            same_left: assert (32'(\dut.left_q ) == wanted_q);
            same_address: assert (\dut.address_q == next_q);
            same_pending: assert (32'(\dut.pending_q ) == wanted_q + coming_q);
            same_coming: assert (coming_q[31:20] == '0);
        end
    end

endmodule
