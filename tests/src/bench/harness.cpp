// Drives a compiled model without any Rust, as one would write it in C++: the
// model's own class, its ports as members, two evaluations a clock.
//
//   harness RECORD TIMES
//
// prints, for the last of so many times, the processor time in nanoseconds and the
// clocks since the record's start mark, and a hash of all words read. RECORD is
// described in stimulus.rs.
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "Vmodel.h"
#include "verilated.h"

namespace {

enum Operation : uint32_t { RESET, WRITE, READ, SEND, RECEIVE, WAIT, START };

// Clocks that a word may wait: far beyond any pass.
constexpr uint64_t MOST_WAITED = UINT64_C(1) << 24;

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::exit(2);
}

std::vector<uint32_t> read_words(const char* path) {
    std::FILE* const file = std::fopen(path, "rb");
    if (!file) fail("the record cannot be opened");
    std::vector<uint32_t> words;
    uint32_t word;
    while (std::fread(&word, sizeof word, 1, file) == 1) words.push_back(word);
    std::fclose(file);
    return words;
}

int64_t processor_time() {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return int64_t(now.tv_sec) * 1000000000 + now.tv_nsec;
}

// The accelerator's registers and streams.
struct Wire {
    VerilatedContext context;
    Vmodel top{&context};
    uint64_t clocks = 0;

    void settle() {
        top.clock = 0;
        top.eval();
    }
    void edge() {
        top.clock = 1;
        top.eval();
        ++clocks;
    }
    void step() {
        settle();
        edge();
    }
    void reset() {
        top.reset = 1;
        step();
        step();
        top.reset = 0;
    }
    void write(uint32_t address, uint32_t value) {
        top.register_address = address;
        top.register_write_data = value;
        top.register_write = 1;
        step();
        top.register_write = 0;
    }
    uint32_t read(uint32_t address) {
        top.register_address = address;
        top.register_read = 1;
        step();
        top.register_read = 0;
        settle();
        return top.register_read_data;
    }
    void send(const uint32_t* beats, uint32_t count) {
        top.input_valid = 1;
        for (uint32_t n = 0; n < count; ++n) {
            top.input_data = beats[n];
            bool accepted = false;
            // In a session that was recorded it is accepted at some time.
            for (uint64_t left = MOST_WAITED; !accepted; --left) {
                if (!left) fail("a word of the record is not accepted");
                settle();
                accepted = top.input_ready;
                edge();
            }
        }
        top.input_valid = 0;
    }
    template <typename Take>
    void receive(uint32_t count, uint64_t limit, Take take) {
        const uint64_t end = clocks + limit;
        top.output_ready = 1;
        while (count && clocks < end) {
            while (!top.output_valid && clocks < end) step();
            if (!top.output_valid) break;
            take(top.output_data);
            --count;
            step();
        }
        top.output_ready = 0;
    }
};

struct Effort {
    int64_t nanoseconds = 0;
    uint64_t clocks = 0, hash = 0;
};

// The whole session on a new model; the effort is that since the start mark.
Effort play(const std::vector<uint32_t>& words) {
    size_t at = 0;
    const auto next = [&] {
        if (at == words.size()) fail("the record is cut short");
        return words[at++];
    };
    Wire wire;
    Effort effort;
    uint64_t started = 0;
    int64_t start = processor_time();
    const auto fold = [&](uint32_t word) { effort.hash = (effort.hash ^ word) * UINT64_C(0x100000001b3); };
    while (at < words.size()) {
        switch (next()) {
        case RESET: wire.reset(); break;
        case WRITE: {
            const uint32_t address = next();
            wire.write(address, next());
            break;
        }
        case READ: fold(wire.read(next())); break;
        case SEND: {
            const uint32_t beats = next();
            if (words.size() - at < beats) fail("the record is cut short");
            wire.send(&words[at], beats);
            at += beats;
            break;
        }
        case RECEIVE: {
            const uint32_t results = next();
            wire.receive(results, next(), fold);
            break;
        }
        case WAIT:
            for (uint32_t clocks = next(); clocks; --clocks) wire.step();
            break;
        case START:
            started = wire.clocks;
            start = processor_time();
            break;
        default: fail("the record has an unknown operation");
        }
    }
    effort.nanoseconds = processor_time() - start;
    effort.clocks = wire.clocks - started;
    wire.top.final();
    return effort;
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 3) fail("usage: harness RECORD TIMES");
    const std::vector<uint32_t> words = read_words(arguments[1]);
    Effort effort;
    for (long left = std::atol(arguments[2]); left > 0; --left) effort = play(words);
    std::printf("%" PRId64 " %" PRIu64 " %" PRIu64 "\n", effort.nanoseconds, effort.clocks, effort.hash);
    return 0;
}
