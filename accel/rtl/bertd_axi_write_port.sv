// Data path: bertd_axi_writer -> the card's AXI write port, at the edge of the engine.
// Registers on the three channels of an AXI write port, all signals of both directions.
module bertd_axi_write_port (
    input  logic         clk_i,
    input  logic         rst_ni,

    input  logic         awvalid_i,
    output logic         awready_o,
    input  logic [ 63:0] awaddr_i,
    input  logic [  7:0] awlen_i,
    input  logic         wvalid_i,
    output logic         wready_o,
    input  logic [511:0] wdata_i,
    input  logic [ 63:0] wstrb_i,
    input  logic         wlast_i,
    output logic         bvalid_o,
    input  logic         bready_i,
    output logic [  1:0] bresp_o,

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

    bertd_stream_register #(.WIDTH(72)) u_address (
        .clk_i, .rst_ni, .in_valid_i(awvalid_i), .in_ready_o(awready_o), .in_i({awaddr_i, awlen_i}),
        .out_valid_o(m_axi_awvalid_o), .out_ready_i(m_axi_awready_i), .out_o({m_axi_awaddr_o, m_axi_awlen_o})
    );
    bertd_stream_register #(.WIDTH(577)) u_data (
        .clk_i, .rst_ni, .in_valid_i(wvalid_i), .in_ready_o(wready_o), .in_i({wdata_i, wstrb_i, wlast_i}),
        .out_valid_o(m_axi_wvalid_o), .out_ready_i(m_axi_wready_i), .out_o({m_axi_wdata_o, m_axi_wstrb_o, m_axi_wlast_o})
    );
    bertd_stream_register #(.WIDTH(2)) u_answer (
        .clk_i, .rst_ni, .in_valid_i(m_axi_bvalid_i), .in_ready_o(m_axi_bready_o), .in_i(m_axi_bresp_i),
        .out_valid_o(bvalid_o), .out_ready_i(bready_i), .out_o(bresp_o)
    );

endmodule
