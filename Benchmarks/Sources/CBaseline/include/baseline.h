#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a C program that does the same work and nothing else takes: the yardstick of kva-bench. It trusts the file,
   knows ELF and kdump-compressed dumps that are not flattened, and shares no code with kva. */

/* A dump, mapped. */
struct baseline_dump;

/* How tables are to be read: the kernel's half. */
struct baseline_tables {
  uint64_t root;
  int page_shift;
  int table_bits;
  /* The bits of a descriptor that hold the address, and those that hold its highest bits, and how far up they go. */
  uint64_t low_mask, high_mask;
  int high_shift;
};

/* NULL where the file cannot be mapped or is of another format. */
struct baseline_dump *baseline_open(const char *path);
void baseline_close(struct baseline_dump *dump);

/* The sum of the physical addresses of `count` virtual ones, 0 for each that is not mapped. */
uint64_t baseline_translate(
    struct baseline_dump *dump, const struct baseline_tables *tables, const uint64_t *addresses, size_t count);

/* How many leaves all tables have; `sum` adds up where each leads from and to, one XOR the other. */
uint64_t baseline_sweep(struct baseline_dump *dump, const struct baseline_tables *tables, uint64_t *sum);

/* Reads the page at each of `count` physical addresses into `page`, which has room for 64 KiB, decompressing it each
   time where it is packed. How many were there. */
size_t baseline_read(
    struct baseline_dump *dump, const uint64_t *addresses, size_t count, size_t page_size, uint8_t *page);
