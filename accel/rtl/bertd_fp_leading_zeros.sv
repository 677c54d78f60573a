// Data path: a sum before it is rounded -> the places by which bertd_fp_normalise or an adder shifts it.
// Number of zeros before the first one of x, by halves. MOST: there are no more than that, so that only the first
// MOST + 1 bits are looked at. Without a one among them the count means nothing.
module bertd_fp_leading_zeros #(
    parameter int WIDTH = 32,
    parameter int MOST = WIDTH,
    localparam int COUNT = $clog2(WIDTH + 1)
) (
    input  logic [WIDTH-1:0] x_i,
    output logic [COUNT-1:0] count_o
);

    localparam int SEEN = MOST < WIDTH ? MOST + 1 : WIDTH;
    localparam int LEVELS = $clog2(SEEN);
    localparam int SIZE = 1 << LEVELS;

    // After level k, place i tells of 2^(k+1) bits whether there is a one, and how many zeros precede it.
    logic [SIZE-1:0] one;
    logic [SIZE*LEVELS-1:0] zeros;
    always_comb begin
        one = '0;
        one[SIZE-1-:SEEN] = x_i[WIDTH-1-:SEEN];
        zeros = '0;
        for (int k = 0; k < LEVELS; k++) begin
            for (int i = 0; i < (SIZE >> (k + 1)); i++) begin
                zeros[LEVELS*i+:LEVELS] = one[2*i+1] ? zeros[LEVELS*(2*i+1)+:LEVELS] :
                    zeros[LEVELS*2*i+:LEVELS] | (LEVELS'(1) << k);
                one[i] = one[2*i+1] || one[2*i];
            end
        end
    end
    assign count_o = COUNT'(zeros[LEVELS-1:0]);

    // Where MOST is small, the other bits are not looked at.
    logic unused;
    assign unused = ^x_i;

endmodule
