// The C interface of a verilated model, compiled into its shared object.
// The builder prepends:
//   SET_CLOCK(top, level)   assigns the clock, or nothing without one
//   PORTS(top)              addresses of all ports, in the order of the port table
#include "Vmodel.h"
#include "verilated.h"
#include "verilated_sym_props.h"
#if VM_TRACE_VCD
#include "verilated_vcd_c.h"
#endif

namespace {

// One clock cycle in a waveform: low for the first half, high for the second.
constexpr uint64_t HALF_PERIOD_NS = 5;

struct Model final {
    VerilatedContext context;
    Vmodel* top = nullptr;
#if VM_TRACE_VCD
    VerilatedVcdC* trace = nullptr;
#endif

    void phase(uint8_t level) {
        SET_CLOCK(top, level);
        top->eval();
    }
    void dump() {
#if VM_TRACE_VCD
        if (trace) trace->dump(context.time());
#endif
    }
    // May be asked for several times in a cycle, so the waveform shows the low
    // phase as it is when the edge comes.
    void settle() { phase(0); }
    void edge() {
        dump();
        context.timeInc(HALF_PERIOD_NS);
        phase(1);
        dump();
        context.timeInc(HALF_PERIOD_NS);
    }
    void step() {
        settle();
        edge();
    }
};

}  // namespace

extern "C" {

// Seed 0: registers start at zero. Otherwise, in a model verilated for it,
// they start at random values drawn from the seed.
Model* model_new(uint32_t seed) {
    Model* const model = new Model;
    model->context.timeunit(-9);
    model->context.timeprecision(-9);
    if (seed) {
        model->context.randReset(2);
        model->context.randSeed(static_cast<int>(seed));
    }
#if VM_TRACE_VCD
    model->context.traceEverOn(true);
#endif
    model->top = new Vmodel{&model->context};
    SET_CLOCK(model->top, 0);
    return model;
}

void model_delete(Model* model) {
    model->top->final();
    delete model->top;
    delete model;
}

void model_settle(Model* model) { model->settle(); }
void model_edge(Model* model) { model->edge(); }
void model_step(Model* model) { model->step(); }

// Steps until *stop is not zero, at most `limit` cycles; returns how many.
uint64_t model_run(Model* model, uint64_t limit, const uint8_t* stop) {
    uint64_t cycles = 0;
    while (cycles < limit && !*stop) {
        model->step();
        ++cycles;
    }
    return cycles;
}

void* model_port(Model* model, uint32_t index) {
    void* const ports[] = {PORTS(model->top)};
    return ports[index];
}

// Where a signal lies, in a model whose signals are public; null if there is none of this name.
void* model_signal(Model* model, const char* scope, const char* name) {
    const VerilatedScope* const found = model->context.scopeFind(scope);
    const VerilatedVar* const signal = found ? found->varFind(name) : nullptr;
    return signal ? signal->datap() : nullptr;
}

// Attaches a trace which is not open yet; a null pointer detaches.
// Returns whether the model was verilated for tracing.
int model_trace(Model* model, void* trace) {
#if VM_TRACE_VCD
    model->trace = static_cast<VerilatedVcdC*>(trace);
    if (trace) model->top->trace(model->trace, 99);
    return 1;
#else
    (void)model;
    (void)trace;
    return 0;
#endif
}

}  // extern "C"
