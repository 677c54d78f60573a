// Data path: the segment of an activation -> a coefficient, for a step of bertd_fp_activation.
// Coefficient INDEX of q for one segment of one activation: functions.tail of schemas/accel.json; 0 for relu and none.
module bertd_fp_tail_coefficient #(
    parameter int INDEX = 0
) (
    input  logic [ 1:0] kind_i,
    input  logic [ 2:0] segment_i,
    output logic [31:0] y_o
);

    localparam logic [1535:0] GELU = bertd_pkg::ACCEL_TAIL_GELU;
    localparam logic [1535:0] GELU_NEW = bertd_pkg::ACCEL_TAIL_GELU_NEW;
    localparam logic [255:0] GELU_ROW = GELU[256*INDEX+:256];
    localparam logic [255:0] GELU_NEW_ROW = GELU_NEW[256*INDEX+:256];

    always_comb begin
        case (kind_i)
            bertd_pkg::ACTIVATION_GELU: y_o = GELU_ROW[32*segment_i+:32];
            bertd_pkg::ACTIVATION_GELU_NEW: y_o = GELU_NEW_ROW[32*segment_i+:32];
            default: y_o = 32'd0;
        endcase
    end

endmodule
