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
    localparam int PLACE_BITS = TILE_GROUP_BITS > 0 ? TILE_GROUP_BITS : 1;
    localparam int PORT_BITS = 2 + PLACE_BITS + ADDRESS + 128;

    logic [ADDRESS-1:0] read_address;
    logic [TILE_GROUPS*(ADDRESS+1)-1:0] reads;
    logic [SLICES*2*LANE_GROUPS*PORT_BITS-1:0] writes;  // [lane][even or odd rows][LANE_GROUPS]
    assign read_address = ADDRESS'(read_tile_i) * ADDRESS'(bertd_pkg::OPERAND_WORDS) + ADDRESS'(read_word_i);

    bertd_fanout #(
        .WIDTH (ADDRESS + 1),
        .COPIES(TILE_GROUPS)
    ) u_read (
        .clk_i,
        .in_i ({read_i, read_address}),
        .out_o(reads)
    );

    // A lane's ports never write even rows both, nor odd ones: so a bank has one port, chosen in front of the tree.
    for (genvar p = 0; p < SLICES * 2; p++) begin : gen_write
        localparam int A = p / 2 * 2;
        localparam int B = A + 1;
        logic first, second;
        logic [6:0] group;
        logic [1:0] row;
        logic [8:0] word;
        logic [127:0] data;
        logic [ADDRESS-1:0] write_address;

        assign first = write_i[A] && write_row_i[A*2] == 1'(p % 2);
        assign second = write_i[B] && write_row_i[B*2] == 1'(p % 2);
        assign {group, row, word, data} = first ?
            {write_group_i[A*7+:7], write_row_i[A*2+:2], write_word_i[A*9+:9], write_data_i[A*128+:128]} :
            {write_group_i[B*7+:7], write_row_i[B*2+:2], write_word_i[B*9+:9], write_data_i[B*128+:128]};
        assign write_address = (ADDRESS'(group) >> TILE_GROUP_BITS) * ADDRESS'(bertd_pkg::OPERAND_WORDS) + ADDRESS'(word);

        bertd_fanout #(
            .WIDTH (PORT_BITS),
            .COPIES(LANE_GROUPS)
        ) u_write (
            .clk_i,
            .in_i ({first || second, PLACE_BITS'(group & 7'(TILE_GROUPS - 1)), row[1], write_address, data}),
            .out_o(writes[p*LANE_GROUPS*PORT_BITS+:LANE_GROUPS*PORT_BITS])
        );

        logic unused;
        assign unused = row[0];
`ifndef SYNTHESIS
        always_ff @(posedge clk_i) assert (!(first && second));
`endif
    end

    for (genvar b = 0; b < ROWS; b++) begin : gen_bank
        localparam int GROUP = b / bertd_pkg::GROUP_ROWS;
        localparam int PORT = GROUP % SLICES * 2 + b % 2;
        logic write, upper;
        logic [PLACE_BITS-1:0] place;
        logic [ADDRESS-1:0] write_address;
        logic [127:0] data;

        assign {write, place, upper, write_address, data} = writes[(PORT*LANE_GROUPS+GROUP/SLICES)*PORT_BITS+:PORT_BITS];

        bertd_ram_1r1w #(
            .WIDTH(128),
            .DEPTH(DEPTH),
            .RAM_STYLE("ultra"),
            .LATENCY(bertd_pkg::ULTRA_LATENCY)
        ) u_ram (
            .clk_i,
            .write_i        (write && place == PLACE_BITS'(GROUP) && upper == 1'(b / 2 % 2)),
            .write_address_i(write_address),
            .write_data_i   (data),
            .read_i         (reads[GROUP*(ADDRESS+1)+ADDRESS]),
            .read_address_i (reads[GROUP*(ADDRESS+1)+:ADDRESS]),
            .read_data_o    (read_data_o[b*128+:128])
        );
    end

endmodule
