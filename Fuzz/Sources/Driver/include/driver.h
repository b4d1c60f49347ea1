#pragma once
#include <stddef.h>
#include <stdint.h>

/// libFuzzer: calls `callback` with one input after another, as the arguments say; returns at the end.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));

/// A file without a name, in memory; -1 where there can be none.
int memory_file(void);
