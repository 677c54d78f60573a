// Number of zeros before the first one of x; 0 where there is none among the first MOST bits + 1.
module fp_leading_zeros #(
    parameter int WIDTH = 32,
    parameter int MOST = WIDTH,
    localparam int COUNT = $clog2(WIDTH + 1)
) (
    input  logic [WIDTH-1:0] x_i,
    output logic [COUNT-1:0] count_o
);

    always_comb begin
        count_o = '0;
        for (int i = (MOST < WIDTH ? MOST : WIDTH - 1); i >= 0; i--) if (x_i[WIDTH-1-i]) count_o = COUNT'(i);
    end

    // Where MOST is small, the other bits are not looked at.
    logic unused;
    assign unused = ^x_i;

endmodule
