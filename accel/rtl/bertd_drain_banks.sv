// Data path: rows of the drain's paths but the first -> the banks of the row memory.
// The rows that the drain's paths but the first put out, for the banks of the row memory that they belong to.
module bertd_drain_banks #(
    parameter int SLICES = 1,
    parameter int PATHS = 1,
    localparam int SLICE_BITS = $clog2(SLICES),
    localparam int ADDRESS = bertd_pkg::ROW_BITS - SLICE_BITS + 8
) (
    input  logic [         PATHS-1:0] write_i,
    input  logic [       PATHS*9-1:0] row_i,
    input  logic [       PATHS*8-1:0] column_i,
    input  logic [     PATHS*512-1:0] data_i,
    output logic [        SLICES-1:0] bank_write_o,
    output logic [SLICES*ADDRESS-1:0] bank_address_o,  // {row of the bank, word}
    output logic [    SLICES*512-1:0] bank_data_o
);

    for (genvar s = 0; s < SLICES; s++) begin : gen_bank
        logic write;
        logic [8:0] row, bank_row;
        logic [7:0] column;
        logic [511:0] data;

        always_comb begin
            write = 1'b0;
            row = '0;
            column = '0;
            data = '0;
            for (int w = 1; w < PATHS; w++) begin
                if (write_i[w] && ((row_i[w*9+:9] >> 2) & 9'(SLICES - 1)) == 9'(s)) begin
                    write = 1'b1;
                    row = row_i[w*9+:9];
                    column = column_i[w*8+:8];
                    data = data_i[w*512+:512];
                end
            end
        end
        assign bank_row = ((row >> (2 + SLICE_BITS)) << 2) | 9'(row[1:0]);
        assign bank_write_o[s] = write;
        assign bank_address_o[s*ADDRESS+:ADDRESS] = {bank_row[bertd_pkg::ROW_BITS-SLICE_BITS-1:0], column};
        assign bank_data_o[s*512+:512] = data;
    end

endmodule
