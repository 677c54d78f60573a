// Data path: products of bertd_slice_sum -> its running sums.
// A product (as bertd_fp_product gives it) + c, neither below 0, rounded once, in four stages. Nothing cancels, so what
// is shifted out is only sticky, and the sum's leading one is at one of three places. c is a result of a floating-point
// unit: a zero has no fraction.
module bertd_fp_accumulate (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [ 9:0] exponent_i,
    input  logic [47:0] mantissa_i,
    input  logic        inf_i,
    input  logic        nan_i,
    input  logic [31:0] c_i,
    output logic [31:0] y_o
);

    // 1: which is larger; coarse shift. With c's exponent below the product's, ~difference is one less than the distance.
    logic c_larger, c_one, c_top, shifted_out;
    logic [10:0] difference;
    logic [9:0] distance;
    logic [48:0] smaller;
    logic [47:0] coarse;
    logic lost;
    assign c_one = c_i[30:23] != 8'd0;
    assign c_top = c_i[30:23] == 8'd255;
    assign difference = {3'd0, c_i[30:23]} - {exponent_i[9], exponent_i};
    assign c_larger = !difference[10];
    assign distance = difference[9:0] ^ {10{!c_larger}};
    assign smaller = c_larger ? {mantissa_i, 1'b0} : {2'b00, c_one, c_i[22:0], 23'd0};
    assign shifted_out = distance[9:6] != 4'd0;
    always_comb begin
        case (distance[5:4])
            2'd0: begin
                coarse = smaller[48:1];
                lost = 1'b0;
            end
            2'd1: begin
                coarse = {16'd0, smaller[48:17]};
                lost = smaller[16:1] != 16'd0;
            end
            2'd2: begin
                coarse = {32'd0, smaller[48:33]};
                lost = smaller[32:1] != 32'd0;
            end
            default: begin
                coarse = 48'd0;
                lost = smaller[48:46] != 3'd0;  // of what is not 0, one of these is set
            end
        endcase
    end

    logic sticky1_q, inf1_q, nan1_q;
    logic [9:0] exponent1_q;
    logic [47:0] larger1_q, smaller1_q;
    logic [3:0] fine1_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            exponent1_q <= c_larger ? {2'd0, c_i[30:23]} : exponent_i;
            larger1_q <= c_larger ? {1'b0, c_one, c_i[22:0], 23'd0} : mantissa_i;
            smaller1_q <= coarse;
            if (shifted_out) smaller1_q <= 48'd0;
            sticky1_q <= shifted_out ? smaller[48:46] != 3'd0 : lost;
            fine1_q <= distance[3:0];
            inf1_q <= inf_i || c_top;
            nan1_q <= nan_i || (c_top && c_i[22:0] != 23'd0);
        end
    end

    // 2: fine shift, sum
    logic [62:0] fine;
    assign fine = {smaller1_q, 15'd0} >> fine1_q;
    logic [48:0] sum2_q;
    logic sticky2_q, inf2_q, nan2_q;
    logic [9:0] exponent2_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            sum2_q <= {1'b0, larger1_q} + {1'b0, fine[62:15]};
            sticky2_q <= fine[14:0] != 15'd0 || sticky1_q;
            exponent2_q <= exponent1_q;
            inf2_q <= inf1_q;
            nan2_q <= nan1_q;
        end
    end

    // 3: normalise
    logic [22:0] fraction3_q;
    logic guard3_q, sticky3_q, zero3_q, inf3_q, nan3_q;
    logic [9:0] exponent3_q;
    logic [23:0] normal;
    assign normal = sum2_q[48] ? sum2_q[47:24] : sum2_q[47] ? sum2_q[46:23] : sum2_q[45:22];
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            fraction3_q <= normal[23:1];
            guard3_q <= normal[0];
            sticky3_q <= sticky2_q || sum2_q[21:0] != 22'd0 || (sum2_q[22] && sum2_q[48:47] != 2'd0) ||
                (sum2_q[23] && sum2_q[48]);
            zero3_q <= sum2_q[48:46] == 3'd0;  // or tiny
            exponent3_q <= exponent2_q + (sum2_q[48] ? 10'd2 : 10'(sum2_q[47]));
            inf3_q <= inf2_q;
            nan3_q <= nan2_q;
        end
    end

    bertd_fp_round u_round (
        .clk_i,
        .en_i,
        .sign_i    (1'b0),
        .exponent_i(exponent3_q),
        .fraction_i(fraction3_q),
        .guard_i   (guard3_q),
        .sticky_i  (sticky3_q),
        .zero_i    (zero3_q),
        .inf_i     (inf3_q),
        .nan_i     (nan3_q),
        .y_o
    );

    logic unused;
    assign unused = ^{smaller[0], c_i[31]};

endmodule
