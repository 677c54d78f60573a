// Data path: the segment table of a command, in bertd_command_fetch -> where each segment lies -> bertd_table.
// Lays the segments of a command out on the chip, one row group a cycle: their rows one behind the other, each segment
// from a fresh row group on, and their keys and values in card memory, each from a fresh block on. A part of a sequence
// (PROJECT, FINISH) is one segment, with rows before its own that fill up its first block.
module bertd_layout #(
    localparam int LENGTHS = 16 * bertd_pkg::MAX_SEGMENTS
) (
    input  logic                clk_i,
    input  logic                rst_ni,
    input  logic                start_i,
    input  bertd_pkg::command_t command_i,  // steady from start_i to done_o
    input  logic [ LENGTHS-1:0] lengths_i,  // tokens of the segments; behind the last one comes a 0
    output bertd_pkg::layout_t  layout_o,
    output bertd_pkg::extent_t  extent_o,   // from done_o on
    output logic                done_o,
    output logic                good_o      // with done_o: they fit, and are what the command says
);

    localparam logic [7:0] MAX_GROUPS = 8'(bertd_pkg::MAX_TOKENS / bertd_pkg::GROUP_ROWS);

    logic busy_q, part;
    logic [LENGTHS-1:0] lengths_q;
    bertd_pkg::extent_t extent_q;
    logic [9:0] total_q;                    // rows of the segments before
    logic [9:0] row_q;                      // of the group, in its segment
    logic [15:0] length, next_length, part_end;
    logic [9:0] rows, first, end_row, total;
    logic segment_end, too_much, as_asked;

    assign part = !command_i.project || !command_i.finish;
    assign length = lengths_q[15:0];
    assign next_length = lengths_q[31:16];
    assign rows = part ? command_i.rows : length[9:0];
    assign first = part ? 10'(command_i.skip) : 10'd0;
    assign end_row = first + rows;
    assign segment_end = row_q + 10'(bertd_pkg::GROUP_ROWS) >= end_row;
    assign total = total_q + rows;
    assign part_end = {2'd0, command_i.first_block, 4'd0} + 16'(end_row);
    assign too_much = length == '0 || length > 16'(bertd_pkg::MAX_TOKENS) || extent_q.groups == MAX_GROUPS;
    // A part lies within its sequence and is the only one; of whole sequences the rows are all there are.
    assign done_o = busy_q && (too_much || (segment_end && (next_length == '0 || extent_q.last_segment == '1)));
    assign as_asked = part ? extent_q.last_segment == '0 && part_end <= length :
        command_i.first_block == '0 && command_i.skip == '0;
    assign good_o = !too_much && total == command_i.rows && as_asked;
    assign extent_o = extent_q;

    always_comb begin
        layout_o.segment_write = busy_q && row_q == '0;
        layout_o.segment_index = extent_q.last_segment;
        layout_o.segment.tokens = length[9:0];
        layout_o.segment.rows = rows;
        layout_o.segment.group = extent_q.groups[6:0];
        layout_o.segment.block = extent_q.blocks[5:0];
        layout_o.group_write = busy_q;
        layout_o.group_index = extent_q.groups[6:0];
        for (int i = 0; i < bertd_pkg::GROUP_ROWS; i++) begin
            layout_o.group.mine[i] = row_q + 10'(i) >= first && row_q + 10'(i) < end_row;
        end
        layout_o.group.tokens = length[9:0];
        layout_o.group.block = extent_q.blocks[5:0];
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            busy_q <= 1'b0;
            lengths_q <= '0;
            extent_q <= '0;
            total_q <= '0;
            row_q <= '0;
        end else if (start_i) begin
            busy_q <= 1'b1;
            lengths_q <= lengths_i;
            extent_q <= '0;
            total_q <= '0;
            row_q <= '0;
        end else if (busy_q) begin
            extent_q.groups <= extent_q.groups + 8'd1;
            row_q <= segment_end ? '0 : row_q + 10'(bertd_pkg::GROUP_ROWS);
            if (segment_end) begin
                total_q <= total;
                extent_q.blocks <= extent_q.blocks + 7'((length[9:0] + 10'd15) >> 4);
                if (!done_o) begin
                    extent_q.last_segment <= extent_q.last_segment + 1'b1;
                    lengths_q <= lengths_q >> 16;
                end
            end
            if (done_o) busy_q <= 1'b0;
        end
    end

endmodule
