// Linked into a program, samples where it spends its processor time, a hundred times
// a second, and writes lines of "address samples" into the file that PROFILE names.
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

extern "C" char __executable_start, etext;

namespace {

struct Sampler {
    // The C library counts in 16-bit numbers, one for every two bytes of code.
    std::vector<uint16_t> counts;

    Sampler() : counts((&etext - &__executable_start) / 2 + 1) {
        const size_t start = reinterpret_cast<size_t>(&__executable_start);
        if (profil(counts.data(), 2 * counts.size(), start, 0x10000)) std::exit(3);
    }
    ~Sampler() {
        profil(nullptr, 0, 0, 0);
        const char* const path = std::getenv("PROFILE");
        std::FILE* const file = path ? std::fopen(path, "w") : nullptr;
        if (!file) return;
        for (size_t n = 0; n < counts.size(); ++n) {
            if (counts[n]) std::fprintf(file, "%p %u\n", &__executable_start + 2 * n, counts[n]);
        }
        std::fclose(file);
    }
} sampler;

}  // namespace
