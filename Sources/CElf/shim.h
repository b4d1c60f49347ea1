#pragma once
#include <elf.h>
#include <gelf.h>
#include <libelf.h>
#include <stddef.h>

/* Only with _GNU_SOURCE in string.h. */
extern void *memmem(const void *, size_t, const void *, size_t);
