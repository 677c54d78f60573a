// Data path: a stage of bertd_fp_div -> the next one.
// Two bits of a restoring division, in one stage: the highest bit left of the quotient first.
module bertd_fp_div_step (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [24:0] remainder_i,  // below 2 * divisor
    input  logic [23:0] divisor_i,
    input  logic [25:0] quotient_i,
    output logic [24:0] remainder_o,
    output logic [23:0] divisor_o,
    output logic [25:0] quotient_o
);

    logic [25:0] less1, less2;
    logic [24:0] rest1, rest2;
    assign less1 = {1'b0, remainder_i} - {2'b0, divisor_i};
    assign rest1 = less1[25] ? {remainder_i[23:0], 1'b0} : {less1[23:0], 1'b0};
    assign less2 = {1'b0, rest1} - {2'b0, divisor_i};
    assign rest2 = less2[25] ? {rest1[23:0], 1'b0} : {less2[23:0], 1'b0};

    always_ff @(posedge clk_i) begin
        if (en_i) begin
            remainder_o <= rest2;
            divisor_o <= divisor_i;
            quotient_o <= {quotient_i[23:0], !less1[25], !less2[25]};
        end
    end

    logic unused;
    assign unused = ^{quotient_i[25:24], less1[24], less2[24]};

endmodule
