// Data path: beats of bertd_kv_write or bertd_row_store -> AXI write port -> card memory.
// Writes runs of beats: INCR bursts of at most 4 KiB that do not cross a 4 KiB boundary, one ID. A burst's address goes
// out before its data; answers are counted, so that `idle_o` means: what was written can be read.
module bertd_axi_writer (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic         request_valid_i,
    output logic         request_ready_o,
    input  logic [ 63:0] request_address_i,  // multiple of 64
    input  logic [ 15:0] request_beats_i,    // > 0
    input  logic         data_valid_i,
    output logic         data_ready_o,
    input  logic [511:0] data_i,
    input  logic [ 63:0] strobe_i,
    output logic         idle_o,
    output logic         error_o,

    output logic         m_axi_awvalid_o,
    input  logic         m_axi_awready_i,
    output logic [ 63:0] m_axi_awaddr_o,
    output logic [  7:0] m_axi_awlen_o,
    output logic         m_axi_wvalid_o,
    input  logic         m_axi_wready_i,
    output logic [511:0] m_axi_wdata_o,
    output logic [ 63:0] m_axi_wstrb_o,
    output logic         m_axi_wlast_o,
    input  logic         m_axi_bvalid_i,
    output logic         m_axi_bready_o,
    input  logic [  1:0] m_axi_bresp_i
);

    logic [63:0] address_q;
    logic [15:0] left_q;
    logic [6:0] burst_left_q;  // beats of the burst whose address went out
    logic [7:0] unanswered_q;
    logic [15:0] to_boundary, burst;
    logic accept, issue, send, answer;

    assign to_boundary = 16'd64 - 16'(address_q[11:6]);
    assign burst = left_q < to_boundary ? left_q : to_boundary;
    assign request_ready_o = left_q == '0 && burst_left_q == '0;
    assign accept = request_valid_i && request_ready_o;

    assign m_axi_awvalid_o = left_q != '0 && burst_left_q == '0 && !unanswered_q[7];
    assign m_axi_awaddr_o = address_q;
    assign m_axi_awlen_o = 8'(burst - 16'd1);
    assign issue = m_axi_awvalid_o && m_axi_awready_i;

    assign m_axi_wvalid_o = burst_left_q != '0 && data_valid_i;
    assign data_ready_o = burst_left_q != '0 && m_axi_wready_i;
    assign m_axi_wdata_o = data_i;
    assign m_axi_wstrb_o = strobe_i;
    assign m_axi_wlast_o = burst_left_q == 7'd1;
    assign send = m_axi_wvalid_o && m_axi_wready_i;

    assign m_axi_bready_o = 1'b1;
    assign answer = m_axi_bvalid_i;
    assign error_o = answer && m_axi_bresp_i != 2'b00;
    assign idle_o = left_q == '0 && burst_left_q == '0 && unanswered_q == '0;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            address_q <= '0;
            left_q <= '0;
            burst_left_q <= '0;
            unanswered_q <= '0;
        end else begin
            if (accept) begin
                address_q <= request_address_i;
                left_q <= request_beats_i;
            end else if (issue) begin
                address_q <= address_q + {42'd0, burst, 6'd0};
                left_q <= left_q - burst;
            end
            if (issue) burst_left_q <= burst[6:0];
            else if (send) burst_left_q <= burst_left_q - 7'd1;
            unanswered_q <= unanswered_q + 8'(issue) - 8'(answer);
        end
    end

endmodule
