#define _GNU_SOURCE
#include "baseline.h"

#include <elf.h>
#include <fcntl.h>
#include <lzo/lzo1x.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

struct segment {
  uint64_t start, size;
  const uint8_t *bytes;
};

/* struct page_desc */
struct descriptor {
  uint64_t offset;
  uint32_t size, flags;
  uint64_t page_flags;
};

struct baseline_dump {
  const uint8_t *file;
  size_t size;
  /* Of ELF. */
  struct segment *segments;
  int segment_count;
  /* Of kdump: for each frame its descriptor, and the page once it was decompressed for a walk. */
  const struct descriptor **frames;
  uint8_t **pages;
  uint64_t frame_count;
  uint64_t block_size;
  z_stream inflate;
  ZSTD_DCtx *zstd;
};

static bool open_elf(struct baseline_dump *dump)
{
  const Elf64_Ehdr *header = (const void *)dump->file;
  if (header->e_machine != EM_AARCH64 || header->e_phnum == PN_XNUM)
    return false;
  const Elf64_Phdr *programs = (const void *)(dump->file + header->e_phoff);
  dump->segments = calloc(header->e_phnum, sizeof *dump->segments);
  for (int i = 0; i < header->e_phnum; i++) {
    if (programs[i].p_type != PT_LOAD || programs[i].p_filesz == 0)
      continue;
    dump->segments[dump->segment_count++] =
        (struct segment){programs[i].p_paddr, programs[i].p_filesz, dump->file + programs[i].p_offset};
  }
  return true;
}

static bool open_kdump(struct baseline_dump *dump)
{
  uint32_t version, block, sub_blocks, bitmap_blocks, max_mapnr;
  memcpy(&version, dump->file + 8, 4);
  memcpy(&block, dump->file + 428, 4);
  memcpy(&sub_blocks, dump->file + 432, 4);
  memcpy(&bitmap_blocks, dump->file + 436, 4);
  memcpy(&max_mapnr, dump->file + 440, 4);
  dump->block_size = block;
  dump->frame_count = max_mapnr;
  if (version >= 6)
    memcpy(&dump->frame_count, dump->file + block + 96, 8);
  const uint8_t *dumped =
      dump->file + (1 + (uint64_t)sub_blocks) * block + (uint64_t)bitmap_blocks / 2 * block;
  const struct descriptor *next =
      (const void *)(dump->file + (1 + (uint64_t)sub_blocks + bitmap_blocks) * block);
  dump->frames = calloc(dump->frame_count, sizeof *dump->frames);
  dump->pages = calloc(dump->frame_count, sizeof *dump->pages);
  for (uint64_t frame = 0; frame < dump->frame_count; frame++)
    if (dumped[frame / 8] >> frame % 8 & 1)
      dump->frames[frame] = next++;
  inflateInit(&dump->inflate);
  dump->zstd = ZSTD_createDCtx();
  return true;
}

struct baseline_dump *baseline_open(const char *path)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) != 0 || status.st_size < 4096)
    return NULL;
  struct baseline_dump *dump = calloc(1, sizeof *dump);
  dump->size = status.st_size;
  dump->file = mmap(NULL, dump->size, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  if (dump->file == MAP_FAILED)
    return NULL;
  if (memcmp(dump->file, ELFMAG, SELFMAG) == 0 ? open_elf(dump)
      : memcmp(dump->file, "KDUMP   ", 8) == 0 ? open_kdump(dump) : false)
    return dump;
  return NULL;
}

void baseline_close(struct baseline_dump *dump)
{
  for (uint64_t frame = 0; dump->pages && frame < dump->frame_count; frame++)
    free(dump->pages[frame]);
  if (dump->frames)
    inflateEnd(&dump->inflate);
  ZSTD_freeDCtx(dump->zstd);
  free(dump->pages);
  free(dump->frames);
  free(dump->segments);
  munmap((void *)dump->file, dump->size);
  free(dump);
}

/* Decompresses one page by the codec's own library. */
static bool unpack(struct baseline_dump *dump, const struct descriptor *packed, uint8_t *page)
{
  const uint8_t *from = dump->file + packed->offset;
  size_t size = dump->block_size;
  if (packed->flags & 1) {
    inflateReset(&dump->inflate);
    dump->inflate.next_in = (uint8_t *)from;
    dump->inflate.avail_in = packed->size;
    dump->inflate.next_out = page;
    dump->inflate.avail_out = size;
    return inflate(&dump->inflate, Z_FINISH) == Z_STREAM_END;
  }
  if (packed->flags & 2) {
    lzo_uint made = size;
    return lzo1x_decompress_safe(from, packed->size, page, &made, NULL) == LZO_E_OK;
  }
  if (packed->flags & 4) {
    size_t made = size;
    return snappy_uncompress((const char *)from, packed->size, (char *)page, &made) == SNAPPY_OK;
  }
  if (packed->flags & 0x20)
    return ZSTD_decompressDCtx(dump->zstd, page, size, from, packed->size) == size;
  memcpy(page, from, size);
  return true;
}

