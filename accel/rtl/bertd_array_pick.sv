// Data path: sums of finished tiles in bertd_array's second registers -> the rows that bertd_drain wants.
// One row of each path, ROWS / PATHS apart, bertd_pkg::ARRAY_ROW_LATENCY cycles later. First one row of each block of
// neighbours, so that few wires leave a block; each block has the row's number for each column from a tree.
module bertd_array_pick #(
    parameter int ROWS = 4,
    parameter int PATHS = 1
) (
    input  logic                 clk_i,
    input  logic [          8:0] row_i,      // of the first path; its low bits say which of the tile's
    input  logic [ ROWS*512-1:0] results_i,  // [ROWS][16] int32
    output logic [PATHS*512-1:0] rows_o      // [PATHS][16]
);

    localparam int BLOCK = ROWS / PATHS < 16 ? ROWS / PATHS : 16;
    localparam int BLOCK_BITS = $clog2(BLOCK);
    localparam int BLOCKS = ROWS / BLOCK;
    localparam int BITS = $clog2(ROWS);
    localparam int COLUMNS = bertd_pkg::PANEL;
    localparam int STAGES = 2;

    if (bertd_pkg::ARRAY_EXIT_STAGES < STAGES) $error("a row is picked in %0d stages", STAGES);

    logic [COLUMNS*BLOCKS*BITS-1:0] numbers;  // [COLUMNS][BLOCKS]
    logic [PATHS*512-1:0] picked_q;

    bertd_fanout #(
        .WIDTH (BITS),
        .COPIES(COLUMNS * BLOCKS)
    ) u_numbers (
        .clk_i,
        .in_i (row_i[BITS-1:0]),
        .out_o(numbers)
    );

    for (genvar c = 0; c < COLUMNS; c++) begin : gen_column
        logic [BLOCKS*32-1:0] blocks_q;
        logic [BITS-1:0] number_q;

        always_ff @(posedge clk_i) number_q <= numbers[c*BLOCKS*BITS+:BITS];

        // Halves, by the bits of the row's number
        for (genvar b = 0; b < BLOCKS; b++) begin : gen_block
            logic [BLOCK*32-1:0] rest;
            logic [BITS-1:0] number;
            assign number = numbers[(c*BLOCKS+b)*BITS+:BITS];
            always_comb begin
                for (int i = 0; i < BLOCK; i++) rest[i*32+:32] = results_i[((b*BLOCK+i)*COLUMNS+c)*32+:32];
                for (int k = 0; k < BLOCK_BITS; k++) begin
                    for (int i = 0; i < BLOCK >> (k + 1); i++) begin
                        rest[i*32+:32] = number[k] ? rest[(2*i+1)*32+:32] : rest[2*i*32+:32];
                    end
                end
            end
            always_ff @(posedge clk_i) blocks_q[b*32+:32] <= rest[31:0];
        end

        for (genvar w = 0; w < PATHS; w++) begin : gen_path
            logic [31:0] sum;
            always_comb begin
                sum = '0;
                for (int b = 0; b < BLOCKS; b++) begin
                    if (BITS'(number_q >> BLOCK_BITS) == BITS'((b + BLOCKS - w * (BLOCKS / PATHS)) % BLOCKS)) begin
                        sum = blocks_q[b*32+:32];
                    end
                end
            end
            always_ff @(posedge clk_i) picked_q[(w*COLUMNS+c)*32+:32] <= sum;
        end
    end

    bertd_crossing #(
        .WIDTH (PATHS * 512),
        .STAGES(bertd_pkg::ARRAY_EXIT_STAGES - STAGES)
    ) u_rows (
        .clk_i,
        .in_i (picked_q),
        .out_o(rows_o)
    );

endmodule
