// Data path: operands of bertd_fp_add and bertd_fp_butterfly -> aligned mantissas, for their adders.
// What adding and subtracting have in common: a and b, the operand of the smaller magnitude shifted to the other one:
// by multiples of 8, in the next stage by the rest. So one adder does, and a difference is never negative. The outputs
// come an enabled cycle later and are meant for an adder.
module bertd_fp_align (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] a_i,
    input  logic [31:0] b_i,
    output logic        sign_o,      // of a
    output logic        subtract_o,  // a and b have different signs
    output logic        swap_o,      // b is larger
    output logic        zero_o,      // both are
    output logic [ 7:0] exponent_o,  // of the larger one
    output logic [26:0] larger_o,    // its leading one is bit 26
    output logic [26:0] smaller_o,   // bit 0 also stands for what is below
    output logic        inf_o,       // one is infinite, or no number
    output logic        both_inf_o,
    output logic        nan_o
);

    // With a's exponent below b's, ~difference is one less than the distance.
    logic [8:0] difference;
    logic below, swap, a_zero, b_zero, a_top, b_top, smaller_zero, shifted_out;
    logic [7:0] distance;
    logic [24:0] smaller;
    logic [26:0] coarse;
    logic lost;
    assign a_zero = a_i[30:23] == 8'd0;
    assign b_zero = b_i[30:23] == 8'd0;
    assign a_top = a_i[30:23] == 8'd255;
    assign b_top = b_i[30:23] == 8'd255;
    assign difference = {1'b0, a_i[30:23]} - {1'b0, b_i[30:23]};
    assign below = difference[8];
    assign swap = below || (difference[7:0] == 8'd0 && a_i[22:0] < b_i[22:0]);
    assign distance = difference[7:0] ^ {8{below}};
    assign smaller_zero = below ? a_zero : b_zero;
    assign smaller = below ? {2'b01, a_i[22:0]} : {1'b1, swap ? a_i[22:0] : b_i[22:0], 1'b0};
    assign shifted_out = distance[7:5] != 3'd0 || smaller_zero;
    always_comb begin
        case (distance[4:3])
            2'd0: begin
                coarse = {smaller, 2'd0};
                lost = 1'b0;
            end
            2'd1: begin
                coarse = {8'd0, smaller[24:6]};
                lost = smaller[5:0] != 6'd0;
            end
            2'd2: begin
                coarse = {16'd0, smaller[24:14]};
                lost = smaller[13:0] != 14'd0;
            end
            default: begin
                coarse = {24'd0, smaller[24:22]};
                lost = smaller[21:0] != 22'd0;
            end
        endcase
    end

    logic sticky_q;
    logic [22:0] larger_q;
    logic [26:0] smaller_q;
    logic [2:0] fine_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            sign_o <= a_i[31];
            subtract_o <= a_i[31] ^ b_i[31];
            swap_o <= swap;
            zero_o <= a_zero && b_zero;
            exponent_o <= below ? b_i[30:23] : a_i[30:23];
            larger_q <= swap ? b_i[22:0] : a_i[22:0];
            smaller_q <= coarse;
            if (shifted_out) smaller_q <= 27'd0;
            sticky_q <= shifted_out ? !smaller_zero : lost;
            fine_q <= distance[2:0];
            inf_o <= a_top || b_top;
            both_inf_o <= a_top && b_top;
            nan_o <= (a_top && a_i[22:0] != 23'd0) || (b_top && b_i[22:0] != 23'd0);
        end
    end

    logic [33:0] fine;
    assign fine = {smaller_q, 7'd0} >> fine_q;
    assign larger_o = {1'b1, larger_q, 3'd0};
    assign smaller_o = {fine[33:8], fine[7:0] != 8'd0 || sticky_q};

endmodule
