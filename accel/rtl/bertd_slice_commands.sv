// Data path: commands of bertd_vector_feed -> each stage of the slice.
// The groups of rows in a slice, at most 16: each stage works on its own, in order, and reads the command it is at.
module bertd_slice_commands (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  logic                  cmd_valid_i,
    output logic                  cmd_ready_o,
    input  bertd_pkg::slice_cmd_t cmd_i,
    input  logic                  scale_taken_i,
    // A stage has done with a group
    input  logic                  load_i,
    input  logic                  stats_i,
    input  logic                  issue_i,
    input  logic                  collect_i,
    input  logic                  inverse_i,
    input  logic                  scale_i,
    input  logic                  put_i,
    // The group a stage is at
    output bertd_pkg::slice_cmd_t load_cmd_o,
    output bertd_pkg::slice_cmd_t issue_cmd_o,
    output bertd_pkg::slice_cmd_t collect_cmd_o,
    output bertd_pkg::slice_cmd_t put_cmd_o,
    output logic [           3:0] stats_group_o,
    output logic [           3:0] issue_group_o,
    output logic [           3:0] inverse_group_o,
    output logic [           3:0] put_group_o,
    output logic                  load_valid_o,
    output logic                  issue_valid_o,    // there is a group
    output logic                  issue_loaded_o,   // with its statistics
    output logic                  issue_input_o,    // all before it are loaded
    output logic                  issue_drained_o,  // all before it are done, but for what is put out
    output logic                  put_valid_o       // with its inverse scales
);

    localparam int CMD = $bits(cmd_i);

    logic [4:0] accepted_q, load_q, stats_q, issue_q, collect_q, inverse_q, scale_q, put_q;
    logic put_full, scale_full;
    logic [6:0] scales_q;  // to come or not yet taken: there is room for 64
    logic accept;
    assign put_full = accepted_q == (put_q ^ 5'd16);
    assign scale_full = accepted_q == (scale_q ^ 5'd16);
    assign cmd_ready_o = !put_full && !scale_full && scales_q <= 7'd60;
    assign accept = cmd_valid_i && cmd_ready_o;

    (* ram_style = "distributed" *) logic [CMD-1:0] commands[0:15];
    always_ff @(posedge clk_i) if (accept) commands[accepted_q[3:0]] <= cmd_i;
    assign load_cmd_o = commands[load_q[3:0]];
    assign issue_cmd_o = commands[issue_q[3:0]];
    assign collect_cmd_o = commands[collect_q[3:0]];
    assign put_cmd_o = commands[put_q[3:0]];

    assign stats_group_o = stats_q[3:0];
    assign issue_group_o = issue_q[3:0];
    assign inverse_group_o = inverse_q[3:0];
    assign put_group_o = put_q[3:0];
    assign load_valid_o = load_q != accepted_q;
    assign issue_valid_o = issue_q != accepted_q;
    assign issue_loaded_o = issue_q != stats_q;
    assign issue_input_o = issue_q == load_q;
    assign issue_drained_o = issue_q == scale_q && issue_q == inverse_q;
    assign put_valid_o = put_q != inverse_q;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            accepted_q <= 5'd0;
            load_q <= 5'd0;
            stats_q <= 5'd0;
            issue_q <= 5'd0;
            collect_q <= 5'd0;
            inverse_q <= 5'd0;
            scale_q <= 5'd0;
            put_q <= 5'd0;
            scales_q <= 7'd0;
        end else begin
            accepted_q <= accepted_q + 5'(accept);
            load_q <= load_q + 5'(load_i);
            stats_q <= stats_q + 5'(stats_i);
            issue_q <= issue_q + 5'(issue_i);
            collect_q <= collect_q + 5'(collect_i);
            inverse_q <= inverse_q + 5'(inverse_i);
            scale_q <= scale_q + 5'(scale_i);
            put_q <= put_q + 5'(put_i);
            scales_q <= scales_q + (accept ? 7'd4 : 7'd0) - 7'(scale_taken_i);
        end
    end

endmodule
