// Data path: 16 numbers of bertd_checksum, bertd_check_operands or bertd_check_panel -> their sum with odd factors.
// y = sum of (2 * i + 1) * x[i] over 16 two's complement numbers, modulo 2^OUT, CHECK_SUM_LATENCY cycles later. The
// factors are odd, so every single bit of an x shows in it; and all different, so two that changed places do. As a tree
// of (sum, sum of i * x[i]): two of them side by side, of n numbers each, are one of 2 n with n * (right sum) more.
module bertd_check_sum #(
    parameter int WIDTH = 32,
    parameter int OUT = 32
) (
    input  logic                clk_i,
    input  logic [16*WIDTH-1:0] x_i,
    output logic [     OUT-1:0] y_o
);

    // Bits of sums, and of sums with the places as factors, of as many numbers: no more than what comes out has.
    function automatic int at_most(input int bits);
        at_most = bits < OUT ? bits : OUT;
    endfunction
    localparam int S2 = at_most(WIDTH + 1);
    localparam int S4 = at_most(WIDTH + 2);
    localparam int S8 = at_most(WIDTH + 3);
    localparam int S16 = at_most(WIDTH + 4);
    localparam int P4 = at_most(WIDTH + 3);
    localparam int P8 = at_most(WIDTH + 5);
    localparam int P16 = at_most(WIDTH + 7);

    logic [8*S2-1:0] sum_2;
    logic [4*S2-1:0] odd_4;  // the places' lowest bit
    logic [4*S4-1:0] sum_4, sum_4_q;
    logic [4*P4-1:0] place_4, place_4_q;
    logic [2*S8-1:0] sum_8;
    logic [2*P8-1:0] place_8;
    logic [S16-1:0] sum_16, sum_16_q;
    logic [P16-1:0] place_16, place_16_q;

    for (genvar i = 0; i < 8; i++) begin : gen_2
        assign sum_2[i*S2+:S2] = S2'($signed(x_i[2*i*WIDTH+:WIDTH])) + S2'($signed(x_i[(2*i+1)*WIDTH+:WIDTH]));
    end
    for (genvar i = 0; i < 4; i++) begin : gen_4
        assign odd_4[i*S2+:S2] = S2'($signed(x_i[(4*i+1)*WIDTH+:WIDTH])) + S2'($signed(x_i[(4*i+3)*WIDTH+:WIDTH]));
        assign sum_4[i*S4+:S4] = S4'($signed(sum_2[2*i*S2+:S2])) + S4'($signed(sum_2[(2*i+1)*S2+:S2]));
        assign place_4[i*P4+:P4] = P4'($signed(odd_4[i*S2+:S2])) + (P4'($signed(sum_2[(2*i+1)*S2+:S2])) << 1);
    end
    for (genvar i = 0; i < 2; i++) begin : gen_8
        assign sum_8[i*S8+:S8] = S8'($signed(sum_4_q[2*i*S4+:S4])) + S8'($signed(sum_4_q[(2*i+1)*S4+:S4]));
        assign place_8[i*P8+:P8] = P8'($signed(place_4_q[2*i*P4+:P4])) + P8'($signed(place_4_q[(2*i+1)*P4+:P4])) +
            (P8'($signed(sum_4_q[(2*i+1)*S4+:S4])) << 2);
    end
    assign sum_16 = S16'($signed(sum_8[S8-1:0])) + S16'($signed(sum_8[2*S8-1:S8]));
    assign place_16 = P16'($signed(place_8[P8-1:0])) + P16'($signed(place_8[2*P8-1:P8])) +
        (P16'($signed(sum_8[2*S8-1:S8])) << 3);

    always_ff @(posedge clk_i) begin
        sum_4_q <= sum_4;
        place_4_q <= place_4;
        sum_16_q <= sum_16;
        place_16_q <= place_16;
        y_o <= OUT'($signed(sum_16_q)) + (OUT'($signed(place_16_q)) << 1);
    end

endmodule
