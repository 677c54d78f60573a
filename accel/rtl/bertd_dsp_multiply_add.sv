// Data path: operands of bertd_array_pair or bertd_fp_product -> the product, into the same.
// (a [+ d]) * b + chain, in one DSP48E2 of UltraScale+: 27 x 18 bits, a 48-bit sum. STAGES + 2 enabled cycles, chain_i
// one before the result.
//   STAGES  registers in front of the multiplier; with PRE_ADD two, of which one holds a + d
//   CHAIN   what is added: 0 nothing, 1 chain_i, 2 chain_i shifted right by 17 bits
//
// chain_i comes from the chain_o of another one.
//
// With BERTD_DSP48E2 it is the primitive itself, with all registers inside; otherwise the same in plain words.
module bertd_dsp_multiply_add #(
    parameter int STAGES = 1,
    parameter bit PRE_ADD = 1'b0,
    parameter int CHAIN = 0
) (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic        clear_i,  // with STAGES enabled cycles of delay: the product is to be 0
    input  logic [26:0] a_i,  // all two's complement
    input  logic [26:0] d_i,
    input  logic [17:0] b_i,
    input  logic [47:0] chain_i,
    output logic [47:0] chain_o,
    output logic [47:0] p_o
);

`ifdef BERTD_DSP48E2
    logic unused;
    if (!PRE_ADD) begin : g_unused_d
        assign unused = ^d_i;
    end else begin : g_used_d
        assign unused = 1'b0;
    end
    DSP48E2 #(
        .AMULTSEL     (PRE_ADD ? "AD" : "A"),
        .AREG         (PRE_ADD ? 1 : STAGES),
        .ACASCREG     (PRE_ADD ? 1 : STAGES),
        .BREG         (STAGES),
        .BCASCREG     (STAGES),
        .DREG         (PRE_ADD ? 1 : 0),
        .ADREG        (PRE_ADD ? 1 : 0),
        .CREG         (0),
        .MREG         (1),
        .PREG         (1),
        .ALUMODEREG   (0),
        .CARRYINREG   (0),
        .CARRYINSELREG(0),
        .INMODEREG    (0),
        .OPMODEREG    (0)
    ) u_dsp (
        .CLK          (clk_i),
        .A            ({{3{a_i[26]}}, a_i}),
        .B            (b_i),
        .C            (48'd0),
        .D            (PRE_ADD ? d_i : 27'd0),
        .PCIN         (CHAIN != 0 ? chain_i : 48'd0),
        .ALUMODE      (4'b0000),
        .INMODE       (PRE_ADD ? 5'b00100 : 5'b00000),
        .OPMODE       (CHAIN == 2 ? 9'b001010101 : CHAIN == 1 ? 9'b000010101 : 9'b000000101),
        .CARRYIN      (1'b0),
        .CARRYINSEL   (3'b000),
        .CEA1         (en_i),
        .CEA2         (en_i),
        .CEB1         (en_i),
        .CEB2         (en_i),
        .CEC          (1'b0),
        .CED          (en_i),
        .CEAD         (en_i),
        .CEM          (en_i),
        .CEP          (en_i),
        .CEALUMODE    (1'b0),
        .CECARRYIN    (1'b0),
        .CECTRL       (1'b0),
        .CEINMODE     (1'b0),
        .RSTA         (1'b0),
        .RSTB         (1'b0),
        .RSTC         (1'b0),
        .RSTD         (1'b0),
        .RSTM         (clear_i && en_i),
        .RSTP         (1'b0),
        .RSTALLCARRYIN(1'b0),
        .RSTALUMODE   (1'b0),
        .RSTCTRL      (1'b0),
        .RSTINMODE    (1'b0),
        .P            (p_o),
        .PCOUT        (chain_o)
    );
`else
    logic signed [26:0] a1_q, d1_q, a2_q, a;
    logic signed [17:0] b1_q, b2_q, b;
    logic signed [44:0] m_q;
    assign a = STAGES == 2 ? a2_q : a1_q;
    assign b = STAGES == 2 ? b2_q : b1_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            a1_q <= a_i;
            d1_q <= d_i;
            b1_q <= b_i;
            a2_q <= PRE_ADD ? a1_q + d1_q : a1_q;
            b2_q <= b1_q;
            m_q <= clear_i ? 45'sd0 : a * b;
            p_o <= 48'(m_q) + (CHAIN == 2 ? 48'($signed(chain_i) >>> 17) : CHAIN == 1 ? chain_i : 48'd0);
        end
    end
    assign chain_o = p_o;
`endif

endmodule
