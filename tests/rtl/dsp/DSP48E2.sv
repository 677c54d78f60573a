// Data path: in place of the card's primitive in bertd_dsp_multiply_add.sv, whose name and ports it has.
// What that module uses of the DSP48E2 primitive, in its ports' and parameters' names: registers A, B, D, AD, M, P; the
// pre-adder D + A; the 27 x 18 multiplier; the 48-bit adder, with PCIN (straight or shifted right by 17) at its Z
// input. Other settings of the mode inputs stop the simulation.
module DSP48E2 #(
    parameter AMULTSEL = "A",
    parameter int AREG = 1,
    parameter int ACASCREG = 1,
    parameter int BREG = 1,
    parameter int BCASCREG = 1,
    parameter int DREG = 1,
    parameter int ADREG = 1,
    parameter int CREG = 1,
    parameter int MREG = 1,
    parameter int PREG = 1,
    parameter int ALUMODEREG = 1,
    parameter int CARRYINREG = 1,
    parameter int CARRYINSELREG = 1,
    parameter int INMODEREG = 1,
    parameter int OPMODEREG = 1
) (
    input  logic        CLK,
    input  logic [29:0] A,
    input  logic [17:0] B,
    input  logic [47:0] C,
    input  logic [26:0] D,
    input  logic [47:0] PCIN,
    input  logic [ 3:0] ALUMODE,
    input  logic [ 4:0] INMODE,
    input  logic [ 8:0] OPMODE,
    input  logic        CARRYIN,
    input  logic [ 2:0] CARRYINSEL,
    input  logic        CEA1, CEA2, CEB1, CEB2, CEC, CED, CEAD, CEM, CEP, CEALUMODE, CECARRYIN, CECTRL, CEINMODE,
    input  logic        RSTA, RSTB, RSTC, RSTD, RSTM, RSTP, RSTALLCARRYIN, RSTALUMODE, RSTCTRL, RSTINMODE,
    output logic [47:0] P,
    output logic [47:0] PCOUT
);

    // A single register of A or B is the second one.
    logic signed [26:0] a1_q, a2_q, d_q, ad_q, a2, d, ad, multiplicand;
    logic signed [17:0] b1_q, b2_q, multiplier;
    logic signed [44:0] m_q;
    logic [47:0] z;
    assign a2 = AREG == 0 ? A[26:0] : a2_q;
    assign multiplier = BREG == 0 ? B : b2_q;
    assign d = DREG == 0 ? D : d_q;
    assign ad = ADREG == 0 ? (INMODE[2] ? d + a2 : a2) : ad_q;
    assign multiplicand = AMULTSEL == "AD" ? ad : a2;
    always_comb begin
        case (OPMODE[6:4])
            3'b000: z = 48'd0;
            3'b001: z = PCIN;
            default: z = {{17{PCIN[47]}}, PCIN[47:17]};
        endcase
    end

    // A reset goes before an enable.
    always_ff @(posedge CLK) begin
        if (RSTA) begin
            a1_q <= '0;
            a2_q <= '0;
        end else begin
            if (CEA1) a1_q <= A[26:0];
            if (CEA2) a2_q <= AREG == 2 ? a1_q : A[26:0];
        end
        if (RSTB) begin
            b1_q <= '0;
            b2_q <= '0;
        end else begin
            if (CEB1) b1_q <= B;
            if (CEB2) b2_q <= BREG == 2 ? b1_q : B;
        end
        if (RSTD) begin
            d_q <= '0;
            ad_q <= '0;
        end else begin
            if (CED) d_q <= D;
            if (CEAD) ad_q <= INMODE[2] ? d + a2 : a2;
        end
        if (RSTM) m_q <= '0;
        else if (CEM) m_q <= multiplicand * multiplier;
        if (RSTP) P <= '0;
        else if (CEP) P <= z + 48'(m_q);
    end
    assign PCOUT = P;

    always_ff @(posedge CLK) begin
        assert (MREG == 1 && PREG == 1 && ALUMODE == 4'd0 && !CARRYIN && CARRYINSEL == 3'd0);
        assert ({INMODE[4:3], INMODE[1:0]} == 4'd0);
        assert (OPMODE[8:7] == 2'd0 && OPMODE[3:0] == 4'b0101);
        assert (OPMODE[6:4] == 3'b000 || OPMODE[6:4] == 3'b001 || OPMODE[6:4] == 3'b101);
    end

    logic unused;
    assign unused = ^{A[29:27], C, CEC, CEALUMODE, CECARRYIN, CECTRL, CEINMODE, RSTC, RSTALLCARRYIN, RSTALUMODE, RSTCTRL,
        RSTINMODE, a1_q, b1_q, ad_q, ACASCREG, BCASCREG, CREG, ALUMODEREG, CARRYINREG, CARRYINSELREG, INMODEREG, OPMODEREG};

endmodule
