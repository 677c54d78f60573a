// Data path: requests for beats -> AXI read port -> card memory's beats, for whoever asked.
// Reads runs of beats: INCR bursts of at most 4 KiB that do not cross a 4 KiB boundary, all with one ID, so that the
// data comes in order. Many bursts may be in flight; whoever asks has room for what comes, or holds it up.
module bertd_axi_reader (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic         request_valid_i,
    output logic         request_ready_o,
    input  logic [ 63:0] request_address_i,  // multiple of 64
    input  logic [ 15:0] request_beats_i,    // > 0
    output logic         data_valid_o,
    input  logic         data_ready_i,
    output logic [511:0] data_o,
    output logic         idle_o,             // nothing is asked for and not yet here
    output logic         error_o,            // the memory answered with an error

    output logic         m_axi_arvalid_o,
    input  logic         m_axi_arready_i,
    output logic [ 63:0] m_axi_araddr_o,
    output logic [  7:0] m_axi_arlen_o,
    input  logic         m_axi_rvalid_i,
    output logic         m_axi_rready_o,
    input  logic [511:0] m_axi_rdata_i,
    input  logic [  1:0] m_axi_rresp_i
);

    logic [63:0] address_q;
    logic [15:0] left_q;
    logic [19:0] pending_q;  // beats asked for and not yet here
    logic [15:0] to_boundary, burst;
    logic accept, issue, receive;

    assign to_boundary = 16'd64 - 16'(address_q[11:6]);
    assign burst = left_q < to_boundary ? left_q : to_boundary;
    assign request_ready_o = left_q == '0 && !pending_q[19];
    assign accept = request_valid_i && request_ready_o;

    assign m_axi_arvalid_o = left_q != '0;
    assign m_axi_araddr_o = address_q;
    assign m_axi_arlen_o = 8'(burst - 16'd1);
    assign issue = m_axi_arvalid_o && m_axi_arready_i;

    assign data_valid_o = m_axi_rvalid_i;
    assign m_axi_rready_o = data_ready_i;
    assign data_o = m_axi_rdata_i;
    assign receive = m_axi_rvalid_i && m_axi_rready_o;
    assign error_o = receive && m_axi_rresp_i != 2'b00;
    assign idle_o = pending_q == '0;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            address_q <= '0;
            left_q <= '0;
            pending_q <= '0;
        end else begin
            if (accept) begin
                address_q <= request_address_i;
                left_q <= request_beats_i;
            end else if (issue) begin
                address_q <= address_q + {42'd0, burst, 6'd0};
                left_q <= left_q - burst;
            end
            pending_q <= pending_q + (accept ? 20'(request_beats_i) : 20'd0) - 20'(receive);
        end
    end

endmodule
