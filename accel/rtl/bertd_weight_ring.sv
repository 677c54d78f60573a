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
    input  logic                             panel_adds_i,   // its weights are part of a check panel's sums
    input  logic                             panel_first_i,  // the first of them
    input  logic                             panel_check_i,  // it is that check panel
    input  logic                             data_valid_i,
    output logic                             data_ready_o,
    input  logic [                    511:0] data_i,

    output logic [  bertd_pkg::RING_BITS:0] arrived_o,  // beats of weights so far, modulo twice the ring
    input  logic                             read_i,
    input  logic [bertd_pkg::RING_BITS-1:0] read_address_i,
    output logic [                    511:0] read_data_o,     // bertd_pkg::ULTRA_LATENCY cycles later

    input  logic [              PATHS-1:0] scale_read_i,
    input  logic [PATHS*bertd_pkg::PARAM_BITS-1:0] scale_slot_i,
    output logic [          PATHS*512-1:0] scale_o,           // bertd_pkg::DISTRIBUTED_LATENCY cycles later, as bias_o
    input  logic                             bias_read_i,
    input  logic [bertd_pkg::PARAM_BITS-1:0] bias_slot_i,
    output logic [                    511:0] bias_o,
    output logic                             param_error_o  // a scale or a bias that was read has changed
);

    logic panel_valid, panel_done, adds, first, check, check_valid, check_done, store;
    logic [511:0] check_beat;
    logic [10:0] groups;
    logic [1:0] params;
    logic [10:0] group_q;  // beats of weights of this panel so far
    logic [1:0] param_q;
    logic [bertd_pkg::RING_BITS:0] arrived_q;
    logic [bertd_pkg::PARAM_BITS-1:0] slot_q;
    logic take, is_param;
    logic [bertd_pkg::PARAM_BITS:0] panels_used;
    logic [PATHS:0] param_error;

    bertd_stream_fifo #(
        .WIDTH(16),
        .DEPTH(bertd_pkg::PARAM_SLOTS)
    ) u_panels (
        .clk_i,
        .rst_ni,
        .in_valid_i (panel_valid_i),
        .in_ready_o (panel_ready_o),
        .in_i       ({panel_groups_i, panel_params_i, panel_adds_i, panel_first_i, panel_check_i}),
        .out_valid_o(panel_valid),
        .out_ready_i(panel_done),
        .out_o      ({groups, params, adds, first, check}),
        .used_o     (panels_used)
    );

    assign data_ready_o = panel_valid && !check;
    assign take = data_valid_i && data_ready_o;
    assign is_param = param_q != params;
    assign store = take && !is_param || check_valid;
    assign panel_done = check_done || (take && !is_param && group_q == groups - 11'd1);
    assign arrived_o = arrived_q;

    bertd_ram_1r1w #(
        .WIDTH(512),
        .DEPTH(bertd_pkg::RING_BEATS),
        .RAM_STYLE("ultra"),
        .LATENCY(bertd_pkg::ULTRA_LATENCY)
    ) u_ring (
        .clk_i,
        .write_i        (store),
        .write_address_i(arrived_q[bertd_pkg::RING_BITS-1:0]),
        .write_data_i   (check_valid ? check_beat : data_i),
        .read_i,
        .read_address_i,
        .read_data_o
    );

    bertd_check_panel u_check (
        .clk_i,
        .rst_ni,
        .valid_i (take && !is_param && adds),
        .group_i (group_q[6:0]),
        .first_i (first),
        .beat_i  (data_i),
        .make_i  (panel_valid && check),
        .groups_i(groups),
        .valid_o (check_valid),
        .beat_o  (check_beat),
        .done_o  (check_done)
    );

    for (genvar w = 0; w < PATHS; w++) begin : gen_path
        bertd_ram_guarded #(
            .WIDTH(512),
            .DEPTH(bertd_pkg::PARAM_SLOTS),
            .RAM_STYLE("distributed"),
            .LATENCY(bertd_pkg::DISTRIBUTED_LATENCY)
        ) u_scales (
            .clk_i,
            .rst_ni,
            .write_i        (take && is_param && param_q == 2'd0),
            .write_address_i(slot_q),
            .write_data_i   (data_i),
            .read_i         (scale_read_i[w]),
            .read_address_i (scale_slot_i[w*bertd_pkg::PARAM_BITS+:bertd_pkg::PARAM_BITS]),
            .read_data_o    (scale_o[w*512+:512]),
            .error_o        (param_error[w])
        );
    end
    bertd_ram_guarded #(
        .WIDTH(512),
        .DEPTH(bertd_pkg::PARAM_SLOTS),
        .RAM_STYLE("distributed"),
        .LATENCY(bertd_pkg::DISTRIBUTED_LATENCY)
    ) u_biases (
        .clk_i,
        .rst_ni,
        .write_i        (take && is_param && param_q == 2'd1),
        .write_address_i(slot_q),
        .write_data_i   (data_i),
        .read_i         (bias_read_i),
        .read_address_i (bias_slot_i),
        .read_data_o    (bias_o),
        .error_o        (param_error[PATHS])
    );
    assign param_error_o = param_error != '0;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            group_q <= '0;
            param_q <= '0;
            arrived_q <= '0;
            slot_q <= '0;
        end else begin
            if (take && is_param) param_q <= param_q + 2'd1;
            if (store) arrived_q <= arrived_q + 1'b1;
            if (take && !is_param) group_q <= group_q + 11'd1;
            if (panel_done) begin
                group_q <= '0;
                param_q <= '0;
                slot_q <= slot_q + 1'b1;
            end
        end
    end

endmodule
