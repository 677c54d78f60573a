// Data path: what bertd_array_control and the AXI ports do in a cycle -> registers of bertd_control.
// What the engine did with its cycles, from start to done: each cycle the array either steps or is kept waiting by one
// cause.
module bertd_counters (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic         start_i,
    input  logic         busy_i,
    input  logic         step_i,
    input  logic         wait_weights_i,
    input  logic         wait_rows_i,
    input  logic         wait_drain_i,
    input  logic         idle_i,
    input  logic [  1:0] read_i,          // beats on the two read ports
    input  logic         written_i,
    output logic [511:0] counters_o
);

    logic [7:0] event_now;
    assign event_now = {written_i, read_i[0] != read_i[1], idle_i, wait_drain_i, wait_rows_i, wait_weights_i, step_i, 1'b1};

    for (genvar i = 0; i < 8; i++) begin : gen_counter
        logic [63:0] count_q;
        always_ff @(posedge clk_i) begin
            if (!rst_ni) count_q <= '0;
            else if (start_i) count_q <= '0;
            else if (busy_i) begin
                count_q <= count_q + 64'(event_now[i]) + (i == 6 && read_i == 2'b11 ? 64'd2 : 64'd0);
            end
        end
        assign counters_o[i*64+:64] = count_q;
    end

endmodule
