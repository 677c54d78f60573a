// Data path: a memory's words (side words, rows) -> a stream for a vector slice or bertd_axi_writer.
// Makes the words of a memory that answers LATENCY cycles after the address a stream with valid and ready.
module bertd_ram_stream #(
    parameter int WIDTH = 32,
    parameter int LATENCY = 1
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             address_valid_i,  // the address itself goes straight to the memory
    output logic             address_ready_o,
    input  logic [WIDTH-1:0] read_data_i,
    output logic             out_valid_o,
    input  logic             out_ready_i,
    output logic [WIDTH-1:0] out_o
);

    // With so much room, one word a cycle passes.
    localparam int BITS = $clog2(LATENCY + 1) < 2 ? 2 : $clog2(LATENCY + 1);

    logic [BITS:0] used, held_q;       // in the FIFO; with those in flight
    logic [LATENCY-1:0] in_flight_q;
    logic room, ask;

    // A word in flight always finds room.
    assign address_ready_o = !held_q[BITS];
    assign ask = address_valid_i && address_ready_o;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            held_q <= '0;
            in_flight_q <= '0;
        end else begin
            held_q <= held_q + (BITS + 1)'(ask) - (BITS + 1)'(out_valid_o && out_ready_i);
            in_flight_q <= LATENCY'({in_flight_q, ask});
        end
    end

    bertd_stream_fifo #(
        .WIDTH(WIDTH),
        .DEPTH(1 << BITS)
    ) u_fifo (
        .clk_i,
        .rst_ni,
        .in_valid_i (in_flight_q[LATENCY-1]),
        .in_ready_o (room),
        .in_i       (read_data_i),
        .out_valid_o,
        .out_ready_i,
        .out_o,
        .used_o     (used)
    );

endmodule
