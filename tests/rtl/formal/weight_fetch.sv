// bertd_weight_fetch never asks for more than the ring and the parameter slots hold, tells of a panel before it asks for
// it, holds its requests, and waits for keys and values. The array frees what was asked for, each beat once.
module formal_weight_fetch (
    input logic                  clk_i,
    input logic                  reset_i,
    input logic                  job_valid_i,
    input bertd_pkg::fetch_job_t job_i,
    input logic [           7:0] kv_done_i,
    input logic                  writer_idle_i,
    input logic                  beat_freed_i,
    input logic                  panel_retired_i,
    input logic                  panel_ready_i,
    input logic                  request_ready_i
);

    logic rst_n, job_ready, panel_valid, panel_adds, panel_first, panel_check, request_valid;
    logic [10:0] panel_groups;
    logic [1:0] panel_params;
    logic [63:0] request_address;
    logic [15:0] request_beats;

    formal_reset u_reset (.clk_i, .reset_i, .rst_no(rst_n));
    bertd_weight_fetch dut (
        .clk_i, .rst_ni(rst_n), .job_valid_i, .job_ready_o(job_ready), .job_i, .kv_done_i, .writer_idle_i,
        .beat_freed_i, .panel_retired_i, .panel_valid_o(panel_valid), .panel_ready_i, .panel_groups_o(panel_groups),
        .panel_params_o(panel_params), .panel_adds_o(panel_adds), .panel_first_o(panel_first),
        .panel_check_o(panel_check), .request_valid_o(request_valid), .request_ready_i,
        .request_address_o(request_address), .request_beats_o(request_beats)
    );
    (* hierconn *) logic [bertd_pkg::RING_BITS:0] \dut.reserved_q ;
    (* hierconn *) logic [bertd_pkg::PARAM_BITS:0] \dut.slots_q ;
    (* hierconn *) logic [1:0] \dut.state_q ;
    (* hierconn *) logic [$bits(job_i)-1:0] \dut.job_q ;
    (* hierconn *) logic [5:0] \dut.segments_left_q ;

    // Beats of weights that are asked for, promised to a check panel or in the ring; panels that are told of and not retired; beats that are still
    // to be asked for of the panel that was told of last.
    logic [31:0] held_q, panels_q, left_q;
    logic [31:0] weights;
    logic begun, ask, apart, waited_q;
    logic [79:0] request_q;
    bertd_pkg::fetch_job_t job;
    assign job = \dut.job_q ;
    assign begun = panel_valid && panel_ready_i;
    assign ask = request_valid && request_ready_i;
    assign apart = \dut.state_q == 2'd2;
    assign weights = apart ? 32'd0 : 32'(job.beats);

    always_ff @(posedge clk_i or negedge rst_n) begin
        if (!rst_n) begin
            held_q <= '0;
            panels_q <= '0;
            left_q <= '0;
            waited_q <= 1'b0;
            request_q <= '0;
        end else begin
            held_q <= held_q + (ask ? weights : begun && panel_check ? 32'(job.groups) : 32'd0) - 32'(beat_freed_i);
            panels_q <= panels_q + 32'(begun) - 32'(panel_retired_i);
            if (begun) left_q <= panel_check ? 32'd0 : 32'(job.segments);
            else if (ask && !apart) left_q <= left_q - 32'd1;
            waited_q <= request_valid && !request_ready_i;
            request_q <= {request_address, request_beats};
        end
    end

    always_comb begin
        assume (!beat_freed_i || held_q != '0);
        assume (!panel_retired_i || panels_q != '0);
        assume (job_i.beats != '0 && job_i.segments != '0 && job_i.panels != '0);
    end

    logic kv_there;
    assign kv_there = 8'(kv_done_i - job_i.kv_jobs) < 8'd128 && writer_idle_i;
    always_comb begin
        if (rst_n) begin
            ring_never_overflows: assert (held_q <= 32'(bertd_pkg::RING_BEATS));
            panel_before_its_beats: assert (!request_valid || left_q != '0);
            panel_asked_for_whole: assert (!panel_valid || left_q == '0);
            offered_request_stays: assert (!waited_q || (request_valid && {request_address, request_beats} == request_q));
            keys_and_values_are_written: assert (!job_valid_i || !job_ready || !job_i.wait_kv || kv_there);
            same_reserved: assert (32'(\dut.reserved_q ) == held_q);
            // A fault here would show after more panels than a search goes through.
            same_slots: assert (32'(\dut.slots_q ) == panels_q && panels_q <= 32'(bertd_pkg::PARAM_SLOTS));
            same_left: assert (left_q == (\dut.state_q [1] ? 32'(\dut.segments_left_q ) : 32'd0));
            same_segments: assert (!\dut.state_q [1] || \dut.segments_left_q != '0);
            same_job: assert (\dut.state_q == 2'd0 || (job.beats != '0 && job.segments != '0));
        end
    end

endmodule
