// Data path: a stream -> the same stream, a cycle later.
// A register on valid and payload, and one on ready: no path goes through. A word a cycle passes.
module bertd_stream_register #(
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

    // The spare word is what came when the reader no longer took any.
    logic ready_q, valid_q;
    logic [WIDTH-1:0] word_q, spare_q;
    logic spare;

    assign in_ready_o = ready_q;
    assign out_valid_o = valid_q;
    assign out_o = word_q;
    assign spare = valid_q && !ready_q;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            ready_q <= 1'b0;
            valid_q <= 1'b0;
        end else if (!valid_q || out_ready_i) begin
            ready_q <= 1'b1;
            valid_q <= spare || (in_valid_i && ready_q);
        end else begin
            ready_q <= ready_q && !in_valid_i;
        end
    end

    always_ff @(posedge clk_i) begin
        if (!valid_q || out_ready_i) word_q <= spare ? spare_q : in_i;
        if (ready_q) spare_q <= in_i;
    end

endmodule
