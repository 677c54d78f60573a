// Data path: jobs of bertd_sequencer -> the unit that does them.
// Jobs waiting for their unit.
module bertd_job_queue #(
    parameter int WIDTH = 8
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             in_valid_i,
    output logic             in_ready_o,
    input  logic [WIDTH-1:0] in_i,
    output logic             out_valid_o,
    input  logic             out_ready_i,
    output logic [WIDTH-1:0] out_o
);

    logic [4:0] used;

    bertd_stream_fifo #(
        .WIDTH(WIDTH),
        .DEPTH(16)
    ) u_fifo (
        .clk_i,
        .rst_ni,
        .in_valid_i,
        .in_ready_o,
        .in_i,
        .out_valid_o,
        .out_ready_i,
        .out_o,
        .used_o(used)
    );

endmodule
