// What the address sanitizer does unless ASAN_OPTIONS says otherwise: memory that was freed is kept back for a while,
// but little of it, since the fuzzer counts it; and a crash is not symbolised, which never ends with a binary of Swift's
// size.
const char *__asan_default_options(void) { return "quarantine_size_mb=8:symbolize=0"; }
