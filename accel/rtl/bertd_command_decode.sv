// Data path: the 64 words of a command, in bertd_command_fetch -> command_t.
// The 64 words of a command as a command_t, and whether the engine can carry it out, but for its segments
// (bertd_layout).
module bertd_command_decode (
    input  logic [        2047:0] words_i,
    output bertd_pkg::command_t   command_o,
    output logic                  good_o
);

    logic [31:0] opcode, layers, hidden, intermediate, heads, head_dim, row_begin, rows, activation, heads_width;
    logic good_opcode, good_layers, good_shape, good_rows, good_addresses;
    logic [12:0] misaligned;

    assign opcode = words_i[bertd_pkg::ACCEL_WORD_OPCODE*32+:32];
    assign layers = words_i[bertd_pkg::ACCEL_WORD_LAYERS*32+:32];
    assign hidden = words_i[bertd_pkg::ACCEL_WORD_HIDDEN*32+:32];
    assign intermediate = words_i[bertd_pkg::ACCEL_WORD_INTERMEDIATE*32+:32];
    assign heads = words_i[bertd_pkg::ACCEL_WORD_HEADS*32+:32];
    assign head_dim = words_i[bertd_pkg::ACCEL_WORD_HEAD_DIM*32+:32];
    assign row_begin = words_i[bertd_pkg::ACCEL_WORD_ROW_BEGIN*32+:32];
    assign rows = words_i[bertd_pkg::ACCEL_WORD_ROWS*32+:32];
    assign activation = words_i[bertd_pkg::ACCEL_WORD_ACTIVATION*32+:32];

    assign heads_width = head_dim == 32'd64 ? heads << 6 : heads << 5;

    always_comb begin
        command_o.project = opcode[7:0] != 8'(bertd_pkg::ACCEL_OPCODE_FINISH);
        command_o.finish = opcode[7:0] != 8'(bertd_pkg::ACCEL_OPCODE_PROJECT);
        command_o.layers = layers[10:0];
        command_o.hidden = hidden[10:0];
        command_o.intermediate = intermediate[12:0];
        command_o.heads = heads[5:0];
        command_o.head_dim = head_dim[6:0];
        command_o.first_block = row_begin[13:4];
        command_o.skip = row_begin[3:0];
        command_o.rows = rows[9:0];
        command_o.activation = activation[1:0];
        command_o.eps = words_i[bertd_pkg::ACCEL_WORD_EPS*32+:32];
        command_o.inv_hidden = words_i[bertd_pkg::ACCEL_WORD_INV_HIDDEN*32+:32];
        command_o.rows_address = words_i[bertd_pkg::ACCEL_WORD_ROWS_ADDRESS*32+:64];
        command_o.keys = words_i[bertd_pkg::ACCEL_WORD_KEYS*32+:64];
        command_o.values = words_i[bertd_pkg::ACCEL_WORD_VALUES*32+:64];
        command_o.key_scales = words_i[bertd_pkg::ACCEL_WORD_KEY_SCALES*32+:64];
        command_o.value_scales = words_i[bertd_pkg::ACCEL_WORD_VALUE_SCALES*32+:64];
        command_o.weights_kv = words_i[bertd_pkg::ACCEL_WORD_WEIGHTS_KV*32+:64];
        command_o.weights_q = words_i[bertd_pkg::ACCEL_WORD_WEIGHTS_Q*32+:64];
        command_o.weights_output = words_i[bertd_pkg::ACCEL_WORD_WEIGHTS_OUTPUT*32+:64];
        command_o.weights_ffn1 = words_i[bertd_pkg::ACCEL_WORD_WEIGHTS_FFN1*32+:64];
        command_o.weights_ffn2 = words_i[bertd_pkg::ACCEL_WORD_WEIGHTS_FFN2*32+:64];
        command_o.attention_norm = words_i[bertd_pkg::ACCEL_WORD_ATTENTION_NORM*32+:64];
        command_o.output_norm = words_i[bertd_pkg::ACCEL_WORD_OUTPUT_NORM*32+:64];
        command_o.layer_stride = words_i[bertd_pkg::ACCEL_WORD_LAYER_STRIDE*32+:64];
    end

    assign misaligned = {
        command_o.rows_address[5:0] != '0,
        command_o.keys[5:0] != '0,
        command_o.values[5:0] != '0,
        command_o.key_scales[5:0] != '0,
        command_o.value_scales[5:0] != '0,
        command_o.weights_kv[5:0] != '0,
        command_o.weights_q[5:0] != '0,
        command_o.weights_output[5:0] != '0,
        command_o.weights_ffn1[5:0] != '0,
        command_o.weights_ffn2[5:0] != '0,
        command_o.attention_norm[5:0] != '0,
        command_o.output_norm[5:0] != '0,
        command_o.layer_stride[5:0] != '0
    };

    assign good_opcode = (opcode & ~bertd_pkg::ACCEL_OPCODE_MASK) == bertd_pkg::ACCEL_OPCODE_MAGIC &&
        opcode[7:0] >= 8'(bertd_pkg::ACCEL_OPCODE_RUN) && opcode[7:0] <= 8'(bertd_pkg::ACCEL_OPCODE_FINISH);
    // Parts of a sequence exchange keys and values between layers.
    assign good_layers = layers != '0 &&
        layers <= (command_o.project && command_o.finish ? 32'(bertd_pkg::MAX_LAYERS) : 32'd1);
    assign good_shape = hidden <= 32'(bertd_pkg::MAX_HIDDEN) && hidden >= 32'd32 && hidden[3:0] == '0 &&
        intermediate <= 32'(bertd_pkg::MAX_INTERMEDIATE) && intermediate >= 32'd16 && intermediate[3:0] == '0 &&
        heads <= 32'(bertd_pkg::MAX_HEADS) && heads != '0 && (head_dim == 32'd32 || head_dim == 32'd64) &&
        heads_width == hidden && activation <= 32'(bertd_pkg::ACTIVATION_RELU);
    assign good_rows = rows != '0 && rows <= 32'(bertd_pkg::MAX_TOKENS) && row_begin < 32'(bertd_pkg::MAX_TOKENS);
    assign good_addresses = misaligned == '0;
    assign good_o = good_opcode && good_layers && good_shape && good_rows && good_addresses;

endmodule
