// Data path: vector jobs of bertd_sequencer -> one job at a time -> all vector lanes.
// Starts the vector jobs in their order, each on all lanes at once, when what they write is free and their side words
// are there. The lanes wait for each group's rows.
module bertd_vector_control (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic                   job_valid_i,
    output logic                   job_ready_o,
    input  bertd_pkg::vector_job_t job_i,
    input  logic [            9:0] passes_done_i,   // of the array
    input  logic [            9:0] pass_rows_i,     // and rows that the next pass has done
    input  logic [            9:0] loaded_rows_i,
    input  logic [            1:0] side_ready_i,    // which side buffers are full
    input  logic [            1:0] kv_free_i,       // which slots of the KV stage are free
    output logic                   side_release_o,
    output logic                   side_slot_o,     // the one in use
    output logic                   kv_filled_o,
    output logic                   kv_slot_o,
    output logic                   start_o,
    output bertd_pkg::vector_job_t job_o,
    output logic                   running_o,
    output logic [            9:0] rows_there_o,    // the first so many, for this job
    input  logic                   lanes_busy_i,
    output logic                   done_o,
    output logic                   layer_done_o
);

    typedef enum logic [1:0] {
        IDLE,
        START,
        RUN
    } state_t;

    state_t state_q;
    bertd_pkg::vector_job_t job_q;
    logic [9:0] missing, rows_there_q;
    logic go;

    assign missing = job_q.wait_pass - passes_done_i;
    assign go = (!job_i.side || side_ready_i[side_slot_o]) && (!job_i.to_kv || kv_free_i[kv_slot_o]);
    assign job_ready_o = state_q == IDLE && go;
    assign start_o = state_q == START;
    assign job_o = job_q;
    assign running_o = state_q == RUN;
    assign rows_there_o = rows_there_q;
    assign done_o = state_q == RUN && !lanes_busy_i;
    assign layer_done_o = done_o && job_q.layer_end;
    assign side_release_o = done_o && job_q.side;
    assign kv_filled_o = done_o && job_q.to_kv;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            state_q <= IDLE;
            job_q <= '0;
            rows_there_q <= '0;
            side_slot_o <= 1'b0;
            kv_slot_o <= 1'b0;
        end else begin
            rows_there_q <= job_q.wait_load ? loaded_rows_i : missing == '0 || missing[9] ? 10'(bertd_pkg::MAX_TOKENS) :
                missing == 10'd1 ? pass_rows_i : '0;
            unique case (state_q)
                IDLE:
                if (job_valid_i && job_ready_o) begin
                    job_q <= job_i;
                    state_q <= START;
                end
                START: state_q <= RUN;
                RUN: if (done_o) state_q <= IDLE;
                default: state_q <= IDLE;
            endcase
            if (side_release_o) side_slot_o <= !side_slot_o;
            if (kv_filled_o) kv_slot_o <= !kv_slot_o;
        end
    end

endmodule
