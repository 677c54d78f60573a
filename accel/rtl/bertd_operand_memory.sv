// Data path: int8 rows of the vector lanes -> bertd_array.
// int8 operands: a bank for each row of a tile, so that the array reads the same word of all its rows at once. Words of
// 16 int8. Each vector lane owns the banks of the row groups it works on and writes up to two words a cycle. Both ways there
// is a tree of registers to the banks of each row group.
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
    output logic [ROWS*128-1:0] read_data_o      // bertd_pkg::OPERAND_LATENCY cycles later
);

    localparam int TILE_GROUPS = ROWS / bertd_pkg::GROUP_ROWS;
    localparam int TILE_GROUP_BITS = $clog2(TILE_GROUPS);
    localparam int DEPTH = TILES * bertd_pkg::OPERAND_WORDS;
    localparam int ADDRESS = $clog2(DEPTH);

    localparam int LANE_GROUPS = TILE_GROUPS / SLICES;  // of a lane
    localparam int PORT_BITS = 1 + 7 + 2 + 9 + 128;

    logic [ADDRESS-1:0] read_address;
    logic [TILE_GROUPS*(ADDRESS+1)-1:0] reads;
    logic [SLICES*2*LANE_GROUPS*PORT_BITS-1:0] writes;  // [port][LANE_GROUPS]
    assign read_address = ADDRESS'(read_tile_i) * ADDRESS'(bertd_pkg::OPERAND_WORDS) + ADDRESS'(read_word_i);

    bertd_fanout #(
        .WIDTH (ADDRESS + 1),
        .COPIES(TILE_GROUPS)
    ) u_read (
        .clk_i,
        .in_i ({read_i, read_address}),
        .out_o(reads)
    );
    for (genvar p = 0; p < SLICES * 2; p++) begin : gen_write
        bertd_fanout #(
            .WIDTH (PORT_BITS),
            .COPIES(LANE_GROUPS)
        ) u_write (
            .clk_i,
            .in_i ({write_i[p], write_group_i[p*7+:7], write_row_i[p*2+:2], write_word_i[p*9+:9], write_data_i[p*128+:128]}),
            .out_o(writes[p*LANE_GROUPS*PORT_BITS+:LANE_GROUPS*PORT_BITS])
        );
    end

    for (genvar b = 0; b < ROWS; b++) begin : gen_bank
        localparam int GROUP = b / bertd_pkg::GROUP_ROWS;
        localparam int LANE = GROUP % SLICES;
        logic [1:0] write, hit;
        logic [13:0] groups;
        logic [3:0] rows;
        logic [17:0] words;
        logic [255:0] datas;
        logic [6:0] group;
        logic [8:0] word;
        logic [127:0] data;
        logic [ADDRESS-1:0] write_address;

        for (genvar p = 0; p < 2; p++) begin : gen_port
            assign {write[p], groups[p*7+:7], rows[p*2+:2], words[p*9+:9], datas[p*128+:128]} =
                writes[((LANE*2+p)*LANE_GROUPS+GROUP/SLICES)*PORT_BITS+:PORT_BITS];
            assign hit[p] = write[p] && (groups[p*7+:7] & 7'(TILE_GROUPS - 1)) == 7'(GROUP) &&
                rows[p*2+:2] == 2'(b % bertd_pkg::GROUP_ROWS);
        end
        assign group = hit[0] ? groups[6:0] : groups[13:7];
        assign word = hit[0] ? words[8:0] : words[17:9];
        assign data = hit[0] ? datas[127:0] : datas[255:128];
        assign write_address = (ADDRESS'(group) >> TILE_GROUP_BITS) * ADDRESS'(bertd_pkg::OPERAND_WORDS) + ADDRESS'(word);

        bertd_ram_1r1w #(
            .WIDTH(128),
            .DEPTH(DEPTH),
            .RAM_STYLE("ultra"),
            .LATENCY(bertd_pkg::ULTRA_LATENCY)
        ) u_ram (
            .clk_i,
            .write_i        (hit != 2'b00),
            .write_address_i(write_address),
            .write_data_i   (data),
            .read_i         (reads[GROUP*(ADDRESS+1)+ADDRESS]),
            .read_address_i (reads[GROUP*(ADDRESS+1)+:ADDRESS]),
            .read_data_o    (read_data_o[b*128+:128])
        );
    end

endmodule
