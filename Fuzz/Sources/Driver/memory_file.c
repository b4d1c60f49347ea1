#define _GNU_SOURCE
#include "driver.h"
#include <sys/mman.h>

int memory_file(void) { return memfd_create("kva-fuzz", MFD_CLOEXEC); }
