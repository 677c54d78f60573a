// Data path: words of one pass over a group -> the next pass: the row buffer and the result buffer of a slice.
// A ring of words with one writer and one reader; a word read comes bertd_pkg::BLOCK_LATENCY cycles later. Room is
// counted from when a word is promised (a pipeline before it is written), and the reader reads what it knows to be
// there. It may rewind to the beginning of what it has not released.
module bertd_slice_buffer #(
    parameter int DEPTH = 1024
) (
    input  logic         clk_i,
    input  logic         rst_ni,
    output logic         space_o,
    input  logic         promise_i,
    input  logic         write_i,
    input  logic [511:0] write_data_i,
    input  logic         read_i,
    input  logic         release_i,     // the word read is not needed again
    input  logic         rewind_i,      // the next word to read is the first that was not released
    output logic [511:0] read_data_o,
    output logic         error_o        // a word that was read has changed
);

    localparam int BITS = $clog2(DEPTH);

    logic [BITS:0] used_q;
    logic [BITS-1:0] write_q, read_q, released_q;
    assign space_o = !used_q[BITS];
    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            used_q <= '0;
            write_q <= '0;
            read_q <= '0;
            released_q <= '0;
        end else begin
            used_q <= used_q + (BITS + 1)'(promise_i) - (BITS + 1)'(release_i);
            write_q <= write_q + BITS'(write_i);
            released_q <= released_q + BITS'(release_i);
            if (rewind_i) read_q <= released_q;
            else read_q <= read_q + BITS'(read_i);
        end
    end

    bertd_ram_guarded #(
        .WIDTH(512),
        .DEPTH(DEPTH),
        .LATENCY(bertd_pkg::BLOCK_LATENCY)
    ) u_ram (
        .clk_i,
        .rst_ni,
        .write_i,
        .write_address_i(write_q),
        .write_data_i,
        .read_i,
        .read_address_i (read_q),
        .read_data_o,
        .error_o
    );

endmodule
