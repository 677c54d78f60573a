// Data path: sums of finished tiles in bertd_array's second registers -> the rows that bertd_drain wants.
// One row of each path, ROWS / PATHS apart, bertd_pkg::ARRAY_PICK_LATENCY cycles later. First one row of each block of
// neighbours, so that few wires leave a block.
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

    logic [BLOCKS*512-1:0] blocks_q;
    logic [8:0] block_q;

    // Halves, by the bits of the row's number
    for (genvar b = 0; b < BLOCKS; b++) begin : gen_block
        logic [BLOCK*512-1:0] rest;
        always_comb begin
            rest = results_i[b*BLOCK*512+:BLOCK*512];
            for (int k = 0; k < BLOCK_BITS; k++) begin
                for (int i = 0; i < BLOCK >> (k + 1); i++) begin
                    rest[i*512+:512] = row_i[k] ? rest[(2*i+1)*512+:512] : rest[2*i*512+:512];
                end
            end
        end
        always_ff @(posedge clk_i) blocks_q[b*512+:512] <= rest[511:0];
    end
    always_ff @(posedge clk_i) block_q <= row_i >> BLOCK_BITS;

    for (genvar w = 0; w < PATHS; w++) begin : gen_path
        logic [511:0] row;
        always_comb begin
            row = '0;
            for (int b = 0; b < BLOCKS; b++) begin
                if ((block_q & 9'(BLOCKS - 1)) == 9'((b + BLOCKS - w * (BLOCKS / PATHS)) % BLOCKS)) begin
                    row = blocks_q[b*512+:512];
                end
            end
        end
        always_ff @(posedge clk_i) rows_o[w*512+:512] <= row;
    end

endmodule
