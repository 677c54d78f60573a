// Data path: a command of bertd_command_fetch -> jobs -> the queues of all units.
// Translates a command into jobs for the units, in the one order that is right on a machine without overlap. What
// overlaps is left to the units: each job says which jobs of others must be done before it begins.
//
//   rows -> quantise -> keys, values (a head at a time: panels, then quantise and write) -> queries (the same)
//   -> scores and softmax of head h + 1, context of head h -> quantise -> output, norm -> ffn1, quantise -> ffn2, norm
//   -> keys of the next layer, or the rows go out
//
// Linear layers and row programs take the rows of all segments at once; scores and contexts have a job a segment,
// with its own keys and values.
module bertd_sequencer (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic                   start_i,
    input  bertd_pkg::command_t    command_i,   // from the cycle after start_i on
    input  bertd_pkg::layout_t     layout_i,
    input  bertd_pkg::extent_t     extent_i,    // likewise
    input  logic                   stop_i,      // begin no other layer
    output logic                   done_o,
    output logic [           10:0] layer_o,     // of the command: which the row programs are at
    output logic                   memory_error_o,

    output logic                   fetch_valid_o,
    input  logic                   fetch_ready_i,
    output bertd_pkg::fetch_job_t  fetch_o,
    output logic                   array_valid_o,
    input  logic                   array_ready_i,
    output bertd_pkg::array_job_t  array_o,
    output logic                   vector_valid_o,
    input  logic                   vector_ready_i,
    output bertd_pkg::vector_job_t vector_o,
    output logic                   side_valid_o,
    input  logic                   side_ready_i,
    output bertd_pkg::side_job_t   side_o,
    output logic                   kv_valid_o,
    input  logic                   kv_ready_i,
    output bertd_pkg::kv_job_t     kv_o,

    input  logic                   panel_done_i,
    input  logic                   rows_done_i,     // of the pass so many rows are done ...
    input  logic                   pass_done_i,     // ... which are all
    input  logic [            9:0] end_row_i,
    input  logic                   vector_done_i,
    input  logic [            9:0] vector_rows_i,   // that the vector job has done with
    input  logic                   layer_done_i,
    input  logic                   kv_done_i,
    input  logic                   writer_idle_i,
    output logic [            9:0] passes_done_o,
    output logic [            9:0] pass_rows_o,     // of the next pass
    output logic [            9:0] vector_done_o,
    output logic [            9:0] vector_rows_o,   // of the next job
    output logic [            7:0] kv_done_o,
    output logic                   load_start_o,
    input  logic                   store_busy_i
);

    typedef enum logic [4:0] {
        IDLE,
        BEGIN_ROWS,
        QUANTISE_X,
        KEY,
        KEY_QUANTISE,
        VALUE,
        VALUE_QUANTISE,
        QUERY,
        QUERY_QUANTISE,
        SCORE,
        SOFTMAX,
        CONTEXT,
        CONTEXT_QUANTISE,
        OUTPUT,
        OUTPUT_NORM,
        FFN1,
        FFN1_QUANTISE,
        FFN2,
        FFN2_NORM,
        SETTLE
    } step_t;

    step_t step_q, step_d;
    logic [5:0] head_q, head_d, last_head;
    logic [bertd_pkg::SEGMENT_BITS-1:0] segment_q, segment_d;
    bertd_pkg::segment_t segment;
    logic [10:0] layer_q, layer_d, layers_done_q;
    logic [63:0] offset_q, offset_d;            // of the layer's weights and norms
    logic [63:0] weights_q, weights_d;
    logic [11:0] panels_q, panels_done_q;       // issued, drained
    logic [9:0] passes_q, passes_done_q, pass_rows_q;
    logic [9:0] vectors_q, vectors_done_q, vector_rows_q;
    logic [9:0] queries_q, softmaxes_q, keys_q; // vector jobs before the first of a kind
    logic [7:0] kv_q, kv_done_q;                // jobs of keys and values: issued, handed to the writer
    logic [6:0] segment_blocks;
    logic [9:0] segment_end;                    // behind its last row, from its first group on
    logic is_array, is_vector, pushed, last, last_segment, last_layer;
    bertd_pkg::command_t c;

    bertd_table #(
        .WIDTH($bits(segment)),
        .DEPTH(bertd_pkg::MAX_SEGMENTS)
    ) u_segments (
        .clk_i,
        .write_i        (layout_i.segment_write),
        .write_address_i(layout_i.segment_index),
        .write_data_i   (layout_i.segment),
        .read_i         (step_q == SCORE || step_q == CONTEXT),
        .read_address_i (segment_q),
        .read_data_o    (segment),
        .error_o        (memory_error_o)
    );

    assign c = command_i;
    assign last_head = c.heads - 6'd1;
    assign last = head_q == last_head;
    assign last_segment = segment_q == extent_i.last_segment;
    assign last_layer = layer_q == c.layers - 11'd1 || stop_i;
    assign segment_blocks = 7'((segment.tokens + 10'd15) >> 4);
    assign segment_end = 10'(c.skip) + segment.rows + 10'd3;
    assign layer_o = layers_done_q;
    assign passes_done_o = passes_done_q;
    assign pass_rows_o = pass_rows_q;
    assign vector_done_o = vectors_done_q;
    assign vector_rows_o = vector_rows_q;
    assign kv_done_o = kv_done_q;

    // A job goes out to all of its units at once.
    logic jobs_ready;
    assign is_array = step_q == KEY || step_q == VALUE || step_q == QUERY || step_q == SCORE || step_q == CONTEXT ||
        step_q == OUTPUT || step_q == FFN1 || step_q == FFN2;
    assign is_vector = step_q == QUANTISE_X || step_q == KEY_QUANTISE || step_q == VALUE_QUANTISE ||
        step_q == QUERY_QUANTISE || step_q == SOFTMAX || step_q == CONTEXT_QUANTISE || step_q == OUTPUT_NORM ||
        step_q == FFN1_QUANTISE || step_q == FFN2_NORM;
    assign jobs_ready = is_array ? fetch_ready_i && array_ready_i :
        vector_ready_i && (!vector_o.side || side_ready_i) && (!vector_o.to_kv || kv_ready_i);
    assign pushed = (is_array || is_vector) && jobs_ready;
    assign fetch_valid_o = pushed && is_array;
    assign array_valid_o = pushed && is_array;
    assign vector_valid_o = pushed && is_vector;
    assign side_valid_o = vector_valid_o && vector_o.side;
    assign kv_valid_o = vector_valid_o && vector_o.to_kv;

    // The linears' panels: parameters and weights of an input as wide as ...
    logic [10:0] hidden_groups, wide_groups, head_groups, context_groups;
    logic [31:0] hidden_panel, wide_panel;
    logic [8:0] hidden_panels, wide_panels, head_panels;
    logic [63:0] head_bytes, head_scale_bytes, block_stride, scale_stride;
    assign hidden_groups = c.hidden >> 2;
    assign wide_groups = 11'(c.intermediate >> 2);
    assign head_groups = 11'(c.head_dim) >> 2;
    assign context_groups = {2'b00, segment_blocks, 2'b00};
    assign hidden_panel = 32'({hidden_groups + 11'd2, 6'd0});
    assign wide_panel = 32'({wide_groups + 11'd2, 6'd0});
    assign hidden_panels = 9'(c.hidden >> 4);
    assign wide_panels = 9'(c.intermediate >> 4);
    assign head_panels = 9'(c.head_dim) >> 4;
    // Keys and values: blocks of 16 tokens, in them heads.
    assign head_bytes = c.head_dim == 7'd64 ? 64'(head_q) << 10 : 64'(head_q) << 9;
    assign head_scale_bytes = 64'(head_q) << 6;
    assign block_stride = 64'({c.hidden, 4'd0});
    assign scale_stride = 64'({c.heads, 6'd0});

    function automatic logic [2:0] rotation_log2(input logic [12:0] width);
        rotation_log2 = 3'd7;
        for (int i = 6; i >= 0; i--) if (width[i]) rotation_log2 = 3'(i);
    endfunction

    always_comb begin
        array_o = '0;
        array_o.wait_vector = vectors_q;
        array_o.row_groups = extent_i.groups;
        array_o.panels = head_panels + 9'((step_q == VALUE || step_q == QUERY) && last);
        array_o.groups = hidden_groups;
        array_o.operand = bertd_pkg::OPERAND_X;
        array_o.scalar = bertd_pkg::SCALAR_X;
        array_o.params = 2'd2;
        array_o.check_first = 1'b1;
        array_o.check_last = 1'b1;
        array_o.pass_last = (step_q != SCORE && step_q != CONTEXT) || last_segment;
        unique case (step_q)
            KEY, VALUE, QUERY: begin
                array_o.wait_vector = keys_q;
                array_o.column = (step_q == KEY ? bertd_pkg::ROW_KEY :
                    step_q == VALUE ? bertd_pkg::ROW_VALUE : bertd_pkg::ROW_QUERY) +
                    (c.head_dim == 7'd64 ? {head_q, 2'b00} : {1'b0, head_q, 1'b0});
                array_o.check_first = (step_q == KEY || step_q == QUERY) && head_q == '0;
                array_o.check_last = step_q != KEY && last;
            end
            SCORE: begin
                array_o.wait_vector = queries_q + 10'(head_q) + 10'd1;
                array_o.group = segment.group;
                array_o.row_groups = 8'(segment_end[9:2]);
                array_o.panels = 9'(segment_blocks) + 9'd1;
                array_o.groups = head_groups;
                array_o.operand = bertd_pkg::OPERAND_QUERY +
                    (c.head_dim == 7'd64 ? {1'b0, head_q, 2'b00} : {2'b00, head_q, 1'b0});
                array_o.scalar = bertd_pkg::SCALAR_QUERY + head_q;
                array_o.params = 2'd1;
                array_o.wide = 1'b1;
                array_o.column = bertd_pkg::ROW_SCORES + (head_q[0] ? bertd_pkg::ROW_SCORE_WORDS : 8'd0);
            end
            CONTEXT: begin
                array_o.wait_vector = softmaxes_q + 10'(head_q) + 10'd1;
                array_o.group = segment.group;
                array_o.row_groups = 8'(segment_end[9:2]);
                array_o.panels = head_panels + 9'd1;
                array_o.groups = context_groups;
                array_o.two_digits = 1'b1;
                array_o.operand = bertd_pkg::OPERAND_DIGITS + (head_q[0] ? 9'd64 : 9'd0);
                array_o.scalar = bertd_pkg::SCALAR_FACTOR + 6'(head_q[0]);
                array_o.params = 2'd0;
                array_o.column = bertd_pkg::ROW_CONTEXT +
                    (c.head_dim == 7'd64 ? {head_q, 2'b00} : {1'b0, head_q, 1'b0});
            end
            OUTPUT: begin
                array_o.panels = hidden_panels + 9'd1;
                array_o.operand = bertd_pkg::OPERAND_CONTEXT;
                array_o.scalar = bertd_pkg::SCALAR_WIDE;
                array_o.residual = 1'b1;
                array_o.column = bertd_pkg::ROW_SUM;
            end
            FFN1: begin
                array_o.panels = wide_panels + 9'd1;
                array_o.activate = 1'b1;
            end
            FFN2: begin
                array_o.panels = hidden_panels + 9'd1;
                array_o.groups = wide_groups;
                array_o.operand = bertd_pkg::OPERAND_WIDE;
                array_o.scalar = bertd_pkg::SCALAR_WIDE;
                array_o.residual = 1'b1;
                array_o.column = bertd_pkg::ROW_SUM;
            end
            default: ;
        endcase
    end

    always_comb begin
        fetch_o = '0;
        fetch_o.kv_jobs = kv_q;
        fetch_o.panels = array_o.panels;
        fetch_o.segments = 6'd1;
        fetch_o.beats = array_o.groups;
        fetch_o.groups = array_o.groups;
        fetch_o.params = array_o.params;
        fetch_o.address = weights_q;
        fetch_o.panel_stride = step_q == FFN2 ? wide_panel : hidden_panel;
        if (step_q == SCORE || step_q == CONTEXT) begin
            fetch_o.check = 1'b1;
            fetch_o.panels = array_o.panels - 9'd1;
        end
        if (step_q == SCORE) begin
            fetch_o.wait_kv = 1'b1;
            fetch_o.params_apart = 1'b1;
            fetch_o.address = c.keys + head_bytes + 64'(segment.block) * block_stride;
            fetch_o.panel_stride = block_stride[31:0];
            fetch_o.params_address = c.key_scales + head_scale_bytes + 64'(segment.block) * scale_stride;
            fetch_o.params_stride = scale_stride[31:0];
        end
        if (step_q == CONTEXT) begin
            fetch_o.wait_kv = 1'b1;
            fetch_o.segments = segment_blocks[5:0];
            fetch_o.beats = 11'd4;
            fetch_o.address = c.values + head_bytes + 64'(segment.block) * block_stride;
            fetch_o.panel_stride = 32'd256;
            fetch_o.segment_stride = block_stride[31:0];
        end
    end

    always_comb begin
        vector_o = '0;
        vector_o.wait_pass = passes_q;
        vector_o.command.kind = bertd_pkg::SLICE_QUANT;
        vector_o.command.width = 13'(c.head_dim);
        vector_o.command.rows = 3'd4;
        vector_o.command.inv_width = c.inv_hidden;
        vector_o.command.eps = c.eps;
        vector_o.operand = bertd_pkg::OPERAND_X;
        vector_o.scalar = bertd_pkg::SCALAR_X;
        side_o = '0;
        side_o.kv_jobs = kv_q;
        side_o.words = 7'(c.hidden >> 4);
        side_o.pairs = 1'b1;
        side_o.address = (step_q == OUTPUT_NORM ? c.attention_norm : c.output_norm) + offset_q;
        kv_o.value = step_q == VALUE_QUANTISE;
        kv_o.address = (kv_o.value ? c.values : c.keys) + head_bytes +
            64'(c.first_block[4:0]) * block_stride;
        kv_o.scale_address = (kv_o.value ? c.value_scales : c.key_scales) + head_scale_bytes +
            64'(c.first_block[4:0]) * scale_stride;
        unique case (step_q)
            QUANTISE_X: begin
                vector_o.wait_load = 1'b1;
                vector_o.command.width = 13'(c.hidden);
                vector_o.command.rotate_log2 = rotation_log2(13'(c.hidden));
                vector_o.source = bertd_pkg::ROW_SUM;
            end
            KEY_QUANTISE, VALUE_QUANTISE, QUERY_QUANTISE: begin
                vector_o.source = (step_q == KEY_QUANTISE ? bertd_pkg::ROW_KEY :
                    step_q == VALUE_QUANTISE ? bertd_pkg::ROW_VALUE : bertd_pkg::ROW_QUERY) +
                    (c.head_dim == 7'd64 ? {head_q, 2'b00} : {1'b0, head_q, 1'b0});
                vector_o.to_kv = step_q != QUERY_QUANTISE;
                vector_o.operand = step_q != QUERY_QUANTISE ? 9'd0 : bertd_pkg::OPERAND_QUERY +
                    (c.head_dim == 7'd64 ? {1'b0, head_q, 2'b00} : {2'b00, head_q, 1'b0});
                vector_o.scalar = bertd_pkg::SCALAR_QUERY + head_q;
            end
            SOFTMAX: begin
                vector_o.command.kind = bertd_pkg::SLICE_SOFTMAX;
                vector_o.source = bertd_pkg::ROW_SCORES + (head_q[0] ? bertd_pkg::ROW_SCORE_WORDS : 8'd0);
                vector_o.side = 1'b1;
                vector_o.digits = 1'b1;
                vector_o.operand = bertd_pkg::OPERAND_DIGITS + (head_q[0] ? 9'd64 : 9'd0);
                vector_o.scalar = bertd_pkg::SCALAR_FACTOR + 6'(head_q[0]);
                side_o.wait_kv = 1'b1;
                side_o.words = extent_i.blocks;
                side_o.pairs = 1'b0;
                side_o.address = c.value_scales + head_scale_bytes;
                side_o.stride = scale_stride[31:0];
            end
            CONTEXT_QUANTISE: begin
                vector_o.command.width = 13'(c.hidden);
                vector_o.source = bertd_pkg::ROW_CONTEXT;
                vector_o.operand = bertd_pkg::OPERAND_CONTEXT;
                vector_o.scalar = bertd_pkg::SCALAR_WIDE;
            end
            OUTPUT_NORM, FFN2_NORM: begin
                vector_o.command.kind = bertd_pkg::SLICE_NORM;
                vector_o.command.width = 13'(c.hidden);
                vector_o.command.rotate_log2 = rotation_log2(13'(c.hidden));
                vector_o.source = bertd_pkg::ROW_SUM;
                vector_o.side = 1'b1;
                vector_o.write_rows = 1'b1;
                vector_o.store = step_q == FFN2_NORM && last_layer;
                vector_o.layer_end = step_q == FFN2_NORM;
            end
            FFN1_QUANTISE: begin
                vector_o.command.width = c.intermediate;
                vector_o.command.rotate_log2 = rotation_log2(c.intermediate);
                vector_o.operand = bertd_pkg::OPERAND_WIDE;
                vector_o.scalar = bertd_pkg::SCALAR_WIDE;
            end
            default: ;
        endcase
    end

    // Heads go through the attention in this order: scores 0, scores 1, context 0, scores 2, context 1, ...
    logic [63:0] head_weights;
    assign head_weights = weights_q + (c.head_dim == 7'd64 ? 64'(hidden_panel) << 2 : 64'(hidden_panel) << 1);

    always_comb begin
        step_d = step_q;
        head_d = head_q;
        segment_d = segment_q;
        layer_d = layer_q;
        offset_d = offset_q;
        weights_d = weights_q;
        unique case (step_q)
            IDLE: if (start_i) step_d = BEGIN_ROWS;
            BEGIN_ROWS: begin
                head_d = '0;
                segment_d = '0;
                layer_d = '0;
                offset_d = '0;
                weights_d = c.project ? c.weights_kv : c.weights_q;
                step_d = QUANTISE_X;
            end
            QUANTISE_X: if (pushed) step_d = c.project ? KEY : QUERY;
            KEY: if (pushed) step_d = KEY_QUANTISE;
            KEY_QUANTISE:
            if (pushed) begin
                weights_d = head_weights;
                head_d = last ? '0 : head_q + 6'd1;
                step_d = last ? VALUE : KEY;
            end
            VALUE: if (pushed) step_d = VALUE_QUANTISE;
            VALUE_QUANTISE:
            if (pushed) begin
                weights_d = last ? c.weights_q + offset_q : head_weights;
                head_d = last ? '0 : head_q + 6'd1;
                step_d = !last ? VALUE : c.finish ? QUERY : SETTLE;
            end
            QUERY: if (pushed) step_d = QUERY_QUANTISE;
            QUERY_QUANTISE:
            if (pushed) begin
                weights_d = head_weights;
                head_d = last ? '0 : head_q + 6'd1;
                step_d = last ? SCORE : QUERY;
            end
            SCORE:
            if (pushed) begin
                segment_d = last_segment ? '0 : segment_q + 1'b1;
                if (last_segment) step_d = SOFTMAX;
            end
            SOFTMAX:
            if (pushed) begin
                if (head_q == '0) begin
                    head_d = last ? '0 : 6'd1;
                    step_d = last ? CONTEXT : SCORE;
                end else begin
                    head_d = head_q - 6'd1;
                    step_d = CONTEXT;
                end
            end
            CONTEXT:
            if (pushed) begin
                weights_d = c.weights_output + offset_q;
                segment_d = last_segment ? '0 : segment_q + 1'b1;
                if (!last_segment) step_d = CONTEXT;
                else if (last) step_d = CONTEXT_QUANTISE;
                else if (head_q + 6'd1 == last_head) head_d = last_head;
                else begin
                    head_d = head_q + 6'd2;
                    step_d = SCORE;
                end
            end
            CONTEXT_QUANTISE: if (pushed) step_d = OUTPUT;
            OUTPUT: if (pushed) step_d = OUTPUT_NORM;
            OUTPUT_NORM:
            if (pushed) begin
                weights_d = c.weights_ffn1 + offset_q;
                step_d = FFN1;
            end
            FFN1: if (pushed) step_d = FFN1_QUANTISE;
            FFN1_QUANTISE:
            if (pushed) begin
                weights_d = c.weights_ffn2 + offset_q;
                step_d = FFN2;
            end
            FFN2: if (pushed) step_d = FFN2_NORM;
            FFN2_NORM:
            if (pushed) begin
                head_d = '0;
                step_d = SETTLE;
                if (!last_layer) begin
                    layer_d = layer_q + 11'd1;
                    offset_d = offset_q + c.layer_stride;
                    weights_d = c.weights_kv + offset_d;
                    step_d = KEY;
                end
            end
            SETTLE:
            if (panels_done_q == panels_q && vectors_done_q == vectors_q && kv_done_q == kv_q && writer_idle_i &&
                !store_busy_i) step_d = IDLE;
            default: step_d = IDLE;
        endcase
    end

    assign done_o = step_q != IDLE && step_d == IDLE;
    assign load_start_o = step_q == BEGIN_ROWS;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            step_q <= IDLE;
            head_q <= '0;
            segment_q <= '0;
            layer_q <= '0;
            layers_done_q <= '0;
            offset_q <= '0;
            weights_q <= '0;
            panels_q <= '0;
            panels_done_q <= '0;
            passes_q <= '0;
            passes_done_q <= '0;
            pass_rows_q <= '0;
            vectors_q <= '0;
            vectors_done_q <= '0;
            vector_rows_q <= '0;
            keys_q <= '0;
            queries_q <= '0;
            softmaxes_q <= '0;
            kv_q <= '0;
            kv_done_q <= '0;
        end else begin
            step_q <= step_d;
            head_q <= head_d;
            segment_q <= segment_d;
            layer_q <= layer_d;
            offset_q <= offset_d;
            weights_q <= weights_d;
            panels_q <= panels_q + (array_valid_o ? 12'(array_o.panels) : 12'd0);
            panels_done_q <= panels_done_q + 12'(panel_done_i);
            passes_q <= passes_q + 10'(array_valid_o && array_o.pass_last);
            passes_done_q <= passes_done_q + 10'(pass_done_i);
            if (rows_done_i) pass_rows_q <= pass_done_i ? '0 : end_row_i;
            vectors_q <= vectors_q + 10'(vector_valid_o);
            vectors_done_q <= vectors_done_q + 10'(vector_done_i);
            vector_rows_q <= vector_done_i ? '0 : vector_rows_i;
            layers_done_q <= step_q == BEGIN_ROWS ? '0 : layers_done_q + 11'(layer_done_i);
            kv_q <= kv_q + 8'(kv_valid_o);
            kv_done_q <= kv_done_q + 8'(kv_done_i);
            if (vector_valid_o && (step_q == QUANTISE_X || step_q == FFN2_NORM)) keys_q <= vectors_q + 10'd1;
            if (step_q == QUERY && head_q == '0) queries_q <= vectors_q;
            if (step_q == SCORE && head_q == '0) softmaxes_q <= vectors_q;
        end
    end

endmodule
