// Data path: a signal with many readers -> copies of it, each for the readers of one place.
// A tree of registers: COPIES of what comes in, STAGES cycles later, each node with as few branches as that takes. Tools
// that would make one register of all that hold the same are told to keep them.
module bertd_fanout #(
    parameter int WIDTH = 1,
    parameter int COPIES = 4,
    parameter int STAGES = bertd_pkg::FANOUT_STAGES
) (
    input  logic                    clk_i,
    input  logic [       WIDTH-1:0] in_i,
    output logic [COPIES*WIDTH-1:0] out_o
);

    // Branches of a node.
    function automatic int branches();
        int leaves;
        branches = 0;
        leaves = 0;
        while (leaves < COPIES) begin
            branches = branches + 1;
            leaves = 1;
            for (int s = 0; s < STAGES; s++) leaves = leaves * branches;
        end
    endfunction
    // Nodes of a stage: the last has COPIES, stage 0 is the input.
    function automatic int nodes(input int stage);
        nodes = COPIES;
        for (int s = stage; s < STAGES; s++) nodes = (nodes + branches() - 1) / branches();
    endfunction
    function automatic int nodes_before(input int stage);
        nodes_before = 0;
        for (int s = 0; s < stage; s++) nodes_before = nodes_before + nodes(s);
    endfunction

    if (STAGES == 0) begin : gen_wires
        logic unused;
        assign unused = clk_i;
        assign out_o = {COPIES{in_i}};
    end else begin : gen_tree
        localparam int BRANCHES = branches();
        localparam int LEAVES = nodes_before(STAGES) - 1;  // the input is no register
        (* keep = "true", shreg_extract = "no" *) logic [(LEAVES+COPIES)*WIDTH-1:0] nodes_q;

        for (genvar s = 1; s <= STAGES; s++) begin : gen_stage
            localparam int FIRST = nodes_before(s) - 1;
            localparam int ABOVE = nodes_before(s - 1) - 1;
            localparam int NODES = nodes(s);
            for (genvar n = 0; n < NODES; n++) begin : gen_node
                if (s == 1) begin : gen_root
                    always_ff @(posedge clk_i) nodes_q[(FIRST+n)*WIDTH+:WIDTH] <= in_i;
                end else begin : gen_branch
                    always_ff @(posedge clk_i) begin
                        nodes_q[(FIRST+n)*WIDTH+:WIDTH] <= nodes_q[(ABOVE+n/BRANCHES)*WIDTH+:WIDTH];
                    end
                end
            end
        end
        assign out_o = nodes_q[LEAVES*WIDTH+:COPIES*WIDTH];
    end

endmodule