/* Where the bytes at a physical address are, for a walk: a page that is packed is unpacked once and kept. */
static inline const uint8_t *bytes_at(struct baseline_dump *dump, uint64_t address)
{
  for (int i = 0; i < dump->segment_count; i++)
    if (address - dump->segments[i].start < dump->segments[i].size)
      return dump->segments[i].bytes + (address - dump->segments[i].start);
  if (!dump->frames)
    return NULL;
  uint64_t frame = address / dump->block_size;
  if (frame >= dump->frame_count || !dump->frames[frame])
    return NULL;
  if (!dump->pages[frame]) {
    dump->pages[frame] = malloc(dump->block_size);
    if (!unpack(dump, dump->frames[frame], dump->pages[frame]))
      return NULL;
  }
  return dump->pages[frame] + address % dump->block_size;
}

static inline uint64_t output(const struct baseline_tables *tables, uint64_t descriptor, int shift)
{
  return (descriptor & tables->low_mask & ~((1ull << shift) - 1))
      | (descriptor & tables->high_mask) << tables->high_shift;
}

static inline uint64_t walk(struct baseline_dump *dump, const struct baseline_tables *tables, uint64_t address)
{
  int bits = tables->page_shift - 3;
  int level = 4 - (tables->table_bits - 4) / bits;
  int shift = bits * (4 - level) + 3;
  uint64_t mask = (1ull << (tables->table_bits - shift)) - 1;
  uint64_t table = tables->root;
  for (;; level++, shift -= bits, mask = (1ull << bits) - 1) {
    const uint8_t *entry = bytes_at(dump, table + (address >> shift & mask) * 8);
    if (!entry)
      return 0;
    uint64_t descriptor;
    memcpy(&descriptor, entry, 8);
    if (!(descriptor & 1))
      return 0;
    if (level == 3 || !(descriptor & 2))
      return output(tables, descriptor, shift) + (address & ((1ull << shift) - 1));
    table = output(tables, descriptor, tables->page_shift);
  }
}

uint64_t baseline_translate(
    struct baseline_dump *dump, const struct baseline_tables *tables, const uint64_t *addresses, size_t count)
{
  uint64_t sum = 0;
  for (size_t i = 0; i < count; i++)
    sum += walk(dump, tables, addresses[i]);
  return sum;
}

static uint64_t sweep(
    struct baseline_dump *dump, const struct baseline_tables *tables, uint64_t table, uint64_t address, int level,
    uint64_t entries, uint64_t *sum)
{
  int bits = tables->page_shift - 3;
  int shift = bits * (4 - level) + 3;
  uint64_t leaves = 0;
  const uint8_t *bytes = bytes_at(dump, table);
  /* A table that lies in several blocks is left out. */
  if (!bytes || (dump->frames && dump->block_size < entries * 8))
    return 0;
  for (uint64_t i = 0; i < entries; i++, address += 1ull << shift) {
    uint64_t descriptor;
    memcpy(&descriptor, bytes + i * 8, 8);
    if (!(descriptor & 1))
      continue;
    if (level == 3 || !(descriptor & 2)) {
      leaves++;
      *sum += address ^ output(tables, descriptor, shift);
    } else {
      leaves += sweep(
          dump, tables, output(tables, descriptor, tables->page_shift), address, level + 1, 1ull << bits, sum);
    }
  }
  return leaves;
}

uint64_t baseline_sweep(struct baseline_dump *dump, const struct baseline_tables *tables, uint64_t *sum)
{
  int bits = tables->page_shift - 3;
  int level = 4 - (tables->table_bits - 4) / bits;
  *sum = 0;
  return sweep(
      dump, tables, tables->root, -(1ull << tables->table_bits), level,
      1ull << (tables->table_bits - (bits * (4 - level) + 3)), sum);
}

size_t baseline_read(
    struct baseline_dump *dump, const uint64_t *addresses, size_t count, size_t page_size, uint8_t *page)
{
  size_t found = 0;
  for (size_t i = 0; i < count; i++) {
    if (!dump->frames) {
      const uint8_t *bytes = bytes_at(dump, addresses[i]);
      if (!bytes)
        continue;
      memcpy(page, bytes, page_size);
      found++;
      continue;
    }
    /* A block of the file may be larger or smaller than the page. */
    for (uint64_t done = 0; done < page_size; done += dump->block_size) {
      uint64_t frame = (addresses[i] + done) / dump->block_size;
      if (frame >= dump->frame_count || !dump->frames[frame] || !unpack(dump, dump->frames[frame], page + done))
        goto next;
    }
    found++;
  next:;
  }
  return found;
}
