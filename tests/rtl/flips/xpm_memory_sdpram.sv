// Data path: in place of the macro in accel/rtl/bertd_ram_ecc.sv, whose name and ports it has.
// What that module uses of it: a write port, a read port, and a code that mends one bit of each 64 and sees two
// (Hamming's, with a parity bit over all). The code bits lie in front of the word's.
module xpm_memory_sdpram #(
    parameter int MEMORY_SIZE = 64,
    parameter MEMORY_PRIMITIVE = "ultra",
    parameter CLOCKING_MODE = "common_clock",
    parameter ECC_MODE = "both_encode_and_decode",
    parameter int WRITE_DATA_WIDTH_A = 64,
    parameter int BYTE_WRITE_WIDTH_A = 64,
    parameter int ADDR_WIDTH_A = 1,
    parameter int READ_DATA_WIDTH_B = 64,
    parameter int ADDR_WIDTH_B = 1,
    parameter int READ_LATENCY_B = 1,
    parameter WRITE_MODE_B = "read_first"
) (
    input  logic                          sleep,
    input  logic                          clka,
    input  logic                          ena,
    input  logic [                   0:0] wea,
    input  logic [      ADDR_WIDTH_A-1:0] addra,
    input  logic [WRITE_DATA_WIDTH_A-1:0] dina,
    input  logic                          injectsbiterra,
    input  logic                          injectdbiterra,
    input  logic                          clkb,
    input  logic                          rstb,
    input  logic                          enb,
    input  logic                          regceb,
    input  logic [      ADDR_WIDTH_B-1:0] addrb,
    output logic [ READ_DATA_WIDTH_B-1:0] doutb,
    output logic                          sbiterrb,
    output logic                          dbiterrb
);

    localparam int WIDTH = READ_DATA_WIDTH_B;
    localparam int PARTS = WIDTH / 64;

    // The place of a data bit in a Hamming word: those that are no powers of two, from 3 on.
    function automatic logic [6:0] place(input int bit_number);
        int left;
        left = bit_number;
        place = 7'd2;
        for (int p = 3; p < 73; p++) begin
            if ((p & (p - 1)) != 0) begin
                if (left == 0 && place == 7'd2) place = 7'(p);
                left = left - 1;
            end
        end
    endfunction

    function automatic logic [6:0] hamming(input logic [63:0] data);
        hamming = '0;
        for (int b = 0; b < 64; b++) if (data[b]) hamming = hamming ^ place(b);
    endfunction

    logic [72*PARTS-1:0] words[0:MEMORY_SIZE/WIDTH-1];
    logic [72*PARTS-1:0] encoded, word;
    logic [(WIDTH+2)*READ_LATENCY_B-1:0] late_q;
    logic [WIDTH-1:0] data;
    logic [PARTS-1:0] corrected, lost;

    for (genvar i = 0; i < PARTS; i++) begin : gen_part
        logic [6:0] code, syndrome;
        logic odd;
        logic [63:0] there;
        assign code = hamming(dina[64*i+:64]);
        assign encoded[64*i+:64] = dina[64*i+:64];
        assign encoded[WIDTH+8*i+:8] = {^{code, dina[64*i+:64]}, code};
        assign there = word[64*i+:64];
        assign syndrome = hamming(there) ^ word[WIDTH+8*i+:7];
        assign odd = ^{there, word[WIDTH+8*i+:8]};
        assign corrected[i] = odd;
        assign lost[i] = !odd && syndrome != '0;
        for (genvar b = 0; b < 64; b++) begin : gen_bit
            assign data[64*i+b] = there[b] ^ (odd && syndrome == place(b));
        end
    end

    assign word = words[addrb];
    always_ff @(posedge clka) if (ena && wea[0]) words[addra] <= encoded;
    always_ff @(posedge clkb) begin
        if (enb) late_q[WIDTH+1:0] <= {corrected != '0, lost != '0, data};
        for (int l = 1; l < READ_LATENCY_B; l++) late_q[l*(WIDTH+2)+:WIDTH+2] <= late_q[(l-1)*(WIDTH+2)+:WIDTH+2];
    end
    assign {sbiterrb, dbiterrb, doutb} = late_q[(READ_LATENCY_B-1)*(WIDTH+2)+:WIDTH+2];

    // The card's begins with zeros, whose code is zero.
    initial for (int i = 0; i < MEMORY_SIZE / WIDTH; i++) words[i] = '0;

    always_ff @(posedge clka) begin
        assert (!sleep && !injectsbiterra && !injectdbiterra && !rstb && regceb);
        assert (MEMORY_PRIMITIVE == "ultra" && CLOCKING_MODE == "common_clock" && ECC_MODE == "both_encode_and_decode");
        assert (WRITE_DATA_WIDTH_A == WIDTH && BYTE_WRITE_WIDTH_A == WIDTH && WRITE_MODE_B == "read_first");
    end

endmodule
