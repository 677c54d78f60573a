// Data path: beats of the weights port -> weights for bertd_array; scales and biases for bertd_drain.
// Takes the beats that bertd_weight_fetch asked for: a panel's parameters into its slot, its weights into the ring,
// where the array reads them as often as it has tiles of rows.
module bertd_weight_ring #(
    parameter int PATHS = 1
) (
    input  logic                             clk_i,
    input  logic                             rst_ni,
    input  logic                             panel_valid_i,
    output logic                             panel_ready_o,
    input  logic [                     10:0] panel_groups_i,
    input  logic [                      1:0] panel_params_i,
    input  logic                             data_valid_i,
    output logic                             data_ready_o,
    input  logic [                    511:0] data_i,

    output logic [  bertd_pkg::RING_BITS:0] arrived_o,  // beats of weights so far, modulo twice the ring
    input  logic                             read_i,
    input  logic [bertd_pkg::RING_BITS-1:0] read_address_i,
    output logic [                    511:0] read_data_o,     // bertd_pkg::BLOCK_LATENCY cycles later

    input  logic [PATHS*bertd_pkg::PARAM_BITS-1:0] scale_slot_i,
    output logic [          PATHS*512-1:0] scale_o,           // bertd_pkg::DISTRIBUTED_LATENCY cycles later, as bias_o
    input  logic [bertd_pkg::PARAM_BITS-1:0] bias_slot_i,
    output logic [                    511:0] bias_o
);

    logic panel_valid, panel_done;
    logic [10:0] groups;
    logic [1:0] params;
    logic [10:0] group_q;  // beats of weights of this panel so far
    logic [1:0] param_q;
    logic [bertd_pkg::RING_BITS:0] arrived_q;
    logic [bertd_pkg::PARAM_BITS-1:0] slot_q;
    logic take, is_param;
    logic [bertd_pkg::PARAM_BITS:0] panels_used;

    bertd_stream_fifo #(
        .WIDTH(13),
        .DEPTH(bertd_pkg::PARAM_SLOTS)
    ) u_panels (
        .clk_i,
        .rst_ni,
        .in_valid_i (panel_valid_i),
        .in_ready_o (panel_ready_o),
        .in_i       ({panel_groups_i, panel_params_i}),
        .out_valid_o(panel_valid),
        .out_ready_i(panel_done),
        .out_o      ({groups, params}),
        .used_o     (panels_used)
    );

    assign data_ready_o = panel_valid;
    assign take = data_valid_i && data_ready_o;
    assign is_param = param_q != params;
    assign panel_done = take && !is_param && group_q == groups - 11'd1;
    assign arrived_o = arrived_q;

    bertd_ram_1r1w #(
        .WIDTH(512),
        .DEPTH(bertd_pkg::RING_BEATS),
        .LATENCY(bertd_pkg::BLOCK_LATENCY)
    ) u_ring (
        .clk_i,
        .write_i        (take && !is_param),
        .write_address_i(arrived_q[bertd_pkg::RING_BITS-1:0]),
        .write_data_i   (data_i),
        .read_i,
        .read_address_i,
        .read_data_o
    );

    for (genvar w = 0; w < PATHS; w++) begin : gen_path
        bertd_ram_1r1w #(
            .WIDTH(512),
            .DEPTH(bertd_pkg::PARAM_SLOTS),
            .RAM_STYLE("distributed"),
            .LATENCY(bertd_pkg::DISTRIBUTED_LATENCY)
        ) u_scales (
            .clk_i,
            .write_i        (take && is_param && param_q == 2'd0),
            .write_address_i(slot_q),
            .write_data_i   (data_i),
            .read_i         (1'b1),
            .read_address_i (scale_slot_i[w*bertd_pkg::PARAM_BITS+:bertd_pkg::PARAM_BITS]),
            .read_data_o    (scale_o[w*512+:512])
        );
    end
    bertd_ram_1r1w #(
        .WIDTH(512),
        .DEPTH(bertd_pkg::PARAM_SLOTS),
        .RAM_STYLE("distributed"),
        .LATENCY(bertd_pkg::DISTRIBUTED_LATENCY)
    ) u_biases (
        .clk_i,
        .write_i        (take && is_param && param_q == 2'd1),
        .write_address_i(slot_q),
        .write_data_i   (data_i),
        .read_i         (1'b1),
        .read_address_i (bias_slot_i),
        .read_data_o    (bias_o)
    );

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            group_q <= '0;
            param_q <= '0;
            arrived_q <= '0;
            slot_q <= '0;
        end else if (take) begin
            if (is_param) begin
                param_q <= param_q + 2'd1;
            end else begin
                arrived_q <= arrived_q + 1'b1;
                group_q <= panel_done ? '0 : group_q + 11'd1;
                if (panel_done) begin
                    param_q <= '0;
                    slot_q <= slot_q + 1'b1;
                end
            end
        end
    end

endmodule
