// NEVER RUN THROUGH VIVADO HERE. bertd_engine with the port names an RTL kernel must have; what the engine has no need
// of (burst size and kind, caching, protection) is tied here.
`default_nettype none
module bertd_kernel #(
    parameter ROWS = 64,
    parameter SLICES = 2
) (
    input  wire ap_clk,
    input  wire ap_rst_n,
    output wire interrupt,
    input  wire s_axi_control_awvalid,
    output wire s_axi_control_awready,
    input  wire [7:0] s_axi_control_awaddr,
    input  wire s_axi_control_wvalid,
    output wire s_axi_control_wready,
    input  wire [31:0] s_axi_control_wdata,
    input  wire [3:0] s_axi_control_wstrb,
    output wire s_axi_control_bvalid,
    input  wire s_axi_control_bready,
    output wire [1:0] s_axi_control_bresp,
    input  wire s_axi_control_arvalid,
    output wire s_axi_control_arready,
    input  wire [7:0] s_axi_control_araddr,
    output wire s_axi_control_rvalid,
    input  wire s_axi_control_rready,
    output wire [31:0] s_axi_control_rdata,
    output wire [1:0] s_axi_control_rresp,
    output wire m_axi_weights_arvalid,
    input  wire m_axi_weights_arready,
    output wire [63:0] m_axi_weights_araddr,
    output wire [7:0] m_axi_weights_arlen,
    input  wire m_axi_weights_rvalid,
    output wire m_axi_weights_rready,
    input  wire [511:0] m_axi_weights_rdata,
    input  wire [1:0] m_axi_weights_rresp,
    output wire m_axi_data_arvalid,
    input  wire m_axi_data_arready,
    output wire [63:0] m_axi_data_araddr,
    output wire [7:0] m_axi_data_arlen,
    input  wire m_axi_data_rvalid,
    output wire m_axi_data_rready,
    input  wire [511:0] m_axi_data_rdata,
    input  wire [1:0] m_axi_data_rresp,
    output wire m_axi_data_awvalid,
    input  wire m_axi_data_awready,
    output wire [63:0] m_axi_data_awaddr,
    output wire [7:0] m_axi_data_awlen,
    output wire m_axi_data_wvalid,
    input  wire m_axi_data_wready,
    output wire [511:0] m_axi_data_wdata,
    output wire [63:0] m_axi_data_wstrb,
    output wire m_axi_data_wlast,
    input  wire m_axi_data_bvalid,
    output wire m_axi_data_bready,
    input  wire [1:0] m_axi_data_bresp,
    output wire [2:0] m_axi_weights_arsize,
    output wire [1:0] m_axi_weights_arburst,
    output wire [3:0] m_axi_weights_arcache,
    output wire [2:0] m_axi_weights_arprot,
    output wire [2:0] m_axi_data_arsize,
    output wire [1:0] m_axi_data_arburst,
    output wire [3:0] m_axi_data_arcache,
    output wire [2:0] m_axi_data_arprot,
    output wire [2:0] m_axi_data_awsize,
    output wire [1:0] m_axi_data_awburst,
    output wire [3:0] m_axi_data_awcache,
    output wire [2:0] m_axi_data_awprot,
    input  wire m_axi_weights_rlast,
    input  wire m_axi_data_rlast
);

    assign m_axi_weights_arsize = 3'd6;
    assign m_axi_weights_arburst = 2'd1;
    assign m_axi_weights_arcache = 4'd3;
    assign m_axi_weights_arprot = 3'd0;
    assign m_axi_data_arsize = 3'd6;
    assign m_axi_data_arburst = 2'd1;
    assign m_axi_data_arcache = 4'd3;
    assign m_axi_data_arprot = 3'd0;
    assign m_axi_data_awsize = 3'd6;
    assign m_axi_data_awburst = 2'd1;
    assign m_axi_data_awcache = 4'd3;
    assign m_axi_data_awprot = 3'd0;

    bertd_engine #(
        .ROWS(ROWS),
        .SLICES(SLICES)
    ) engine (
        .clk_i(ap_clk),
        .rst_ni(ap_rst_n),
        .interrupt_o(interrupt),
        .s_axi_awvalid_i(s_axi_control_awvalid),
        .s_axi_awready_o(s_axi_control_awready),
        .s_axi_awaddr_i(s_axi_control_awaddr),
        .s_axi_wvalid_i(s_axi_control_wvalid),
        .s_axi_wready_o(s_axi_control_wready),
        .s_axi_wdata_i(s_axi_control_wdata),
        .s_axi_wstrb_i(s_axi_control_wstrb),
        .s_axi_bvalid_o(s_axi_control_bvalid),
        .s_axi_bready_i(s_axi_control_bready),
        .s_axi_bresp_o(s_axi_control_bresp),
        .s_axi_arvalid_i(s_axi_control_arvalid),
        .s_axi_arready_o(s_axi_control_arready),
        .s_axi_araddr_i(s_axi_control_araddr),
        .s_axi_rvalid_o(s_axi_control_rvalid),
        .s_axi_rready_i(s_axi_control_rready),
        .s_axi_rdata_o(s_axi_control_rdata),
        .s_axi_rresp_o(s_axi_control_rresp),
        .m_axi_weights_arvalid_o(m_axi_weights_arvalid),
        .m_axi_weights_arready_i(m_axi_weights_arready),
        .m_axi_weights_araddr_o(m_axi_weights_araddr),
        .m_axi_weights_arlen_o(m_axi_weights_arlen),
        .m_axi_weights_rvalid_i(m_axi_weights_rvalid),
        .m_axi_weights_rready_o(m_axi_weights_rready),
        .m_axi_weights_rdata_i(m_axi_weights_rdata),
        .m_axi_weights_rresp_i(m_axi_weights_rresp),
        .m_axi_data_arvalid_o(m_axi_data_arvalid),
        .m_axi_data_arready_i(m_axi_data_arready),
        .m_axi_data_araddr_o(m_axi_data_araddr),
        .m_axi_data_arlen_o(m_axi_data_arlen),
        .m_axi_data_rvalid_i(m_axi_data_rvalid),
        .m_axi_data_rready_o(m_axi_data_rready),
        .m_axi_data_rdata_i(m_axi_data_rdata),
        .m_axi_data_rresp_i(m_axi_data_rresp),
        .m_axi_data_awvalid_o(m_axi_data_awvalid),
        .m_axi_data_awready_i(m_axi_data_awready),
        .m_axi_data_awaddr_o(m_axi_data_awaddr),
        .m_axi_data_awlen_o(m_axi_data_awlen),
        .m_axi_data_wvalid_o(m_axi_data_wvalid),
        .m_axi_data_wready_i(m_axi_data_wready),
        .m_axi_data_wdata_o(m_axi_data_wdata),
        .m_axi_data_wstrb_o(m_axi_data_wstrb),
        .m_axi_data_wlast_o(m_axi_data_wlast),
        .m_axi_data_bvalid_i(m_axi_data_bvalid),
        .m_axi_data_bready_o(m_axi_data_bready),
        .m_axi_data_bresp_i(m_axi_data_bresp)
    );

endmodule
`default_nettype wire
