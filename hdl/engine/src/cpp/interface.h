// The C interface.
extern "C" {

State* engine_new() {
    void* memory = std::aligned_alloc(64, (sizeof(State) + 63) / 64 * 64);
    if (!memory) return nullptr;
    std::memset(memory, 0, sizeof(State));
    State* s = static_cast<State*>(memory);
    settle(*s);
    return s;
}

void engine_delete(State* s) { std::free(s); }

void engine_settle(State* s) { settle(*s); }

// A rising edge of the clock, and outputs after it.
void engine_edge(State* s) {
    edge(*s);
    settle(*s);
}

// Edges until *stop is not zero or lanes have come apart, at most `limit`; returns how many.
uint64_t engine_run(State* s, uint64_t limit, const u8* stop) {
    uint64_t edges = 0;
    while (edges < limit && !*stop && !s->diverged) {
        edge(*s);
        settle(*s);
        ++edges;
    }
    return edges;
}

void* engine_port(State* s, uint32_t index) { return port(*s, index); }

// Where the registers of a family lie.
void* engine_family(State* s, uint32_t index) { return family(*s, index); }

// What differed between lanes where it must not; an empty text if nothing did.
const char* engine_diverged(State* s) { return watched[s->diverged]; }

}  // extern "C"
