// Data path: a memory's words (side words, rows) -> a stream for a vector slice or bertd_axi_writer.
// Makes the words of a memory that answers a cycle after the address a stream with valid and ready.
module bertd_ram_stream #(
    parameter int WIDTH = 32
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

    logic [2:0] used;
    logic in_flight_q, room;

    // A word in flight always finds room.
    assign address_ready_o = used + 3'(in_flight_q) < 3'd4;

    always_ff @(posedge clk_i or negedge rst_ni) begin
        if (!rst_ni) in_flight_q <= 1'b0;
        else in_flight_q <= address_valid_i && address_ready_o;
    end

    bertd_stream_fifo #(
        .WIDTH(WIDTH),
        .DEPTH(4)
    ) u_fifo (
        .clk_i,
        .rst_ni,
        .in_valid_i (in_flight_q),
        .in_ready_o (room),
        .in_i       (read_data_i),
        .out_valid_o,
        .out_ready_i,
        .out_o,
        .used_o     (used)
    );

endmodule
