// What the published `verilated` 0.1.2 needs to compile against Verilator 5.
// .cargo/config.toml includes it in front of every C++ file of the host.

// The shim of `verilated` looks for the flush and exit callbacks only when the
// major version is 4. Verilator 5 kept that interface, so answer 4.38, the
// version which introduced it. Nothing but the shim reads these two macros.
#ifdef VERILATOR_VERSION_MAJOR
#undef VERILATOR_VERSION_MAJOR
#undef VERILATOR_VERSION_MINOR
#define VERILATOR_VERSION_MAJOR 4
#define VERILATOR_VERSION_MINOR 38
#endif

// VerilatedVcdC::rolloverMB(megabytes) became rolloverSize(bytes).
#define rolloverMB(megabytes) rolloverSize(static_cast<uint64_t>(megabytes) << 20)
