// Data path: inside bertd_ram_guarded, of UltraRAM on a card: what is written -> what is read, with one bit corrected.
// Memory with one write and one read port whose words carry an error-correcting code, 8 bits for each 64: UltraRAM has
// both within. AMD's macro makes it (BERTD_URAM_ECC); what the macro is named and how it is set is AMD's.
`ifdef BERTD_URAM_ECC
module bertd_ram_ecc #(
    parameter int WIDTH = 64,
    parameter int DEPTH = 16,
    parameter int LATENCY = 1,
    localparam int ADDRESS = $clog2(DEPTH)
) (
    input  logic               clk_i,
    input  logic               write_i,
    input  logic [ADDRESS-1:0] write_address_i,
    input  logic [  WIDTH-1:0] write_data_i,
    input  logic               read_i,
    input  logic [ADDRESS-1:0] read_address_i,
    output logic [  WIDTH-1:0] read_data_o,
    output logic               lost_o           // with it: more bits have changed than the code mends
);

    localparam int BITS = (WIDTH + 63) / 64 * 64;

    logic [BITS-1:0] read_data;
    logic corrected;
    assign read_data_o = read_data[WIDTH-1:0];

    xpm_memory_sdpram #(
        .MEMORY_SIZE       (BITS * DEPTH),
        .MEMORY_PRIMITIVE  ("ultra"),
        .CLOCKING_MODE     ("common_clock"),
        .ECC_MODE          ("both_encode_and_decode"),
        .WRITE_DATA_WIDTH_A(BITS),
        .BYTE_WRITE_WIDTH_A(BITS),
        .ADDR_WIDTH_A      (ADDRESS),
        .READ_DATA_WIDTH_B (BITS),
        .ADDR_WIDTH_B      (ADDRESS),
        .READ_LATENCY_B    (LATENCY),
        .WRITE_MODE_B      ("read_first")
    ) u_memory (
        .sleep         (1'b0),
        .clka          (clk_i),
        .ena           (write_i),
        .wea           (1'b1),
        .addra         (write_address_i),
        .dina          (BITS'(write_data_i)),
        .injectsbiterra(1'b0),
        .injectdbiterra(1'b0),
        .clkb          (clk_i),
        .rstb          (1'b0),
        .enb           (read_i),
        .regceb        (1'b1),
        .addrb         (read_address_i),
        .doutb         (read_data),
        .sbiterrb      (corrected),
        .dbiterrb      (lost_o)
    );

    logic unused;
    if (BITS > WIDTH) begin : gen_padded
        assign unused = ^{corrected, read_data[BITS-1:WIDTH]};
    end else begin : gen_full
        assign unused = corrected;
    end

endmodule
`endif
