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
    input  logic               step_i,      // weights and operands come with the next cycle
    input  logic [        1:0] group_i,
    input  logic               first_i,
    input  logic               shift_i,
    input  logic               last_i,
    input  logic [      511:0] weights_i,   // [16][4]
    input  logic [ROWS*128-1:0] operands_i, // [ROWS][16]
    output logic               result_o,    // a tile is in the second set from the next cycle on
    input  logic [        8:0] row_i,       // of the first path
    output logic [PATHS*512-1:0] rows_o     // [PATHS][16] int32, bertd_pkg::ARRAY_PICK_LATENCY cycles later
);

    localparam int DOT = bertd_pkg::ARRAY_DOT_LATENCY;

    logic [511:0] weights_q, weights;
    logic [ROWS*512-1:0] results;
    logic [1:0] group_q;
    // Flags beside the data: memory, dot products, sums.
    logic [DOT+1:0] last_q;
    logic [DOT:0] step_q, first_q, shift_q;

    always_ff @(posedge clk_i) begin
        group_q <= group_i;
        weights_q <= weights_i;
        first_q <= {first_q[DOT-1:0], first_i};
        shift_q <= {shift_q[DOT-1:0], shift_i};
    end

    always_ff @(posedge clk_i or negedge rst_ni) begin
        if (!rst_ni) begin
            step_q <= '0;
            last_q <= '0;
        end else begin
            step_q <= {step_q[DOT-1:0], step_i};
            last_q <= {last_q[DOT:0], last_i};
        end
    end

    bertd_array_skew #(
        .GROUPS(bertd_pkg::PANEL)
    ) u_skew (
        .clk_i,
        .x_i(weights_q),
        .y_o(weights)
    );

    for (genvar r = 0; r < ROWS; r++) begin : gen_row
        bertd_array_row u_row (
            .clk_i,
            .group_i   (group_q),
            .operands_i(operands_i[r*128+:128]),
            .weights_i (weights),
            .add_i     (step_q[DOT]),
            .first_i   (first_q[DOT]),
            .shift_i   (shift_q[DOT]),
            .load_i    (last_q[DOT+1]),
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
    assign result_o = last_q[DOT+1];

endmodule
