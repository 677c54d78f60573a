// Data path: binary32 rows of bertd_drain, bertd_row_load or NORM -> vector lanes, residual, bertd_row_store.
// binary32 rows in words of 16, a bank for each vector lane: group g of four rows lies in bank g % SLICES. One writer
// by row; one writer and one reader a bank (their rows counted within the bank). A bank is eight columns of memories,
// which have their copies of the addresses from trees of registers.
module bertd_row_memory #(
    parameter int SLICES = 1,
    parameter int WORDS = 64,
    localparam int WORD_BITS = $clog2(WORDS),
    localparam int SLICE_BITS = $clog2(SLICES),
    localparam int ADDRESS = bertd_pkg::ROW_BITS - SLICE_BITS + WORD_BITS
) (
    input  logic                      clk_i,
    input  logic                      rst_ni,
    input  logic                      write_i,
    input  logic [               8:0] write_row_i,
    input  logic [     WORD_BITS-1:0] write_word_i,
    input  logic [             511:0] write_data_i,
    input  logic [        SLICES-1:0] bank_write_i,
    input  logic [SLICES*ADDRESS-1:0] bank_write_address_i,  // {row of the bank, word}
    input  logic [    SLICES*512-1:0] bank_write_data_i,
    input  logic [        SLICES-1:0] bank_read_i,
    input  logic [SLICES*ADDRESS-1:0] bank_read_address_i,
    output logic [    SLICES*512-1:0] bank_read_data_o,      // bertd_pkg::ROW_LATENCY cycles later
    output logic                      error_o                // a word that was read has changed
);

    localparam int COLUMNS = 8;  // as many as 64 bits go into 512: an UltraRAM has 72

    logic [8:0] bank, bank_row;
    logic [SLICES*COLUMNS-1:0] error;
    assign error_o = error != '0;
    assign bank = (write_row_i >> 2) & 9'(SLICES - 1);
    assign bank_row = ((write_row_i >> (2 + SLICE_BITS)) << 2) | 9'(write_row_i[1:0]);

    for (genvar s = 0; s < SLICES; s++) begin : gen_bank
        logic hit;
        assign hit = write_i && bank == 9'(s);

        logic [ADDRESS-1:0] write_address;
        logic [COLUMNS*(ADDRESS+1)-1:0] writes, reads;
        logic [511:0] write_data;
        assign write_address = hit ? {bank_row[bertd_pkg::ROW_BITS-SLICE_BITS-1:0], write_word_i} :
            bank_write_address_i[s*ADDRESS+:ADDRESS];

        bertd_fanout #(
            .WIDTH (ADDRESS + 1),
            .COPIES(COLUMNS)
        ) u_write (
            .clk_i,
            .in_i ({hit || bank_write_i[s], write_address}),
            .out_o(writes)
        );
        bertd_crossing #(
            .WIDTH (512),
            .STAGES(bertd_pkg::FANOUT_STAGES)
        ) u_write_data (
            .clk_i,
            .in_i (hit ? write_data_i : bank_write_data_i[s*512+:512]),
            .out_o(write_data)
        );
        bertd_fanout #(
            .WIDTH (ADDRESS + 1),
            .COPIES(COLUMNS)
        ) u_read (
            .clk_i,
            .in_i ({bank_read_i[s], bank_read_address_i[s*ADDRESS+:ADDRESS]}),
            .out_o(reads)
        );

        for (genvar c = 0; c < COLUMNS; c++) begin : gen_column
            bertd_ram_guarded #(
                .WIDTH(512 / COLUMNS),
                .DEPTH(1 << ADDRESS),
                .RAM_STYLE("ultra"),
                .LATENCY(bertd_pkg::ULTRA_LATENCY)
            ) u_ram (
                .clk_i,
                .rst_ni,
                .write_i        (writes[c*(ADDRESS+1)+ADDRESS]),
                .write_address_i(writes[c*(ADDRESS+1)+:ADDRESS]),
                .write_data_i   (write_data[c*512/COLUMNS+:512/COLUMNS]),
                .read_i         (reads[c*(ADDRESS+1)+ADDRESS]),
                .read_address_i (reads[c*(ADDRESS+1)+:ADDRESS]),
                .read_data_o    (bank_read_data_o[s*512+c*512/COLUMNS+:512/COLUMNS]),
                .error_o        (error[s*COLUMNS+c])
            );
        end
    end

`ifndef SYNTHESIS
    // Nobody writes where another writer does.
    always_ff @(posedge clk_i) begin
        for (int s = 0; s < SLICES; s++) assert (!(write_i && bank == 9'(s) && bank_write_i[s]));
    end
`endif

endmodule
