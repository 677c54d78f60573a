// Data path: scales and factors of rows from the vector lanes -> bertd_drain and its paths.
// One binary32 a row and kind of scalar: scales of quantised rows, factors of contexts. A bank for each vector lane,
// which writes it; the drain's paths read by row, in one cycle never two of them from the same bank.
module bertd_scalar_memory #(
    parameter int SLICES = 1,
    parameter int PATHS = 1,
    parameter RAM_STYLE = "ultra",
    parameter int LATENCY = bertd_pkg::SCALAR_LATENCY,
    localparam int SLICE_BITS = $clog2(SLICES),
    localparam int ADDRESS = bertd_pkg::ROW_BITS - SLICE_BITS + 6
) (
    input  logic                      clk_i,
    input  logic                      rst_ni,
    input  logic [        SLICES-1:0] bank_write_i,
    input  logic [SLICES*ADDRESS-1:0] bank_write_address_i,  // {scalar, row of the bank}
    input  logic [     SLICES*32-1:0] bank_write_data_i,
    input  logic [         PATHS-1:0] read_i,
    input  logic [       PATHS*9-1:0] read_row_i,
    input  logic [       PATHS*6-1:0] read_scalar_i,
    output logic [      PATHS*32-1:0] read_data_o,
    output logic                      error_o                // a word that was read has changed
);

    logic [SLICES*32-1:0] data;
    logic [SLICES-1:0] error;
    assign error_o = error != '0;
    logic [PATHS*SLICES-1:0] hit, hit_then;  // [PATHS][SLICES]

    for (genvar w = 0; w < PATHS; w++) begin : gen_path
        for (genvar s = 0; s < SLICES; s++) begin : gen_hit
            assign hit[w*SLICES+s] = read_i[w] && ((read_row_i[w*9+:9] >> 2) & 9'(SLICES - 1)) == 9'(s);
        end
    end

    for (genvar s = 0; s < SLICES; s++) begin : gen_bank
        logic read;
        logic [5:0] scalar;
        logic [8:0] row, bank_row;

        always_comb begin
            read = 1'b0;
            scalar = '0;
            row = '0;
            for (int w = 0; w < PATHS; w++) begin
                if (hit[w*SLICES+s]) begin
                    read = 1'b1;
                    scalar = read_scalar_i[w*6+:6];
                    row = read_row_i[w*9+:9];
                end
            end
        end
        assign bank_row = ((row >> (2 + SLICE_BITS)) << 2) | 9'(row[1:0]);

        bertd_ram_guarded #(
            .WIDTH(32),
            .DEPTH(1 << ADDRESS),
            .RAM_STYLE(RAM_STYLE),
            .LATENCY(LATENCY)
        ) u_ram (
            .clk_i,
            .rst_ni,
            .write_i        (bank_write_i[s]),
            .write_address_i(bank_write_address_i[s*ADDRESS+:ADDRESS]),
            .write_data_i   (bank_write_data_i[s*32+:32]),
            .read_i         (read),
            .read_address_i ({scalar, bank_row[bertd_pkg::ROW_BITS-SLICE_BITS-1:0]}),
            .read_data_o    (data[s*32+:32]),
            .error_o        (error[s])
        );
    end

    bertd_delay_line #(
        .WIDTH(PATHS * SLICES),
        .DEPTH(LATENCY)
    ) u_hit (
        .clk_i,
        .in_i (hit),
        .out_o(hit_then)
    );

    always_comb begin
        read_data_o = '0;
        for (int w = 0; w < PATHS; w++)
            for (int s = 0; s < SLICES; s++)
                if (hit_then[w*SLICES+s]) read_data_o[w*32+:32] = data[s*32+:32];
    end

`ifndef SYNTHESIS
    // Two paths never want the same bank.
    always_ff @(posedge clk_i) begin
        for (int w = 1; w < PATHS; w++)
            for (int v = 0; v < w; v++)
                assert ((hit[w*SLICES+:SLICES] & hit[v*SLICES+:SLICES]) == '0);
    end
`endif

endmodule
