// Data path: row buffer or input of a slice -> which word goes into the pipelines -> bertd_slice_center, rotation.
// Sends the words of one group after another into the pipelines behind the row buffer:
//   QUANT    straight from the input
//   SOFTMAX  once from the row buffer
//   NORM     twice: for the variance, and when the rows' factors are there, to be normalised
// Words are sent only where there is room for what becomes of them, so the pipelines never wait. Groups of one kind
// follow each other without a gap (but for the 20 cycles SOFTMAX's adders need); another kind waits until all is done.
module bertd_slice_issue (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  logic                  cmd_valid_i,
    input  bertd_pkg::slice_cmd_t cmd_i,
    input  logic                  loaded_i,        // NORM, SOFTMAX: in the row buffer, with its statistics
    input  logic                  input_i,         // QUANT: the input is now this group's
    input  logic                  drained_i,       // all earlier groups are done
    input  logic                  factors_i,       // NORM: the second pass may begin
    input  logic                  in_valid_i,
    output logic                  in_ready_o,
    input  logic                  side_valid_i,
    output logic                  side_ready_o,
    input  logic                  space_i,         // in the result buffer
    output logic                  issue_o,
    output logic                  quant_o,         // from the input
    output logic                  final_o,         // a pass that makes results
    output logic                  done_o,          // the group's last word
    output logic                  rewind_o,        // the last word of a pass that does not
    output logic [           1:0] row_o,
    output logic                  first_o,
    output logic                  end_o,
    output logic [          15:0] mask_o,
    output bertd_pkg::slice_cmd_t in_flight_o      // of the words in flight
);

    localparam logic [4:0] GAP = 5'(bertd_pkg::FOLD_CYCLES);

    logic norm, softmax, second_q, same, may_start, room, go, last;
    logic [4:0] gap_q;
    bertd_pkg::slice_cmd_t in_flight_q;
    assign quant_o = cmd_i.kind == bertd_pkg::SLICE_QUANT;
    assign norm = cmd_i.kind == bertd_pkg::SLICE_NORM;
    assign softmax = cmd_i.kind == bertd_pkg::SLICE_SOFTMAX;
    assign final_o = !norm || second_q;
    assign same = cmd_i.kind == in_flight_q.kind && cmd_i.rotate_log2 == in_flight_q.rotate_log2;
    assign may_start = cmd_valid_i && (same || drained_i) && (quant_o ? input_i : loaded_i);
    assign room = !final_o || (space_i && (!norm || factors_i));
    assign go = may_start && room && gap_q == 5'd0;

    // Side words come once for the four rows.
    logic needs_side;
    assign needs_side = final_o && !quant_o && row_o == 2'd0;
    assign in_ready_o = go && quant_o;
    assign side_ready_o = go && needs_side;
    assign issue_o = go && (quant_o ? in_valid_i : !needs_side || side_valid_i);
    assign done_o = issue_o && final_o && end_o;
    assign rewind_o = issue_o && !final_o && end_o;
    assign in_flight_o = in_flight_q;

    bertd_slice_walk u_walk (
        .clk_i,
        .rst_ni,
        .advance_i(issue_o),
        .width_i  (cmd_i.width),
        .rows_i   (cmd_i.rows),
        .row_o,
        .first_o,
        .last_o   (last),
        .end_o,
        .mask_o
    );

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            second_q <= 1'b0;
            gap_q <= 5'd0;
            in_flight_q <= '0;
        end else begin
            if (issue_o) in_flight_q <= cmd_i;
            if (rewind_o) second_q <= 1'b1;
            else if (done_o) second_q <= 1'b0;
            if (done_o && softmax) gap_q <= GAP;
            else if (gap_q != 5'd0) gap_q <= gap_q - 5'd1;
        end
    end

    logic unused;
    assign unused = last;

endmodule
