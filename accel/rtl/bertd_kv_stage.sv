// Data path: quantised heads of the vector lanes -> bertd_kv_write.
// One head's quantised keys or values on their way to card memory, twice, so that the vector lanes fill one slot while
// the other is written out. Read by row group: four rows at once.
module bertd_kv_stage #(
    parameter int SLICES = 1,
    localparam int SLICE_BITS = $clog2(SLICES),
    localparam int GROUP_BITS = 7 - SLICE_BITS,
    localparam int ADDRESS = 1 + GROUP_BITS + 2
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,
    input  logic                 write_slot_i,
    input  logic [   SLICES-1:0] write_i,
    input  logic [SLICES*14-1:0] write_group_i,  // as for the operand memory; the first of a lane's two ports
    input  logic [ SLICES*4-1:0] write_row_i,
    input  logic [SLICES*18-1:0] write_word_i,
    input  logic [SLICES*256-1:0] write_data_i,
    input  logic [   SLICES-1:0] scale_write_i,
    input  logic [ SLICES*7-1:0] scale_group_i,
    input  logic [ SLICES*2-1:0] scale_row_i,
    input  logic [SLICES*32-1:0] scale_i,
    input  logic                 read_i,
    input  logic                 read_slot_i,
    input  logic [          6:0] read_group_i,
    input  logic [          1:0] read_word_i,
    output logic [        511:0] read_data_o,    // [4 rows][16]
    output logic [        127:0] read_scales_o,  // [4 rows]
    output logic                 error_o         // a word that was read has changed
);

    logic [SLICES*512-1:0] data;
    logic [SLICES*128-1:0] scales;
    logic [6:0] bank, bank_then;
    logic [SLICES*8-1:0] error;

    assign bank = read_group_i & 7'(SLICES - 1);
    assign error_o = error != '0;

    for (genvar s = 0; s < SLICES; s++) begin : gen_lane
        for (genvar r = 0; r < bertd_pkg::GROUP_ROWS; r++) begin : gen_row
            bertd_ram_guarded #(
                .WIDTH(128),
                .DEPTH(1 << ADDRESS),
                .LATENCY(bertd_pkg::BLOCK_LATENCY)
            ) u_rows (
                .clk_i,
                .rst_ni,
                .write_i        (write_i[s] && write_row_i[s*4+:2] == 2'(r)),
                .write_address_i({write_slot_i, write_group_i[s*14+SLICE_BITS+:GROUP_BITS], write_word_i[s*18+:2]}),
                .write_data_i   (write_data_i[s*256+:128]),
                .read_i,
                .read_address_i ({read_slot_i, read_group_i[6:SLICE_BITS], read_word_i}),
                .read_data_o    (data[s*512+r*128+:128]),
                .error_o        (error[s*8+r])
            );
            bertd_ram_guarded #(
                .WIDTH(32),
                .DEPTH(1 << (1 + GROUP_BITS)),
                .RAM_STYLE("distributed"),
                .LATENCY(bertd_pkg::BLOCK_LATENCY)
            ) u_scales (
                .clk_i,
                .rst_ni,
                .write_i        (scale_write_i[s] && scale_row_i[s*2+:2] == 2'(r)),
                .write_address_i({write_slot_i, scale_group_i[s*7+SLICE_BITS+:GROUP_BITS]}),
                .write_data_i   (scale_i[s*32+:32]),
                .read_i,
                .read_address_i ({read_slot_i, read_group_i[6:SLICE_BITS]}),
                .read_data_o    (scales[s*128+r*32+:32]),
                .error_o        (error[s*8+4+r])
            );
        end
    end

    bertd_delay_line #(
        .WIDTH(7),
        .DEPTH(bertd_pkg::BLOCK_LATENCY)
    ) u_bank (
        .clk_i,
        .in_i (bank),
        .out_o(bank_then)
    );

    always_comb begin
        read_data_o = '0;
        read_scales_o = '0;
        for (int s = 0; s < SLICES; s++) begin
            if (bank_then == 7'(s)) begin
                read_data_o = data[s*512+:512];
                read_scales_o = scales[s*128+:128];
            end
        end
    end

endmodule
