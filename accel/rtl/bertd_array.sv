// Data path: operand memory (rows), bertd_weight_ring (weights) -> int32 sums -> bertd_drain.
// ROWS x 16 accumulators, output-stationary: weights go to all rows, a row's operands to its 16 outputs. The sums of a
// finished tile move at once into a second set of registers, from which the drain picks row after row while the next
// tile is added up.
module bertd_array #(
    parameter int ROWS = 4,
    parameter int PATHS = 1                 // rows that are picked at once, ROWS / PATHS apart
) (
    input  logic               clk_i,
    input  logic               rst_ni,
    input  logic               step_i,      // weights and operands come bertd_pkg::OPERAND_LATENCY cycles later
    input  logic [        1:0] group_i,
    input  logic               first_i,
    input  logic               shift_i,
    input  logic               last_i,
    input  logic [      511:0] weights_i,   // [16][4]; FANOUT_STAGES before the operands
    input  logic [ROWS*128-1:0] operands_i, // [ROWS][16]
    output logic               result_o,    // a tile may be asked for from the next cycle on
    input  logic [        8:0] row_i,       // of the first path
    output logic [PATHS*512-1:0] rows_o     // [PATHS][16] int32; bertd_pkg::ARRAY_ROW_LATENCY cycles later
);

    localparam int STEP = bertd_pkg::ARRAY_STEP_LATENCY;

    localparam int FANOUT = bertd_pkg::FANOUT_STAGES;
    localparam int FLAGS = bertd_pkg::ARRAY_FLAGS;
    localparam int RESULT = bertd_pkg::ARRAY_RESULT_LATENCY;
    localparam int PLACES = ROWS / bertd_pkg::GROUP_ROWS;  // of four rows

    logic [511:0] weights_q, skewed;
    logic [PLACES*512-1:0] weights;  // [PLACES][16][4]
    logic [ROWS*512-1:0] results;
    logic [1:0] group;
    logic [ROWS*2-1:0] groups;
    // Flags beside the data: memory, dot products, sums. The last cycles are those of a tree.
    logic [RESULT-1:0] last_q;
    logic [STEP-FANOUT-1:0] step_q, first_q, shift_q;
    logic [ROWS*FLAGS*4-1:0] flags;  // [ROWS][FLAGS]: add, first, shift, load

    if (STEP <= FANOUT) $error("the array's flags take longer than its data");

    always_ff @(posedge clk_i) begin
        weights_q <= weights_i;
        first_q <= {first_q[STEP-FANOUT-2:0], first_i};
        shift_q <= {shift_q[STEP-FANOUT-2:0], shift_i};
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            step_q <= '0;
            last_q <= '0;
        end else begin
            step_q <= {step_q[STEP-FANOUT-2:0], step_i};
            last_q <= {last_q[RESULT-2:0], last_i};
        end
    end
    assign result_o = last_q[RESULT-1];

    bertd_fanout #(
        .WIDTH (FLAGS * 4),
        .COPIES(ROWS)
    ) u_flags (
        .clk_i,
        .in_i ({FLAGS{step_q[STEP-FANOUT-1], first_q[STEP-FANOUT-1], shift_q[STEP-FANOUT-1], result_o}}),
        .out_o(flags)
    );
    bertd_delay_line #(
        .WIDTH(2),
        .DEPTH(bertd_pkg::OPERAND_LATENCY - FANOUT)
    ) u_group (
        .clk_i,
        .in_i (group_i),
        .out_o(group)
    );
    bertd_fanout #(
        .WIDTH (2),
        .COPIES(ROWS)
    ) u_groups (
        .clk_i,
        .in_i (group),
        .out_o(groups)
    );

    bertd_array_skew #(
        .GROUPS(bertd_pkg::PANEL)
    ) u_skew (
        .clk_i,
        .x_i(weights_q),
        .y_o(skewed)
    );
    bertd_fanout #(
        .WIDTH (512),
        .COPIES(PLACES)
    ) u_weights (
        .clk_i,
        .in_i (skewed),
        .out_o(weights)
    );

    for (genvar r = 0; r < ROWS; r++) begin : gen_row
        logic [FLAGS-1:0] add, first, shift, load;
        for (genvar f = 0; f < FLAGS; f++) begin : gen_flag
            assign {add[f], first[f], shift[f], load[f]} = flags[(r*FLAGS+f)*4+:4];
        end
        bertd_array_row u_row (
            .clk_i,
            .group_i   (groups[r*2+:2]),
            .operands_i(operands_i[r*128+:128]),
            .weights_i (weights[r/bertd_pkg::GROUP_ROWS*512+:512]),
            .add_i     (add),
            .first_i   (first),
            .shift_i   (shift),
            .load_i    (load),
            .results_o (results[r*512+:512])
        );
    end
    bertd_array_pick #(
        .ROWS (ROWS),
        .PATHS(PATHS)
    ) u_pick (
        .clk_i,
        .row_i,
        .results_i(results),
        .rows_o
    );

endmodule
