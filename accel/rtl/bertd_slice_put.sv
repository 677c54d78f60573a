// Data path: result buffer and inverse scales of bertd_slice_scale -> int8 words -> output of the slice.
// Quantises the words of the result buffer and puts them out.
module bertd_slice_put (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  logic                  cmd_valid_i,  // with the inverse scales of its rows
    input  bertd_pkg::slice_cmd_t cmd_i,
    output logic [           1:0] row_o,
    input  logic [          31:0] inverse_i,    // of row_o
    output logic                  read_o,
    input  logic [         511:0] data_i,       // bertd_pkg::BLOCK_LATENCY cycles after read_o
    output logic                  done_o,
    output logic                  q_valid_o,
    input  logic                  q_ready_i,
    output logic [         255:0] q_o
);

    localparam int LATENCY = bertd_pkg::BLOCK_LATENCY + bertd_pkg::FP_MUL_LATENCY + bertd_pkg::FP_TO_INT_LATENCY;

    // Words are read only where the FIFO has room for them.
    logic [4:0] credit_q;
    logic taken, group_end, first, last;
    logic [15:0] mask;
    assign read_o = cmd_valid_i && credit_q != 5'd0;
    assign done_o = read_o && group_end;
    assign taken = q_valid_o && q_ready_i;
    always_ff @(posedge clk_i) begin
        if (!rst_ni) credit_q <= 5'd16;
        else credit_q <= credit_q - 5'(read_o) + 5'(taken);
    end
    bertd_slice_walk u_walk (
        .clk_i,
        .rst_ni,
        .advance_i(read_o),
        .width_i  (cmd_i.width),
        .rows_i   (cmd_i.rows),
        .row_o,
        .first_o  (first),
        .last_o   (last),
        .end_o    (group_end),
        .mask_o   (mask)
    );

    logic [31:0] inverse;
    bertd_fp_delay #(
        .DEPTH(bertd_pkg::BLOCK_LATENCY)
    ) u_inverse (
        .clk_i,
        .en_i(1'b1),
        .d_i (inverse_i),
        .q_o (inverse)
    );
    logic valid, digits_clamp, digits;
    bertd_slice_valid #(
        .DEPTH(LATENCY - 1)
    ) u_clamp (
        .clk_i,
        .rst_ni,
        .valid_i(read_o),
        .tag_i  (cmd_i.kind == bertd_pkg::SLICE_SOFTMAX),
        .valid_o(valid),
        .tag_o  (digits_clamp)
    );
    logic valid_q;
    always_ff @(posedge clk_i) begin
        if (!rst_ni) valid_q <= 1'b0;
        else valid_q <= valid;
    end
    always_ff @(posedge clk_i) digits <= digits_clamp;

    logic [255:0] q;
    for (genvar l = 0; l < 16; l++) begin : g_lane
        logic [31:0] scaled;
        logic [15:0] integer_value;
        bertd_fp_mul u_scaled (
            .clk_i,
            .en_i(1'b1),
            .a_i (data_i[32*l+:32]),
            .b_i (inverse),
            .y_o (scaled)
        );
        bertd_fp_to_int u_integer (
            .clk_i,
            .en_i   (1'b1),
            .x_i    (scaled),
            .limit_i(digits_clamp ? 15'(bertd_pkg::ACCEL_PROBABILITY_MAX) : 15'd127),
            .y_o    (integer_value)
        );
        assign q[16*l+:16] = digits ? {1'b0, integer_value[13:7], 1'b0, integer_value[6:0]} : {8'd0, integer_value[7:0]};
        logic unused_lane;
        assign unused_lane = ^integer_value[15:14];
    end

    logic ready;
    logic [4:0] used;
    bertd_stream_fifo #(
        .WIDTH(256),
        .DEPTH(16)
    ) u_fifo (
        .clk_i,
        .rst_ni,
        .in_valid_i (valid_q),
        .in_ready_o (ready),
        .in_i       (q),
        .out_valid_o(q_valid_o),
        .out_ready_i(q_ready_i),
        .out_o      (q_o),
        .used_o     (used)
    );

    logic unused;
    assign unused = ^{first, last, mask, used, cmd_i};

`ifndef SYNTHESIS
    always_ff @(posedge clk_i) assert (!valid_q || ready);
`endif

endmodule
