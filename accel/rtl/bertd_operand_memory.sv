// Data path: int8 rows of the vector lanes -> bertd_array.
// int8 operands: a bank for each row of a tile, so that the array reads the same word of all its rows at once. Words of
// 16 int8. Each vector lane owns the banks of the row groups it works on and writes up to two words a cycle.
module bertd_operand_memory #(
    parameter int ROWS = 4,
    parameter int SLICES = 1,
    localparam int TILES = bertd_pkg::MAX_TOKENS / ROWS
) (
    input  logic                clk_i,
    input  logic [SLICES*2-1:0] write_i,         // two ports a lane
    input  logic [SLICES*14-1:0] write_group_i,  // row group, of 7 bits a port
    input  logic [SLICES*4-1:0] write_row_i,     // row of the group
    input  logic [SLICES*18-1:0] write_word_i,
    input  logic [SLICES*256-1:0] write_data_i,
    input  logic                read_i,
    input  logic [         6:0] read_tile_i,
    input  logic [         8:0] read_word_i,
    output logic [ROWS*128-1:0] read_data_o
);

    localparam int TILE_GROUPS = ROWS / bertd_pkg::GROUP_ROWS;
    localparam int TILE_GROUP_BITS = $clog2(TILE_GROUPS);
    localparam int DEPTH = TILES * bertd_pkg::OPERAND_WORDS;
    localparam int ADDRESS = $clog2(DEPTH);

    logic [ADDRESS-1:0] read_address;
    assign read_address = ADDRESS'(read_tile_i) * ADDRESS'(bertd_pkg::OPERAND_WORDS) + ADDRESS'(read_word_i);

    for (genvar b = 0; b < ROWS; b++) begin : gen_bank
        localparam int GROUP = b / bertd_pkg::GROUP_ROWS;
        localparam int LANE = GROUP % SLICES;
        logic [1:0] hit;
        logic [6:0] group;
        logic [8:0] word;
        logic [127:0] data;
        logic [ADDRESS-1:0] write_address;

        for (genvar p = 0; p < 2; p++) begin : gen_port
            localparam int PORT = LANE * 2 + p;
            assign hit[p] = write_i[PORT] && (write_group_i[PORT*7+:7] & 7'(TILE_GROUPS - 1)) == 7'(GROUP) &&
                write_row_i[PORT*2+:2] == 2'(b % bertd_pkg::GROUP_ROWS);
        end
        assign group = hit[0] ? write_group_i[LANE*14+:7] : write_group_i[LANE*14+7+:7];
        assign word = hit[0] ? write_word_i[LANE*18+:9] : write_word_i[LANE*18+9+:9];
        assign data = hit[0] ? write_data_i[LANE*256+:128] : write_data_i[LANE*256+128+:128];
        assign write_address = (ADDRESS'(group) >> TILE_GROUP_BITS) * ADDRESS'(bertd_pkg::OPERAND_WORDS) + ADDRESS'(word);

        bertd_ram_1r1w #(
            .WIDTH(128),
            .DEPTH(DEPTH)
        ) u_ram (
            .clk_i,
            .write_i        (hit != 2'b00),
            .write_address_i(write_address),
            .write_data_i   (data),
            .read_i,
            .read_address_i (read_address),
            .read_data_o    (read_data_o[b*128+:128])
        );
    end

endmodule
