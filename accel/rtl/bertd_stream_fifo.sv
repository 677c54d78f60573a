// Data path: a stream -> the same stream, for a reader that may wait.
// First in, first out, with valid and ready on both sides. DEPTH is a power of two.
module bertd_stream_fifo #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 4,
    localparam int BITS = $clog2(DEPTH)
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             in_valid_i,
    output logic             in_ready_o,
    input  logic [WIDTH-1:0] in_i,
    output logic             out_valid_o,
    input  logic             out_ready_i,
    output logic [WIDTH-1:0] out_o,
    output logic [   BITS:0] used_o
);

    (* ram_style = "distributed" *) logic [WIDTH-1:0] words[0:DEPTH-1];
    logic [BITS:0] head_q, tail_q;

    assign used_o = tail_q - head_q;
    assign in_ready_o = !used_o[BITS];
    assign out_valid_o = used_o != '0;
    assign out_o = words[head_q[BITS-1:0]];

    always_ff @(posedge clk_i) begin
        if (in_valid_i && in_ready_o) words[tail_q[BITS-1:0]] <= in_i;
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            head_q <= '0;
            tail_q <= '0;
        end else begin
            if (in_valid_i && in_ready_o) tail_q <= tail_q + 1'b1;
            if (out_valid_o && out_ready_i) head_q <= head_q + 1'b1;
        end
    end

endmodule
