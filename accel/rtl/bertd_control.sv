// Data path: the host's AXI4-Lite port -> start of a list -> bertd_command_fetch; status and counters back.
// AXI4-Lite registers (schemas/accel.json), control as ap_ctrl_hs has it. The argument `weights` is only held: by it the
// linker and XRT know which memory the port of the weights reaches; commands have the addresses themselves.
module bertd_control #(
    parameter int ROWS = 4,
    parameter int SLICES = 1
) (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic        s_axi_awvalid_i,
    output logic        s_axi_awready_o,
    input  logic [ 7:0] s_axi_awaddr_i,
    input  logic        s_axi_wvalid_i,
    output logic        s_axi_wready_o,
    input  logic [31:0] s_axi_wdata_i,
    input  logic [ 3:0] s_axi_wstrb_i,
    output logic        s_axi_bvalid_o,
    input  logic        s_axi_bready_i,
    output logic [ 1:0] s_axi_bresp_o,
    input  logic        s_axi_arvalid_i,
    output logic        s_axi_arready_o,
    input  logic [ 7:0] s_axi_araddr_i,
    output logic        s_axi_rvalid_o,
    input  logic        s_axi_rready_i,
    output logic [31:0] s_axi_rdata_o,
    output logic [ 1:0] s_axi_rresp_o,
    output logic        interrupt_o,

    output logic        start_o,
    output logic [63:0] list_o,
    output logic [31:0] count_o,
    output logic [63:0] record_o,
    input  logic        busy_i,
    input  logic        done_i,
    input  logic [ 2:0] status_i,
    input  logic [31:0] failed_i,
    input  logic [10:0] layer_i,
    input  logic [511:0] counters_i   // eight of 64 bits, in the order of the registers
);

    logic [63:0] list_q, record_q, weights_q;
    logic [31:0] count_q, read_data, mask;
    logic [7:0] write_address_q, read_address;
    logic start_q, done_q, ready_q, restart_q, global_q;
    logic [1:0] enable_q, interrupt_q;
    logic awake_q, have_address_q, write, read, write_control;

    assign s_axi_bresp_o = 2'b00;
    assign s_axi_rresp_o = 2'b00;
    assign s_axi_awready_o = awake_q && !have_address_q && !s_axi_bvalid_o;
    assign s_axi_wready_o = have_address_q;
    assign write = s_axi_wvalid_i && s_axi_wready_o;
    assign s_axi_arready_o = awake_q && !s_axi_rvalid_o;
    assign read = s_axi_arvalid_i && s_axi_arready_o;
    assign read_address = {s_axi_araddr_i[7:2], 2'b00};
    assign mask = {{8{s_axi_wstrb_i[3]}}, {8{s_axi_wstrb_i[2]}}, {8{s_axi_wstrb_i[1]}}, {8{s_axi_wstrb_i[0]}}};
    assign write_control = write && s_axi_wstrb_i[0] && write_address_q == 8'(bertd_pkg::ACCEL_REGISTER_CONTROL);
    assign interrupt_o = global_q && interrupt_q != '0;
    assign start_o = start_q && !busy_i;
    assign list_o = list_q;
    assign count_o = count_q;
    assign record_o = record_q;

    always_comb begin
        read_data = '0;
        unique case (read_address)
            8'(bertd_pkg::ACCEL_REGISTER_CONTROL):
            read_data = {24'd0, restart_q, 3'd0, ready_q, !busy_i && !start_q, done_q, start_q};
            8'(bertd_pkg::ACCEL_REGISTER_INTERRUPT_GLOBAL): read_data = 32'(global_q);
            8'(bertd_pkg::ACCEL_REGISTER_INTERRUPT_ENABLE): read_data = 32'(enable_q);
            8'(bertd_pkg::ACCEL_REGISTER_INTERRUPT_STATUS): read_data = 32'(interrupt_q);
            8'(bertd_pkg::ACCEL_REGISTER_LIST_LOW): read_data = list_q[31:0];
            8'(bertd_pkg::ACCEL_REGISTER_LIST_HIGH): read_data = list_q[63:32];
            8'(bertd_pkg::ACCEL_REGISTER_LIST_COUNT): read_data = count_q;
            8'(bertd_pkg::ACCEL_REGISTER_RECORD_LOW): read_data = record_q[31:0];
            8'(bertd_pkg::ACCEL_REGISTER_RECORD_HIGH): read_data = record_q[63:32];
            8'(bertd_pkg::ACCEL_REGISTER_WEIGHTS_LOW): read_data = weights_q[31:0];
            8'(bertd_pkg::ACCEL_REGISTER_WEIGHTS_HIGH): read_data = weights_q[63:32];
            8'(bertd_pkg::ACCEL_REGISTER_STATUS): read_data = 32'(status_i);
            8'(bertd_pkg::ACCEL_REGISTER_FAILED): read_data = failed_i;
            8'(bertd_pkg::ACCEL_REGISTER_LAYER): read_data = 32'(layer_i);
            8'(bertd_pkg::ACCEL_REGISTER_VERSION): read_data = 32'(bertd_pkg::ACCEL_ENGINE_VERSION);
            8'(bertd_pkg::ACCEL_REGISTER_GEOMETRY): read_data = {16'(SLICES), 16'(ROWS)};
            default:
            for (int i = 0; i < 16; i++) begin
                if (read_address == 8'(bertd_pkg::ACCEL_REGISTER_CYCLES_LOW) + 8'(i * 4)) begin
                    read_data = counters_i[i*32+:32];
                end
            end
        endcase
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            awake_q <= 1'b0;
            have_address_q <= 1'b0;
            write_address_q <= '0;
            s_axi_bvalid_o <= 1'b0;
            s_axi_rvalid_o <= 1'b0;
            s_axi_rdata_o <= '0;
        end else begin
            awake_q <= 1'b1;
            if (s_axi_awvalid_i && s_axi_awready_o) begin
                have_address_q <= 1'b1;
                write_address_q <= {s_axi_awaddr_i[7:2], 2'b00};
            end
            if (write) begin
                have_address_q <= 1'b0;
                s_axi_bvalid_o <= 1'b1;
            end else if (s_axi_bready_i) begin
                s_axi_bvalid_o <= 1'b0;
            end
            if (read) begin
                s_axi_rvalid_o <= 1'b1;
                s_axi_rdata_o <= read_data;
            end else if (s_axi_rready_i) begin
                s_axi_rvalid_o <= 1'b0;
            end
        end
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            start_q <= 1'b0;
            done_q <= 1'b0;
            ready_q <= 1'b0;
            restart_q <= 1'b0;
            global_q <= 1'b0;
            enable_q <= '0;
            interrupt_q <= '0;
            list_q <= '0;
            count_q <= '0;
            record_q <= '0;
            weights_q <= '0;
        end else begin
            if (start_o) start_q <= 1'b0;
            if (read && read_address == 8'(bertd_pkg::ACCEL_REGISTER_CONTROL)) begin
                done_q <= 1'b0;
                ready_q <= 1'b0;
            end
            if (write_control) begin
                if (s_axi_wdata_i[0]) start_q <= 1'b1;
                restart_q <= s_axi_wdata_i[7];
            end
            if (write) begin
                unique case (write_address_q)
                    8'(bertd_pkg::ACCEL_REGISTER_INTERRUPT_GLOBAL): if (s_axi_wstrb_i[0]) global_q <= s_axi_wdata_i[0];
                    8'(bertd_pkg::ACCEL_REGISTER_INTERRUPT_ENABLE):
                    if (s_axi_wstrb_i[0]) enable_q <= s_axi_wdata_i[1:0];
                    8'(bertd_pkg::ACCEL_REGISTER_LIST_LOW):
                    list_q[31:0] <= (list_q[31:0] & ~mask) | (s_axi_wdata_i & mask);
                    8'(bertd_pkg::ACCEL_REGISTER_LIST_HIGH):
                    list_q[63:32] <= (list_q[63:32] & ~mask) | (s_axi_wdata_i & mask);
                    8'(bertd_pkg::ACCEL_REGISTER_LIST_COUNT): count_q <= (count_q & ~mask) | (s_axi_wdata_i & mask);
                    8'(bertd_pkg::ACCEL_REGISTER_RECORD_LOW):
                    record_q[31:0] <= (record_q[31:0] & ~mask) | (s_axi_wdata_i & mask);
                    8'(bertd_pkg::ACCEL_REGISTER_RECORD_HIGH):
                    record_q[63:32] <= (record_q[63:32] & ~mask) | (s_axi_wdata_i & mask);
                    8'(bertd_pkg::ACCEL_REGISTER_WEIGHTS_LOW):
                    weights_q[31:0] <= (weights_q[31:0] & ~mask) | (s_axi_wdata_i & mask);
                    8'(bertd_pkg::ACCEL_REGISTER_WEIGHTS_HIGH):
                    weights_q[63:32] <= (weights_q[63:32] & ~mask) | (s_axi_wdata_i & mask);
                    default: ;
                endcase
            end
            if (write && s_axi_wstrb_i[0] && write_address_q == 8'(bertd_pkg::ACCEL_REGISTER_INTERRUPT_STATUS)) begin
                interrupt_q <= interrupt_q ^ s_axi_wdata_i[1:0];
            end
            if (done_i) begin
                done_q <= 1'b1;
                ready_q <= 1'b1;
                if (restart_q) start_q <= 1'b1;
                interrupt_q <= interrupt_q | enable_q;
            end
        end
    end

endmodule
