// Data path: requests of bertd_command_fetch, bertd_row_load and bertd_side_load -> the data port's reader.
// Three readers of one AXI port. Whoever reads keeps the port until all of its data is there; the lowest goes first.
module bertd_read_arbiter (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic [  2:0] request_valid_i,
    output logic [  2:0] request_ready_o,
    input  logic [191:0] request_address_i,
    input  logic [ 47:0] request_beats_i,
    output logic [  2:0] data_valid_o,
    input  logic [  2:0] data_ready_i,

    output logic         reader_valid_o,
    input  logic         reader_ready_i,
    output logic [ 63:0] reader_address_o,
    output logic [ 15:0] reader_beats_o,
    input  logic         reader_data_valid_i,
    output logic         reader_data_ready_o,
    input  logic         reader_idle_i
);

    logic [2:0] owner_q, owner_d;

    always_comb begin
        owner_d = owner_q;
        if (reader_idle_i && (owner_q & request_valid_i) == '0)
            owner_d = request_valid_i & (~request_valid_i + 3'd1);
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) owner_q <= '0;
        else owner_q <= owner_d;
    end

    assign reader_valid_o = (request_valid_i & owner_q) != '0;
    assign request_ready_o = owner_q & {3{reader_ready_i}};
    assign data_valid_o = owner_q & {3{reader_data_valid_i}};
    assign reader_data_ready_o = (owner_q & data_ready_i) != '0;

    always_comb begin
        reader_address_o = '0;
        reader_beats_o = '0;
        for (int i = 0; i < 3; i++) begin
            if (owner_q[i]) begin
                reader_address_o = request_address_i[i*64+:64];
                reader_beats_o = request_beats_i[i*16+:16];
            end
        end
    end

endmodule
