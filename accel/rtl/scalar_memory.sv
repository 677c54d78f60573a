// One binary32 a row and kind of scalar: scales of quantised rows, factors of contexts. A bank for each vector lane,
// which writes it; the drain reads by row.
module scalar_memory #(
    parameter int SLICES = 1,
    localparam int SLICE_BITS = $clog2(SLICES),
    localparam int ADDRESS = 9 - SLICE_BITS + 6
) (
    input  logic                      clk_i,
    input  logic [        SLICES-1:0] bank_write_i,
    input  logic [SLICES*ADDRESS-1:0] bank_write_address_i,  // {scalar, row of the bank}
    input  logic [     SLICES*32-1:0] bank_write_data_i,
    input  logic                      read_i,
    input  logic [               8:0] read_row_i,
    input  logic [               5:0] read_scalar_i,
    output logic [              31:0] read_data_o
);

    logic [8:0] bank, bank_row, bank_q;
    logic [SLICES*32-1:0] data;
    assign bank = (read_row_i >> 2) & 9'(SLICES - 1);
    assign bank_row = ((read_row_i >> (2 + SLICE_BITS)) << 2) | 9'(read_row_i[1:0]);

    for (genvar s = 0; s < SLICES; s++) begin : gen_bank
        ram_1r1w #(
            .WIDTH(32),
            .DEPTH(1 << ADDRESS)
        ) u_ram (
            .clk_i,
            .write_i        (bank_write_i[s]),
            .write_address_i(bank_write_address_i[s*ADDRESS+:ADDRESS]),
            .write_data_i   (bank_write_data_i[s*32+:32]),
            .read_i,
            .read_address_i ({read_scalar_i, bank_row[8-SLICE_BITS:0]}),
            .read_data_o    (data[s*32+:32])
        );
    end

    always_ff @(posedge clk_i) bank_q <= bank;

    always_comb begin
        read_data_o = '0;
        for (int s = 0; s < SLICES; s++) if (bank_q == 9'(s)) read_data_o = data[s*32+:32];
    end

endmodule
