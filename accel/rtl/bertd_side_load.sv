// Data path: gamma, beta and value scales in card memory -> side buffers of bertd_vector_unit.
// Fetches the side words of coming vector jobs into two buffers alternately: gamma and beta (two beats a word), or one
// beat of value scales a block.
module bertd_side_load (
    input  logic                 clk_i,
    input  logic                 rst_ni,
    input  logic                 job_valid_i,
    output logic                 job_ready_o,
    input  bertd_pkg::side_job_t job_i,
    input  logic [          7:0] kv_done_i,      // jobs of keys and values that are handed to the writer ...
    input  logic                 writer_idle_i,  // ... and written
    input  logic                 release_i,      // the older buffer is free again
    output logic [          1:0] ready_o,        // which buffers are full

    output logic                 request_valid_o,
    input  logic                 request_ready_i,
    output logic [         63:0] request_address_o,
    output logic [         15:0] request_beats_o,
    input  logic                 data_valid_i,
    output logic                 data_ready_o,
    output logic                 write_low_o,
    output logic                 write_high_o,
    output logic [          6:0] write_address_o // {buffer, word}
);

    typedef enum logic [0:0] {
        IDLE,
        LOAD
    } state_t;

    state_t state_q;
    bertd_pkg::side_job_t job_q;
    logic [6:0] requests_left_q, words_left_q;
    logic [5:0] word_q;
    logic [1:0] full_q;
    logic [7:0] kv_ahead;
    logic fill_q, drain_q, high_q, accept, ask, take, word_end, done;

    assign kv_ahead = kv_done_i - job_i.kv_jobs;
    assign job_ready_o = state_q == IDLE && !full_q[fill_q] && (!job_i.wait_kv || (!kv_ahead[7] && writer_idle_i));
    assign accept = job_valid_i && job_ready_o;
    assign request_valid_o = state_q == LOAD && requests_left_q != '0;
    assign request_address_o = job_q.address;
    assign request_beats_o = job_q.pairs ? 16'({job_q.words, 1'b0}) : 16'd1;
    assign ask = request_valid_o && request_ready_i;
    assign data_ready_o = state_q == LOAD;
    assign take = data_valid_i && data_ready_o;
    assign write_low_o = take && !high_q;
    assign write_high_o = take && high_q;
    assign write_address_o = {fill_q, word_q};
    assign word_end = take && (high_q || !job_q.pairs);
    assign done = word_end && words_left_q == 7'd1;
    assign ready_o = full_q;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            state_q <= IDLE;
            job_q <= '0;
            requests_left_q <= '0;
            words_left_q <= '0;
            word_q <= '0;
            full_q <= '0;
            fill_q <= 1'b0;
            drain_q <= 1'b0;
            high_q <= 1'b0;
        end else begin
            if (accept) begin
                state_q <= LOAD;
                job_q <= job_i;
                requests_left_q <= job_i.pairs ? 7'd1 : job_i.words;
                words_left_q <= job_i.words;
                word_q <= '0;
                high_q <= 1'b0;
            end
            if (ask) begin
                requests_left_q <= requests_left_q - 7'd1;
                job_q.address <= job_q.address + 64'(job_q.stride);
            end
            if (take && job_q.pairs) high_q <= !high_q;
            if (word_end) begin
                word_q <= word_q + 6'd1;
                words_left_q <= words_left_q - 7'd1;
            end
            if (release_i) begin
                full_q[drain_q] <= 1'b0;
                drain_q <= !drain_q;
            end
            if (done) begin
                full_q[fill_q] <= 1'b1;
                fill_q <= !fill_q;
                state_q <= IDLE;
            end
        end
    end

endmodule
