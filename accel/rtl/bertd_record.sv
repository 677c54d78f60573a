// Data path: status and counters at the end of a list -> bertd_axi_writer, card memory.
// Writes the completion record (`record` in schemas/accel.json), once whatever was written before it can be read.
// A host that may not read registers past the arguments, as under XRT, learns from it how the list ended.
module bertd_record #(
    parameter int ROWS = 4,
    parameter int SLICES = 1
) (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic         clear_i,            // a list begins
    input  logic         start_i,            // it is over, until `done_o`
    output logic         busy_o,
    output logic         done_o,             // the memory has answered
    input  logic [ 63:0] address_i,
    input  logic [  2:0] status_i,
    input  logic [ 31:0] failed_i,
    input  logic [ 10:0] layer_i,
    input  logic [511:0] counters_i,
    input  logic [  6:0] trouble_i,          // in the order of `seen`

    input  logic         writer_idle_i,
    output logic         request_valid_o,
    input  logic         request_ready_i,
    output logic [ 63:0] request_address_o,
    output logic [ 15:0] request_beats_o,
    output logic         data_valid_o,
    input  logic         data_ready_i,
    output logic [511:0] data_o
);

    typedef enum logic [2:0] {
        IDLE,
        ASK,
        SEND_STATUS,
        SEND_COUNTERS,
        ANSWER
    } state_t;

    state_t state_q;
    logic [6:0] seen_q;
    logic [511:0] words;

    assign busy_o = state_q != IDLE;
    assign done_o = state_q == ANSWER && writer_idle_i;
    assign request_valid_o = state_q == ASK;
    assign request_address_o = {address_i[63:6], 6'd0};
    assign request_beats_o = 16'(bertd_pkg::ACCEL_RECORD_BEATS);
    assign data_valid_o = state_q == SEND_STATUS || state_q == SEND_COUNTERS;
    assign data_o = state_q == SEND_STATUS ? words : counters_i;

    always_comb begin
        words = '0;
        words[32*bertd_pkg::ACCEL_RECORD_WRITTEN+:32] = bertd_pkg::ACCEL_RECORD_MAGIC;
        words[32*bertd_pkg::ACCEL_RECORD_STATUS+:32] = 32'(status_i);
        words[32*bertd_pkg::ACCEL_RECORD_FAILED+:32] = failed_i;
        words[32*bertd_pkg::ACCEL_RECORD_LAYER+:32] = 32'(layer_i);
        words[32*bertd_pkg::ACCEL_RECORD_SEEN+:32] = 32'(seen_q);
        words[32*bertd_pkg::ACCEL_RECORD_VERSION+:32] = 32'(bertd_pkg::ACCEL_ENGINE_VERSION);
        words[32*bertd_pkg::ACCEL_RECORD_GEOMETRY+:32] = {16'(SLICES), 16'(ROWS)};
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            state_q <= IDLE;
            seen_q <= '0;
        end else begin
            seen_q <= clear_i ? '0 : seen_q | trouble_i;
            unique case (state_q)
                IDLE: if (start_i && writer_idle_i) state_q <= ASK;
                ASK: if (request_ready_i) state_q <= SEND_STATUS;
                SEND_STATUS: if (data_ready_i) state_q <= SEND_COUNTERS;
                SEND_COUNTERS: if (data_ready_i) state_q <= ANSWER;
                ANSWER: if (done_o) state_q <= IDLE;
                default: state_q <= IDLE;
            endcase
        end
    end

endmodule
