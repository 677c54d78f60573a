// Data path: binary32 rows of bertd_drain, bertd_row_load or NORM -> vector lanes, residual, bertd_row_store.
// binary32 rows in words of 16, a bank for each vector lane: group g of four rows lies in bank g % SLICES. One writer
// by row; one writer and one reader a bank (their rows counted within the bank).
module bertd_row_memory #(
    parameter int SLICES = 1,
    parameter int WORDS = 64,
    localparam int WORD_BITS = $clog2(WORDS),
    localparam int SLICE_BITS = $clog2(SLICES),
    localparam int ADDRESS = bertd_pkg::ROW_BITS - SLICE_BITS + WORD_BITS
) (
    input  logic                      clk_i,
    input  logic                      write_i,
    input  logic [               8:0] write_row_i,
    input  logic [     WORD_BITS-1:0] write_word_i,
    input  logic [             511:0] write_data_i,
    input  logic [        SLICES-1:0] bank_write_i,
    input  logic [SLICES*ADDRESS-1:0] bank_write_address_i,  // {row of the bank, word}
    input  logic [    SLICES*512-1:0] bank_write_data_i,
    input  logic [        SLICES-1:0] bank_read_i,
    input  logic [SLICES*ADDRESS-1:0] bank_read_address_i,
    output logic [    SLICES*512-1:0] bank_read_data_o
);

    logic [8:0] bank, bank_row;
    assign bank = (write_row_i >> 2) & 9'(SLICES - 1);
    assign bank_row = ((write_row_i >> (2 + SLICE_BITS)) << 2) | 9'(write_row_i[1:0]);

    for (genvar s = 0; s < SLICES; s++) begin : gen_bank
        logic hit;
        assign hit = write_i && bank == 9'(s);

        bertd_ram_1r1w #(
            .WIDTH(512),
            .DEPTH(1 << ADDRESS)
        ) u_ram (
            .clk_i,
            .write_i        (hit || bank_write_i[s]),
            .write_address_i(hit ? {bank_row[bertd_pkg::ROW_BITS-SLICE_BITS-1:0], write_word_i} : bank_write_address_i[s*ADDRESS+:ADDRESS]),
            .write_data_i   (hit ? write_data_i : bank_write_data_i[s*512+:512]),
            .read_i         (bank_read_i[s]),
            .read_address_i (bank_read_address_i[s*ADDRESS+:ADDRESS]),
            .read_data_o    (bank_read_data_o[s*512+:512])
        );
    end

`ifndef SYNTHESIS
    // Nobody writes where another writer does.
    always_ff @(posedge clk_i) begin
        for (int s = 0; s < SLICES; s++) assert (!(write_i && bank == 9'(s) && bank_write_i[s]));
    end
`endif

endmodule
