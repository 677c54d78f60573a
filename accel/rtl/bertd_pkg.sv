// Data path: all of it: the types that pass between the modules.
// Parameters, jobs and streams that the modules of the engine share.
//
// Opcodes, registers, the words of a command and the coefficients of the element functions come from
// schemas/accel.json: accel_constants.svh declares them as localparams, with the names they have in C.
package bertd_pkg;

`include "accel_constants.svh"

    // The image's panels: 16 outputs by 4 inputs are one beat of 512 bits.
    localparam int PANEL = 16;
    localparam int BEAT = 512;
    localparam int GROUP_ROWS = 4;  // rows a vector slice works on, interleaved

    // Limits of a command. All sizes are multiples of PANEL.
    // Of a sequence; also the rows of all sequences, each filled up to GROUP_ROWS. The memories on the chip are as large.
`ifdef BERTD_TOKENS
    localparam int MAX_TOKENS = `BERTD_TOKENS;
`else
    localparam int MAX_TOKENS = 512;
`endif
    localparam int ROW_BITS = $clog2(MAX_TOKENS);  // a row's number has 9 elsewhere, a row group's 7
    localparam int MAX_SEGMENTS = ACCEL_COMMAND_SEGMENTS;
    localparam int SEGMENT_BITS = $clog2(MAX_SEGMENTS);
    // Blocks of PANEL tokens, each sequence on a fresh one: so few fit a side buffer.
    localparam int MAX_BLOCKS = (MAX_TOKENS + (PANEL - 1) * MAX_SEGMENTS) / PANEL;
    localparam int MAX_LAYERS = 1024;
    localparam int MAX_HIDDEN = 1024;
    localparam int MAX_INTERMEDIATE = 4096;
    localparam int MAX_HEADS = 32;

    // Latencies are set here and nowhere else: whatever depends on one is computed from it, and one that does not fit ends
    // the elaboration. So a memory or a unit may gain stages by its number.

    // Of a memory, from the address to the word. UltraRAM, columns of up to 16 of them, and block RAM have these registers
    // inside or between them.
    localparam int ULTRA_LATENCY = 3;
    localparam int BLOCK_LATENCY = 2;
    localparam int DISTRIBUTED_LATENCY = 1;

    localparam int FANOUT_STAGES = 2;    // of a signal with many readers (bertd_fanout)
    localparam int CROSSING_STAGES = 2;  // between the rows' side and the weights' side (bertd_crossing)
    localparam int RESET_CYCLES = 32;    // that a reset lasts at least
    localparam int OPERAND_LATENCY = FANOUT_STAGES + ULTRA_LATENCY;       // of bertd_operand_memory
    localparam int ROW_LATENCY = FANOUT_STAGES + ULTRA_LATENCY;           // of bertd_row_memory
    localparam int RESIDUAL_LATENCY = ROW_LATENCY + 2 * CROSSING_STAGES;  // of the residual rows, for the drain
    localparam int SCALAR_LATENCY = ULTRA_LATENCY;                        // of bertd_scalar_memory

    // Of the array: from its operands, as the memories put them out, to their dot products; from a step, which reads them,
    // to its dot products; from a tile's last step to when its sums may be asked for; from there to a row of them.
    localparam int ARRAY_DOT_LATENCY = 8;
    localparam int ARRAY_STEP_LATENCY = OPERAND_LATENCY + ARRAY_DOT_LATENCY;
    localparam int ARRAY_RESULT_LATENCY = ARRAY_STEP_LATENCY + 1 - FANOUT_STAGES;
    localparam int ARRAY_EXIT_STAGES = 2;  // of bertd_array_pick
    localparam int ARRAY_ROW_LATENCY = FANOUT_STAGES + ARRAY_EXIT_STAGES;
    // Columns of a row that share their copies of the flags.
    localparam int ARRAY_FLAG_COLUMNS = 4;
    localparam int ARRAY_FLAGS = PANEL / ARRAY_FLAG_COLUMNS;

    // Of the sum of up to 64 products of int8, a score.
    localparam int SCORE_BITS = 16 + 6;

    // From 16 numbers to their weighted sum (bertd_check_sum).
    localparam int CHECK_SUM_LATENCY = 3;

    // Of the floating-point units: result LATENCY enabled cycles after the operands.
    localparam int FP_PRODUCT_LATENCY = 4;
    localparam int FP_ADD_LATENCY = 4;
    localparam int FP_MUL_LATENCY = FP_PRODUCT_LATENCY + 1;
    localparam int FP_FMA_LATENCY = FP_PRODUCT_LATENCY + 4;
    localparam int FP_FROM_INT32_LATENCY = 3;
    localparam int FP_TO_INT_LATENCY = 2;
    localparam int FP_NEAREST_LATENCY = FP_PRODUCT_LATENCY + 2;
    localparam int FP_EXP_REDUCE_LATENCY = FP_NEAREST_LATENCY + 7;
    localparam int FP_EXP_STEP_LATENCY = FP_PRODUCT_LATENCY + 3;
    localparam int FP_EXP_LATENCY = FP_EXP_REDUCE_LATENCY + 5 * FP_EXP_STEP_LATENCY + 1;
    localparam int FP_DIV_LATENCY = 14;
    localparam int FP_SQRT_LATENCY = 14;
    localparam int FP_ACTIVATION_LATENCY = FP_NEAREST_LATENCY + 1 + 6 * FP_FMA_LATENCY;
    localparam int DRAIN_ACTIVATION_LATENCY = FP_ACTIVATION_LATENCY + 1;
    localparam int DRAIN_LATENCY = FP_FROM_INT32_LATENCY + FP_MUL_LATENCY + FP_FMA_LATENCY + DRAIN_ACTIVATION_LATENCY +
        FP_ADD_LATENCY;

    // Row sums: a lane's adder takes GROUP_ROWS cycles, so that a row's sum leaves it when the row's next word comes. Behind
    // a group's last word the lanes are added up, half of them to the other half, and the sums leave, row by row.
    localparam int FOLD_CYCLES = ($clog2(PANEL) + 1) * GROUP_ROWS;

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

    // A command: layers of a ragged batch, decoded and checked.
    typedef struct packed {
        logic project;              // keys and values of my rows
        logic finish;               // everything behind them
        logic [10:0] layers;        // one after another, their weights layer_stride apart
        logic [10:0] hidden;
        logic [12:0] intermediate;
        logic [5:0] heads;
        logic [6:0] head_dim;
        logic [9:0] first_block;    // of a part of a sequence: the token block (of PANEL tokens) that my rows begin in
        logic [3:0] skip;           // tokens of that block before my rows
        logic [9:0] rows;           // mine, of all segments
        logic [1:0] activation;
        logic [31:0] eps;
        logic [31:0] inv_hidden;
        logic [63:0] rows_address;
        logic [63:0] keys;          // block 0 of the sequence, head 0
        logic [63:0] values;
        logic [63:0] key_scales;
        logic [63:0] value_scales;
        logic [63:0] weights_kv;
        logic [63:0] weights_q;
        logic [63:0] weights_output;
        logic [63:0] weights_ffn1;
        logic [63:0] weights_ffn2;
        logic [63:0] attention_norm;
        logic [63:0] output_norm;
        logic [63:0] layer_stride;
    } command_t;

    // A sequence of the batch, or a part of one.
    typedef struct packed {
        logic [9:0] tokens;         // of the whole sequence: its keys
        logic [9:0] rows;           // mine
        logic [6:0] group;          // its first row group; its rows begin `skip` behind the group's first
        logic [5:0] block;          // its first block of keys and values
    } segment_t;

    // Four rows of one segment.
    typedef struct packed {
        logic [3:0] mine;           // which are there; the others fill up
        logic [9:0] tokens;         // of their segment
        logic [5:0] block;
    } group_t;

    // bertd_layout tells all units where the segments lie; each keeps what it needs in a bertd_table.
    typedef struct packed {
        logic segment_write;
        logic [SEGMENT_BITS-1:0] segment_index;
        segment_t segment;
        logic group_write;
        logic [6:0] group_index;
        group_t group;
    } layout_t;

    // And how much there is of them.
    typedef struct packed {
        logic [SEGMENT_BITS-1:0] last_segment;
        logic [7:0] groups;
        logic [6:0] blocks;
    } extent_t;

    // Where things lie on the card. A row of the operand memory has words of PANEL int8, a row of the row memory words
    // of PANEL binary32, a row's scalars are one binary32 each.
    localparam int OPERAND_WORDS = 320;
    localparam logic [8:0] OPERAND_X = 9'd0;           // the quantised input of a linear as wide as the model
    localparam logic [8:0] OPERAND_WIDE = 9'd64;       // of FFN2
    localparam logic [8:0] OPERAND_QUERY = 9'd64;      // queries of all heads; dead before FFN2's input is made
    localparam logic [8:0] OPERAND_CONTEXT = 9'd64;    // the queries are dead by then
    localparam logic [8:0] OPERAND_DIGITS = 9'd128;    // two heads' probabilities: high digits, low digits
    localparam logic [8:0] OPERAND_DIGIT_WORDS = 9'd32;
    localparam int ROW_WORDS = 256;
    localparam logic [7:0] ROW_KEY = 8'd0;
    localparam logic [7:0] ROW_VALUE = 8'd64;
    localparam logic [7:0] ROW_QUERY = 8'd128;
    localparam logic [7:0] ROW_SCORES = 8'd0;          // two heads' scores; keys are dead by then
    localparam logic [7:0] ROW_SCORE_WORDS = 8'd32;
    localparam logic [7:0] ROW_CONTEXT = 8'd64;
    localparam logic [7:0] ROW_SUM = 8'd0;             // what a linear leaves for a row program
    localparam int INPUT_WORDS = 64;                   // the residual memory: x, then x1
    localparam int SCALARS = 64;
    localparam logic [5:0] SCALAR_X = 6'd0;
    localparam logic [5:0] SCALAR_WIDE = 6'd1;
    localparam logic [5:0] SCALAR_FACTOR = 6'd2;       // two heads' context factors
    localparam logic [5:0] SCALAR_QUERY = 6'd32;       // one a head

    // Weights on their way. The array takes them in chunks: all panels of a chunk for one tile of rows, then for the next
    // one. So the tiles' rows are done one after the other, CHUNK_BEATS apart, and row programs work meanwhile.
    localparam int RING_BITS = 13;
    localparam int RING_BEATS = 1 << RING_BITS;
    localparam int CHUNK_BEATS = 6144;                 // at most; the rest of the ring is for what comes next
    localparam int CHUNK_PANELS = 33;                  // scores of MAX_TOKENS and their check panel
    localparam int PARAM_BITS = 6;
    localparam int PARAM_SLOTS = 1 << PARAM_BITS;      // panels whose scales and biases are at hand

    // Weights (or keys, or values) to fetch. A panel has `params` beats (scales, then biases), then `segments` times
    // `beats`. Where the params do not lie just before the panel, they have an address of their own.
    typedef struct packed {
        logic wait_kv;              // not before keys and values are written ...
        logic [7:0] kv_jobs;        // ... of the first so many jobs
        logic [8:0] panels;
        logic [5:0] segments;
        logic [10:0] beats;
        logic [10:0] groups;        // segments * beats
        logic [1:0] params;
        logic params_apart;
        logic check;                // behind them comes a check panel of what they were
        logic [63:0] address;
        logic [31:0] panel_stride;
        logic [31:0] segment_stride;
        logic [63:0] params_address;
        logic [31:0] params_stride;
    } fetch_job_t;

    // Panels for the array, and what becomes of their accumulators.
    typedef struct packed {
        logic [9:0] wait_vector;    // vector jobs that must be done
        logic [6:0] group;          // the first row group
        logic [7:0] row_groups;
        logic [8:0] panels;
        logic [10:0] groups;        // beats of a panel
        logic two_digits;           // 128 * (high digits) + (low digits)
        logic [8:0] operand;
        logic [5:0] scalar;
        logic [1:0] params;         // 2: scale and bias; 1: scale; 0: neither
        logic activate;
        logic residual;
        logic wide;                 // scores: several rows a cycle leave the array
        logic [7:0] column;         // of the first panel's word in the row memory
        logic check_first;          // its first panel is the first of a checksum
        logic check_last;           // its last panel is the check panel
        logic pass_last;            // the last of the jobs whose rows a row program takes
    } array_job_t;

    // A tile of accumulators on its way out.
    typedef struct packed {
        logic [8:0] row;            // the first that is wanted
        logic [9:0] rows;
        logic last_tile;
        logic [PARAM_BITS-1:0] slot;
        logic [5:0] scalar;
        logic [1:0] params;
        logic activate;
        logic residual;
        logic wide;
        logic [7:0] column;
        logic check_first;
        logic check;
        logic rows_done;            // of its job these rows are done, but for the check panel
        logic pass_last;
    } tile_t;

    // A row of a tile on its way through the drain.
    typedef struct packed {
        logic [8:0] row;
        tile_t tile;
    } drain_word_t;

    // A row program over all rows.
    typedef struct packed {
        logic [9:0] wait_pass;      // passes of the array that must have done with a group's rows
        logic wait_load;            // a group's rows must have been loaded
        logic store;                // what becomes of the rows goes to card memory as well
        logic layer_end;            // the layer's last
        slice_cmd_t command;
        logic [7:0] source;         // word of the row memory
        logic to_kv;                // quantised rows go to the KV stage, not to the operand memory
        logic side;                 // takes a side buffer
        logic write_rows;           // normalised rows go to the residual memory
        logic digits;               // two digits a value
        logic [8:0] operand;
        logic [5:0] scalar;
    } vector_job_t;

    // Side words for a vector job: gamma and beta alternating, or one beat of value scales a block.
    typedef struct packed {
        logic wait_kv;              // not before keys and values are written ...
        logic [7:0] kv_jobs;        // ... of the first so many jobs
        logic [63:0] address;
        logic [6:0] words;
        logic pairs;
        logic [31:0] stride;
    } side_job_t;

    // One head's quantised keys or values, from the stage to card memory.
    typedef struct packed {
        logic value;
        logic [63:0] address;       // of my first block
        logic [63:0] scale_address;
    } kv_job_t;

endpackage
