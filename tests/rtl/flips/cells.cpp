#include "tests/rtl/flips/cells.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

#include "verilated.h"
#include "verilated_sym_props.h"
#include "verilated_syms.h"

/* Scopes begin with TOP and the engine's name. */
static std::string place(const VerilatedScope *scope, const VerilatedVar &variable)
{
    std::string name = scope->name();
    size_t engine = name.find("bertd_engine");
    if (engine != std::string::npos)
        name.erase(0, std::min(name.size(), engine + strlen("bertd_engine.")));
    return name + "." + variable.name();
}

void cells_without_assertions(struct sim_model *model)
{
    static_cast<VerilatedContext *>(sim_model_context(model))->assertOn(false);
}

size_t cells_find(struct sim_model *model, struct cells *cells, size_t most)
{
    auto *context = static_cast<VerilatedContext *>(sim_model_context(model));
    size_t n = 0;
    for (const auto &entry : *context->scopeNameMap()) {
        if (!entry.second->varsp())
            continue;
        for (auto &named : *entry.second->varsp()) {
            const VerilatedVar &variable = named.second;
            if (variable.isParam() || n == most)
                continue;
            struct cells &found = cells[n++];
            snprintf(found.name, sizeof found.name, "%s", place(entry.second, variable).c_str());
            found.at = static_cast<unsigned char *>(variable.datap());
            found.words = variable.udims() ? (size_t)variable.elements(1) : 1;
            found.stride = variable.entSize();
            found.bits = variable.dims() > variable.udims() ? (unsigned)variable.elements(0) : 1;
        }
    }
    std::sort(cells, cells + n,
              [](const struct cells &a, const struct cells &b) { return strcmp(a.name, b.name) < 0; });
    return n;
}
