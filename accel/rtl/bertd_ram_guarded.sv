// Data path: inside the memories and buffers of what no checksum covers: what is written -> what is read.
// bertd_ram_1r1w whose words have a parity bit for each 64 bits: the bits that UltraRAM and block RAM have beside them.
// A word that is read must have the parity it was written with. Memories begin with zeros on the card, which have.
// With BERTD_URAM_ECC UltraRAM has its own code instead, which mends a bit.
module bertd_ram_guarded #(
    parameter int WIDTH = 32,
    parameter int DEPTH = 16,
    parameter RAM_STYLE = "block",
    parameter int LATENCY = 1,
    localparam int ADDRESS = $clog2(DEPTH)
) (
    input  logic               clk_i,
    input  logic               rst_ni,
    input  logic               write_i,
    input  logic [ADDRESS-1:0] write_address_i,
    input  logic [  WIDTH-1:0] write_data_i,
    input  logic               read_i,
    input  logic [ADDRESS-1:0] read_address_i,
    output logic [  WIDTH-1:0] read_data_o,     // LATENCY cycles later
    output logic               error_o          // the word read has changed; a cycle after it
);

`ifdef BERTD_URAM_ECC
    localparam bit ECC = RAM_STYLE == "ultra";
`else
    localparam bit ECC = 1'b0;
`endif
    localparam int PARTS = (WIDTH + 63) / 64;

    logic wrong, read_then, error_q;

    bertd_delay_line #(
        .WIDTH(1),
        .DEPTH(LATENCY)
    ) u_read (
        .clk_i,
        .in_i (read_i),
        .out_o(read_then)
    );
    assign error_o = error_q;
    always_ff @(posedge clk_i) error_q <= rst_ni && read_then && wrong;

    if (ECC) begin : gen_ecc
`ifdef BERTD_URAM_ECC
        bertd_ram_ecc #(
            .WIDTH  (WIDTH),
            .DEPTH  (DEPTH),
            .LATENCY(LATENCY)
        ) u_ram (
            .clk_i,
            .write_i,
            .write_address_i,
            .write_data_i,
            .read_i,
            .read_address_i,
            .read_data_o,
            .lost_o         (wrong)
        );
`endif
    end else begin : gen_parity
        logic [PARTS-1:0] write_parity, parity, there;
        assign wrong = parity != there;

        bertd_parity #(.WIDTH(WIDTH)) u_write_parity (.word_i(write_data_i), .parity_o(write_parity));
        bertd_parity #(.WIDTH(WIDTH)) u_read_parity (.word_i(read_data_o), .parity_o(parity));

        bertd_ram_1r1w #(
            .WIDTH    (PARTS + WIDTH),
            .DEPTH    (DEPTH),
            .RAM_STYLE(RAM_STYLE),
            .LATENCY  (LATENCY)
        ) u_ram (
            .clk_i,
            .write_i,
            .write_address_i,
            .write_data_i   ({write_parity, write_data_i}),
            .read_i,
            .read_address_i,
            .read_data_o    ({there, read_data_o})
        );

`ifndef SYNTHESIS
        // Simulations begin with anything, of good parity.
        initial begin
            for (int i = 0; i < DEPTH; i++) begin
                for (int p = 0; p < PARTS; p++) begin
                    u_ram.words[i][WIDTH+p] = 1'b0;
                    for (int b = p * 64; b < WIDTH && b < (p + 1) * 64; b++)
                        u_ram.words[i][WIDTH+p] = u_ram.words[i][WIDTH+p] ^ u_ram.words[i][b];
                end
            end
        end
`endif
    end

endmodule
