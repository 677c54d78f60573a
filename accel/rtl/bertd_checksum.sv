// Data path: the array's sums, beside bertd_drain -> an error for bertd_command_fetch.
// The sum of a row's accumulators over all panels of a linear, modulo 2^32, against the product of the row with the sum
// of the weights' rows. That product comes out of the array itself: a linear's last panel holds the digits, base 256,
// of the sums in its first four outputs.
module bertd_checksum (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic         valid_i,
    input  logic [  8:0] row_i,
    input  logic         first_i,   // first panel of the linear
    input  logic         check_i,   // check panel
    input  logic [511:0] sums_i,    // [16] int32
    output logic         error_o
);

    logic [31:0] digits, first_half, second_half, part_a_q, part_b_q, total_q, earlier, sum;
    logic valid_1_q, valid_2_q, first_1_q, first_2_q, check_1_q, check_2_q, error_q;
    logic [8:0] row_1_q, row_2_q;

    assign digits = sums_i[31:0] + (sums_i[63:32] << 8) + (sums_i[95:64] << 16) + (sums_i[127:96] << 24);
    always_comb begin
        first_half = '0;
        second_half = '0;
        for (int i = 0; i < 8; i++) begin
            first_half = first_half + sums_i[i*32+:32];
            second_half = second_half + sums_i[(i+8)*32+:32];
        end
    end

    bertd_ram_1r1w #(
        .WIDTH(32),
        .DEPTH(1 << 9)
    ) u_sums (
        .clk_i,
        .write_i        (valid_2_q && !check_2_q),
        .write_address_i(row_2_q),
        .write_data_i   (sum),
        .read_i         (valid_1_q),
        .read_address_i (row_1_q),
        .read_data_o    (earlier)
    );

    assign sum = total_q + (first_2_q ? 32'd0 : earlier);
    assign error_o = error_q;

    always_ff @(posedge clk_i) begin
        part_a_q <= check_i ? digits : first_half;
        part_b_q <= check_i ? 32'd0 : second_half;
        total_q <= part_a_q + part_b_q;
        row_1_q <= row_i;
        row_2_q <= row_1_q;
        first_1_q <= first_i;
        first_2_q <= first_1_q;
        check_1_q <= check_i;
        check_2_q <= check_1_q;
    end

    always_ff @(posedge clk_i or negedge rst_ni) begin
        if (!rst_ni) begin
            valid_1_q <= 1'b0;
            valid_2_q <= 1'b0;
            error_q <= 1'b0;
        end else begin
            valid_1_q <= valid_i;
            valid_2_q <= valid_1_q;
            error_q <= valid_2_q && check_2_q && total_q != earlier;
        end
    end

endmodule
