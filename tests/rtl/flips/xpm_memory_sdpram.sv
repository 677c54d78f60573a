// Data path: in place of the macro in accel/rtl/bertd_ram_ecc.sv, whose name and ports it has.
// What that module uses of it: a write port, a read port, and a code that mends one bit of each 64 and sees two
// (Hamming's, with a parity bit over all).
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
    localparam int DEPTH = MEMORY_SIZE / WIDTH;
    localparam int LAST_PLACE = 71;

    // The places of data bits are the numbers from 3 on that are no powers of two. Bit k of the code is the parity of
    // those whose places have bit k.
    function automatic logic [6:0] hamming(input logic [63:0] data);
        return {
            ^(data & 64'hfe00000000000000),
            ^(data & 64'h01fffffffc000000),
            ^(data & 64'h01fffe0003fff800),
            ^(data & 64'h01fe01fe03fc07f0),
            ^(data & 64'hf1e1e1e1e3c3c78e),
            ^(data & 64'hcd9999999b33366d),
            ^(data & 64'hab55555556aaad5b)
        };
    endfunction

    // The data bit of a place; of a power of two, a bit of the code, or of no place: none.
    function automatic logic [63:0] bit_of(input logic [6:0] place);
        if ((place & (place - 7'd1)) == '0 || place > 7'(LAST_PLACE)) return '0;
        return 64'd1 << (32'(place) - 1 - $clog2(32'(place) + 1));
    endfunction

    logic [PARTS-1:0] corrected, lost;
    assign sbiterrb = corrected != '0;
    assign dbiterrb = lost != '0;

    for (genvar i = 0; i < PARTS; i++) begin : gen_part
        logic [63:0] words[0:DEPTH-1];
        logic [7:0] codes[0:DEPTH-1];
        logic [63:0] data_q[0:READ_LATENCY_B-1];
        logic [READ_LATENCY_B-1:0] corrected_q, lost_q;
        int mended;  // since the simulation began, or somebody cleared it

        always_ff @(posedge clka) begin
            if (ena && wea[0]) begin
                automatic logic [63:0] data = dina[64*i+:64];
                words[addra] <= data;
                codes[addra] <= {^{hamming(data), ^data}, hamming(data)};
            end
        end
        always_ff @(posedge clkb) begin
            if (enb) begin
                automatic logic [63:0] data = words[addrb];
                automatic logic [7:0] code = codes[addrb];
                automatic logic [6:0] syndrome = hamming(data) ^ code[6:0];
                automatic logic odd = ^{code, ^data};
                data_q[0] <= odd ? data ^ bit_of(syndrome) : data;
                corrected_q[0] <= odd;
                lost_q[0] <= odd ? syndrome > 7'(LAST_PLACE) : syndrome != '0;
                if (odd) mended <= mended + 1;
            end
            for (int l = 1; l < READ_LATENCY_B; l++) begin
                data_q[l] <= data_q[l-1];
                corrected_q[l] <= corrected_q[l-1];
                lost_q[l] <= lost_q[l-1];
            end
        end
        assign doutb[64*i+:64] = data_q[READ_LATENCY_B-1];
        assign corrected[i] = corrected_q[READ_LATENCY_B-1];
        assign lost[i] = lost_q[READ_LATENCY_B-1];

        // The card's begins with zeros, whose code is zero.
        initial begin
            mended = 0;
            for (int w = 0; w < DEPTH; w++) begin
                words[w] = '0;
                codes[w] = '0;
            end
        end
    end

    always_ff @(posedge clka) begin
        assert (!sleep && !injectsbiterra && !injectdbiterra && !rstb && regceb);
        assert (MEMORY_PRIMITIVE == "ultra" && CLOCKING_MODE == "common_clock" && ECC_MODE == "both_encode_and_decode");
        assert (WRITE_DATA_WIDTH_A == WIDTH && BYTE_WRITE_WIDTH_A == WIDTH && WRITE_MODE_B == "read_first");
    end

endmodule
