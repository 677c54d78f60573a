// Data path: divisions of bertd_slice_factor and bertd_slice_scale -> quotients for the same.
// One divider for a slice. A group asks for four or eight divisions in the time that its words take, so askers wait for
// each other a few cycles, and each gets its quotients in order. The first asker goes first.
module bertd_slice_divide #(
    parameter int ASKERS = 1,
    localparam int TAG = 3
) (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  logic [    ASKERS-1:0] valid_i,
    input  logic [ASKERS*TAG-1:0] tag_i,
    input  logic [ ASKERS*32-1:0] a_i,
    input  logic [ ASKERS*32-1:0] b_i,
    output logic [    ASKERS-1:0] valid_o,
    output logic [       TAG-1:0] tag_o,    // of whichever is valid
    output logic [          31:0] y_o
);

    localparam int ASK = TAG + 64;
    localparam int WAITING = 8;

    logic [ASKERS-1:0] ready, waiting, taken;
    logic [ASKERS*ASK-1:0] asks;
    logic [ASK-1:0] ask;

    for (genvar i = 0; i < ASKERS; i++) begin : gen_asker
        logic [$clog2(WAITING):0] used;
        bertd_stream_fifo #(
            .WIDTH(ASK),
            .DEPTH(WAITING)
        ) u_asks (
            .clk_i,
            .rst_ni,
            .in_valid_i (valid_i[i]),
            .in_ready_o (ready[i]),
            .in_i       ({tag_i[TAG*i+:TAG], a_i[32*i+:32], b_i[32*i+:32]}),
            .out_valid_o(waiting[i]),
            .out_ready_i(taken[i]),
            .out_o      (asks[ASK*i+:ASK]),
            .used_o     (used)
        );
        logic unused;
        assign unused = ^used;
    end

    assign taken = waiting & (~waiting + 1'b1);
    always_comb begin
        ask = '0;
        for (int i = 0; i < ASKERS; i++) if (taken[i]) ask = ask | asks[ASK*i+:ASK];
    end

    bertd_fp_div u_divide (
        .clk_i,
        .en_i(1'b1),
        .a_i (ask[63:32]),
        .b_i (ask[31:0]),
        .y_o
    );
    for (genvar i = 0; i < ASKERS; i++) begin : gen_valid
        logic unused;
        bertd_slice_valid #(
            .DEPTH(bertd_pkg::FP_DIV_LATENCY)
        ) u_valid (
            .clk_i,
            .rst_ni,
            .valid_i(taken[i]),
            .tag_i  (1'b0),
            .valid_o(valid_o[i]),
            .tag_o  (unused)
        );
    end
    bertd_fp_delay #(
        .WIDTH(TAG),
        .DEPTH(bertd_pkg::FP_DIV_LATENCY)
    ) u_tag (
        .clk_i,
        .en_i(1'b1),
        .d_i (ask[64+:TAG]),
        .q_o (tag_o)
    );

`ifndef SYNTHESIS
    always_ff @(posedge clk_i) assert ((valid_i & ~ready) == '0);
`endif

    logic unused;
    assign unused = ^ready;

endmodule
