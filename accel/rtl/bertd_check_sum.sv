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

    logic [16*OUT-1:0] x;
    logic [8*OUT-1:0] sum_2;
    logic [4*OUT-1:0] sum_4, sum_4_q, place_4, place_4_q;
    logic [2*OUT-1:0] sum_8, place_8;
    logic [OUT-1:0] sum_16, sum_16_q, place_16, place_16_q;

    for (genvar i = 0; i < 16; i++) begin : gen_wide
        assign x[i*OUT+:OUT] = OUT'($signed(x_i[i*WIDTH+:WIDTH]));
    end
    for (genvar i = 0; i < 8; i++) begin : gen_2
        assign sum_2[i*OUT+:OUT] = x[2*i*OUT+:OUT] + x[(2*i+1)*OUT+:OUT];
    end
    for (genvar i = 0; i < 4; i++) begin : gen_4
        assign sum_4[i*OUT+:OUT] = sum_2[2*i*OUT+:OUT] + sum_2[(2*i+1)*OUT+:OUT];
        assign place_4[i*OUT+:OUT] = x[(4*i+1)*OUT+:OUT] + x[(4*i+3)*OUT+:OUT] + (sum_2[(2*i+1)*OUT+:OUT] << 1);
    end
    for (genvar i = 0; i < 2; i++) begin : gen_8
        assign sum_8[i*OUT+:OUT] = sum_4_q[2*i*OUT+:OUT] + sum_4_q[(2*i+1)*OUT+:OUT];
        assign place_8[i*OUT+:OUT] = place_4_q[2*i*OUT+:OUT] + place_4_q[(2*i+1)*OUT+:OUT] +
            (sum_4_q[(2*i+1)*OUT+:OUT] << 2);
    end
    assign sum_16 = sum_8[OUT-1:0] + sum_8[2*OUT-1:OUT];
    assign place_16 = place_8[OUT-1:0] + place_8[2*OUT-1:OUT] + (sum_8[2*OUT-1:OUT] << 3);

    always_ff @(posedge clk_i) begin
        sum_4_q <= sum_4;
        place_4_q <= place_4;
        sum_16_q <= sum_16;
        place_16_q <= place_16;
        y_o <= sum_16_q + (place_16_q << 1);
    end

endmodule
