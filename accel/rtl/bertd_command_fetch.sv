// Data path: the command list in card memory -> one command at a time -> bertd_sequencer.
// Works through a command list: reads a command, checks it, has it carried out, until the list ends or something goes
// wrong. What goes wrong within a command stops the list behind it; the engine never waits for a value.
module bertd_command_fetch (
    input  logic                clk_i,
    input  logic                rst_ni,
    input  logic                start_i,
    input  logic [        63:0] list_i,
    input  logic [        31:0] count_i,
    output logic                done_o,
    output logic                busy_o,
    output logic                over_o,          // nothing is left but the record
    input  logic                recorded_i,
    output logic [         2:0] status_o,
    output logic [        31:0] failed_o,        // number of the command that went wrong
    output logic [        10:0] layer_o,         // and which of its layers
    output logic                stop_o,          // something has

    input  logic                bus_error_i,
    input  logic                checksum_error_i,
    input  logic                not_finite_i,

    output logic                request_valid_o,
    input  logic                request_ready_i,
    output logic [        63:0] request_address_o,
    output logic [        15:0] request_beats_o,
    input  logic                data_valid_i,
    output logic                data_ready_o,
    input  logic [       511:0] data_i,

    output logic                command_start_o,
    output bertd_pkg::command_t command_o,
    output bertd_pkg::layout_t  layout_o,        // before the command starts
    output bertd_pkg::extent_t  extent_o,
    input  logic [        10:0] layer_i,         // which the command is at
    input  logic                command_done_i
);

    typedef enum logic [2:0] {
        IDLE,
        ASK,
        READ,
        CHECK,
        PLACE,
        RUN,
        DONE
    } state_t;

    state_t state_q;
    logic [63:0] address_q;
    logic [31:0] index_q;
    logic [2047:0] words_q;
    logic [1:0] beat_q;
    logic [2:0] status_q, trouble;
    logic [10:0] layer_q;
    logic good, placed, good_place;
    bertd_pkg::command_t command_q, command;

    bertd_command_decode u_decode (
        .words_i  (words_q),
        .command_o(command),
        .good_o   (good)
    );

    bertd_layout u_layout (
        .clk_i,
        .rst_ni,
        .start_i  (state_q == CHECK && good),
        .command_i(command),
        .lengths_i(words_q[bertd_pkg::ACCEL_WORD_SEGMENTS*32+:16*bertd_pkg::MAX_SEGMENTS]),
        .layout_o,
        .extent_o,
        .done_o   (placed),
        .good_o   (good_place)
    );

    assign request_valid_o = state_q == ASK;
    assign request_address_o = address_q;
    assign request_beats_o = 16'(bertd_pkg::ACCEL_COMMAND_BEATS);
    assign data_ready_o = state_q == READ;
    assign command_start_o = state_q == PLACE && placed && good_place;
    assign command_o = command_q;
    assign busy_o = state_q != IDLE;
    assign over_o = state_q == DONE;
    assign done_o = over_o && recorded_i;
    assign status_o = status_q;
    assign failed_o = index_q;
    assign layer_o = layer_q;
    assign stop_o = status_q != '0;

    always_comb begin
        trouble = 3'(bertd_pkg::ACCEL_ENGINE_OK);
        if (not_finite_i) trouble = 3'(bertd_pkg::ACCEL_ENGINE_NOT_FINITE);
        if (checksum_error_i) trouble = 3'(bertd_pkg::ACCEL_ENGINE_CHECKSUM);
        if (bus_error_i) trouble = 3'(bertd_pkg::ACCEL_ENGINE_BUS);
        if ((state_q == CHECK && !good) || (state_q == PLACE && placed && !good_place)) begin
            trouble = 3'(bertd_pkg::ACCEL_ENGINE_BAD_COMMAND);
        end
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            state_q <= IDLE;
            address_q <= '0;
            index_q <= '0;
            words_q <= '0;
            beat_q <= '0;
            status_q <= '0;
            layer_q <= '0;
            command_q <= '0;
        end else begin
            if (status_q == '0 && busy_o) begin
                status_q <= trouble;
                layer_q <= layer_i;
            end
            unique case (state_q)
                IDLE:
                if (start_i) begin
                    address_q <= list_i;
                    index_q <= '0;
                    status_q <= list_i[5:0] != '0 ? 3'(bertd_pkg::ACCEL_ENGINE_BAD_COMMAND) : '0;
                    state_q <= count_i == '0 || list_i[5:0] != '0 ? DONE : ASK;
                end
                ASK: if (request_ready_i) state_q <= READ;
                READ:
                if (data_valid_i) begin
                    words_q <= {data_i, words_q[2047:512]};
                    beat_q <= beat_q + 2'd1;
                    if (beat_q == 2'd3) state_q <= CHECK;
                end
                CHECK: begin
                    command_q <= command;
                    state_q <= good && status_q == '0 ? PLACE : DONE;
                end
                PLACE: if (placed) state_q <= good_place ? RUN : DONE;
                RUN:
                if (command_done_i) begin
                    if (status_q != '0 || trouble != '0 || index_q + 32'd1 == count_i) begin
                        state_q <= DONE;
                    end else begin
                        address_q <= address_q + 64'(bertd_pkg::ACCEL_COMMAND_BYTES);
                        index_q <= index_q + 32'd1;
                        state_q <= ASK;
                    end
                end
                DONE: if (recorded_i) state_q <= IDLE;
                default: state_q <= IDLE;
            endcase
        end
    end

endmodule
