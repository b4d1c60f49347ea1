#include "baseline.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* cold-baseline DUMP ROOT PAGE_SHIFT TABLE_BITS LOW_MASK HIGH_MASK HIGH_SHIFT ADDRESS: what it takes a C program to
   open a dump and translate one address. */
int main(int argc, char **argv)
{
  if (argc != 9)
    return 64;
  struct baseline_dump *dump = baseline_open(argv[1]);
  if (!dump)
    return 2;
  struct baseline_tables tables = {
      .root = strtoull(argv[2], NULL, 0),
      .page_shift = atoi(argv[3]),
      .table_bits = atoi(argv[4]),
      .low_mask = strtoull(argv[5], NULL, 0),
      .high_mask = strtoull(argv[6], NULL, 0),
      .high_shift = atoi(argv[7]),
  };
  uint64_t address = strtoull(argv[8], NULL, 0);
  uint64_t physical = baseline_translate(dump, &tables, &address, 1);
  printf("0x%" PRIx64 " -> 0x%" PRIx64 "\n", address, physical);
  return physical ? 0 : 1;
}
