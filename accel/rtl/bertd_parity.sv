// Data path: a word of a memory -> the parity of each 64 of its bits, for bertd_ram_guarded and bertd_weight_ring.
module bertd_parity #(
    parameter int WIDTH = 64,
    localparam int PARTS = (WIDTH + 63) / 64
) (
    input  logic [WIDTH-1:0] word_i,
    output logic [PARTS-1:0] parity_o
);

    logic [PARTS*64-1:0] word;
    assign word = (PARTS * 64)'(word_i);
    for (genvar i = 0; i < PARTS; i++) begin : gen_part
        assign parity_o[i] = ^word[64*i+:64];
    end

endmodule
