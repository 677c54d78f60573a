// Parameters, jobs and streams that the modules of the engine share.
//
// Opcodes, registers, the words of a command and the coefficients of the element functions come from
// schemas/accel.json: accel_constants.svh declares them as localparams, with the names they have in C.
package bertd_pkg;

`include "accel_constants.svh"

    // The image's panels: 16 outputs by 4 inputs are one beat of 512 bits.
    localparam int PANEL = 16;
    localparam int BEAT = 512;
    localparam int GROUP_ROWS = 4;  // rows a vector slice works on in turn

    // Limits of a command. All sizes are multiples of PANEL.
    localparam int MAX_TOKENS = 512;
    localparam int MAX_HIDDEN = 1024;
    localparam int MAX_INTERMEDIATE = 4096;
    localparam int MAX_HEADS = 32;

    // Pipeline depth of the floating-point units: result LATENCY enabled cycles after the operands.
    localparam int FP_ADD_LATENCY = 4;
    localparam int FP_MUL_LATENCY = 3;
    localparam int FP_FMA_LATENCY = 4;
    localparam int FP_FROM_INT32_LATENCY = 2;
    localparam int FP_ACTIVATION_LATENCY = 40;

    localparam logic [31:0] FP_ONE = 32'h3f800000;
    localparam logic [31:0] FP_MINUS_ZERO = 32'h80000000;  // adding it changes nothing, not even the sign of a zero

    localparam logic [1:0] ACTIVATION_GELU = 2'd0;  // as enum image_activation
    localparam logic [1:0] ACTIVATION_GELU_NEW = 2'd1;
    localparam logic [1:0] ACTIVATION_RELU = 2'd2;
    localparam logic [1:0] ACTIVATION_NONE = 2'd3;

    // Row programs of a vector slice.
    localparam logic [1:0] SLICE_QUANT = 2'd0;
    localparam logic [1:0] SLICE_NORM = 2'd1;
    localparam logic [1:0] SLICE_SOFTMAX = 2'd2;

    typedef struct packed {
        logic [1:0] kind;         // SLICE_*
        logic [12:0] width;       // elements of a row
        logic [2:0] rotate_log2;  // Hadamard block of the quantised rows, 0: none
        logic [2:0] rows;         // valid rows, 1..4; words of the others still come
        logic [31:0] inv_width;   // NORM: 1 / width
        logic [31:0] eps;         // NORM
    } slice_cmd_t;

endpackage
