// Data path: bertd_axi_reader -> the card's AXI read port, at the edge of the engine.
// Registers on both channels of an AXI read port, all signals of both directions.
module bertd_axi_read_port (
    input  logic         clk_i,
    input  logic         rst_ni,

    input  logic         arvalid_i,
    output logic         arready_o,
    input  logic [ 63:0] araddr_i,
    input  logic [  7:0] arlen_i,
    output logic         rvalid_o,
    input  logic         rready_i,
    output logic [511:0] rdata_o,
    output logic [  1:0] rresp_o,

    output logic         m_axi_arvalid_o,
    input  logic         m_axi_arready_i,
    output logic [ 63:0] m_axi_araddr_o,
    output logic [  7:0] m_axi_arlen_o,
    input  logic         m_axi_rvalid_i,
    output logic         m_axi_rready_o,
    input  logic [511:0] m_axi_rdata_i,
    input  logic [  1:0] m_axi_rresp_i
);

    bertd_stream_register #(.WIDTH(72)) u_address (
        .clk_i, .rst_ni, .in_valid_i(arvalid_i), .in_ready_o(arready_o), .in_i({araddr_i, arlen_i}),
        .out_valid_o(m_axi_arvalid_o), .out_ready_i(m_axi_arready_i), .out_o({m_axi_araddr_o, m_axi_arlen_o})
    );
    bertd_stream_register #(.WIDTH(514)) u_data (
        .clk_i, .rst_ni, .in_valid_i(m_axi_rvalid_i), .in_ready_o(m_axi_rready_o), .in_i({m_axi_rdata_i, m_axi_rresp_i}),
        .out_valid_o(rvalid_o), .out_ready_i(rready_i), .out_o({rdata_o, rresp_o})
    );

endmodule
