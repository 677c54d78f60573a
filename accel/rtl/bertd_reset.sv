// Data path: the card's reset -> each part's, through registers; beside all data.
// A reset that is synchronous, however short it was, lasts long enough that what is in a line without a reset has come out
// of it, and arrives everywhere in the same cycle. Ports are reset at once and let go before the parts behind them.
module bertd_reset #(
    parameter int PARTS = 4
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    output logic             ports_no,
    output logic [PARTS-1:0] parts_no
);

    localparam int CYCLES = bertd_pkg::RESET_CYCLES;

    logic [$clog2(CYCLES)-1:0] left_q;
    logic over;

    if (CYCLES <= bertd_pkg::FANOUT_STAGES + bertd_pkg::ARRAY_ROW_LATENCY + bertd_pkg::CROSSING_STAGES)
        $error("a reset of %0d cycles ends before the lines without one are empty", CYCLES);

    assign over = left_q == '0;
    assign ports_no = rst_ni && over;
    always_ff @(posedge clk_i) begin
        if (!rst_ni) left_q <= '1;
        else if (!over) left_q <= left_q - 1'b1;
    end

    bertd_fanout #(
        .COPIES(PARTS)
    ) u_parts (
        .clk_i,
        .in_i (ports_no),
        .out_o(parts_no)
    );

endmodule
