// Plays a recorded session to a compiled model, without any Rust.
//
//   harness MODEL.so RECORD
//
// prints the nanoseconds and clocks since the record's start mark, and a hash of
// all words read. RECORD is described in stimulus.rs.
#include <dlfcn.h>

#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

enum Port { RESET, REG_WRITE, REG_READ, REG_ADDRESS, REG_WDATA, REG_RDATA, IN_VALID, IN_DATA, OUT_READY, OUT_VALID, OUT_DATA, PORTS };
enum Action : uint32_t { RUN, TAKE, READ, START, SET };

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::exit(2);
}

template <typename Function>
Function symbol(void* library, const char* name) {
    void* const found = dlsym(library, name);
    if (!found) fail(dlerror());
    return reinterpret_cast<Function>(found);
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

// A port of at most 32 bits, in the type that Verilator gives its width.
struct Pin {
    void* address;
    uint32_t bits;

    void write(uint32_t value) const {
        if (bits <= 8) *static_cast<uint8_t*>(address) = value;
        else if (bits <= 16) *static_cast<uint16_t*>(address) = value;
        else *static_cast<uint32_t*>(address) = value;
    }
    uint32_t read() const {
        if (bits <= 8) return *static_cast<uint8_t*>(address);
        if (bits <= 16) return *static_cast<uint16_t*>(address);
        return *static_cast<uint32_t*>(address);
    }
};

}  // namespace

int main(int count, char** arguments) {
    if (count != 3) fail("usage: harness MODEL.so RECORD");
    void* const library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    if (!library) fail(dlerror());
    const auto make = symbol<void* (*)(uint32_t)>(library, "model_new");
    const auto destroy = symbol<void (*)(void*)>(library, "model_delete");
    const auto settle = symbol<void (*)(void*)>(library, "model_settle");
    const auto edge = symbol<void (*)(void*)>(library, "model_edge");
    const auto step = symbol<void (*)(void*)>(library, "model_step");
    const auto port = symbol<void* (*)(void*, uint32_t)>(library, "model_port");

    const std::vector<uint32_t> words = read_words(arguments[2]);
    if (words.size() < 2 * PORTS || words.size() % 2) fail("the record is cut short");
    void* const model = make(0);
    Pin pins[PORTS];
    for (uint32_t p = 0; p < PORTS; ++p) pins[p] = {port(model, words[2 * p]), words[2 * p + 1]};

    uint64_t hash = 0, clocks = 0;
    const auto fold = [&](uint32_t word) { hash = (hash ^ word) * UINT64_C(0x100000001b3); };
    auto start = std::chrono::steady_clock::now();
    for (size_t at = 2 * PORTS; at < words.size(); at += 2) {
        const uint32_t action = words[at], word = words[at + 1];
        switch (action) {
        case RUN:
            for (uint32_t n = 0; n < word; ++n) step(model);
            clocks += word;
            break;
        case TAKE:
            for (uint32_t n = 0; n < word; ++n) {
                settle(model);
                if (pins[OUT_VALID].read()) fold(pins[OUT_DATA].read());
                edge(model);
            }
            clocks += word;
            break;
        case READ:
            settle(model);
            fold(pins[REG_RDATA].read());
            break;
        case START:
            clocks = 0;
            start = std::chrono::steady_clock::now();
            break;
        default:
            if (action - SET >= PORTS) fail("the record has an unknown action");
            pins[action - SET].write(word);
        }
    }
    const auto passed = std::chrono::steady_clock::now() - start;
    const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(passed).count();
    std::printf("%" PRId64 " %" PRIu64 " %" PRIu64 "\n", int64_t(nanoseconds), clocks, hash);
    destroy(model);
    return 0;
}
