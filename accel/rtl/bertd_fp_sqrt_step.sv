// Data path: a stage of bertd_fp_sqrt -> the next one.
// Two bits of a restoring square root, in one stage: the highest bits of the radicand and the root first.
module bertd_fp_sqrt_step (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [25:0] radicand_i,   // what is left of it
    input  logic [27:0] remainder_i,
    input  logic [25:0] root_i,
    output logic [25:0] radicand_o,
    output logic [27:0] remainder_o,
    output logic [25:0] root_o
);

    logic [27:0] next1, next2, rest1, rest2;
    logic [28:0] less1, less2;
    logic [25:0] root1, root2;
    assign next1 = {remainder_i[25:0], radicand_i[25:24]};
    assign less1 = {1'b0, next1} - {1'b0, root_i, 2'b01};
    assign rest1 = less1[28] ? next1 : less1[27:0];
    assign root1 = {root_i[24:0], !less1[28]};
    assign next2 = {rest1[25:0], radicand_i[23:22]};
    assign less2 = {1'b0, next2} - {1'b0, root1, 2'b01};
    assign rest2 = less2[28] ? next2 : less2[27:0];
    assign root2 = {root1[24:0], !less2[28]};

    always_ff @(posedge clk_i) begin
        if (en_i) begin
            radicand_o <= {radicand_i[21:0], 4'd0};
            remainder_o <= rest2;
            root_o <= root2;
        end
    end

    logic unused;
    assign unused = ^{remainder_i[27:26], rest1[27:26]};

endmodule
