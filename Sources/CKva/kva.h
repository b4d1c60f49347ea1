/*
 * kva.h - the memory of arm64 Linux crash dumps, for C and for languages that call C.
 *
 * Link with -lkva-c. The library includes the Swift runtime; it needs libelf, libdw and the C library.
 *
 *     kva_error error;
 *     kva_dump *dump = kva_open("vmcore", NULL, &error);
 *     uint64_t address, word;
 *     if (dump && kva_find(dump, "init_task", &address, &error) == KVA_OK &&
 *         kva_read(dump, KVA_KERNEL, address, &word, sizeof word, &error) == KVA_OK)
 *       printf("%#llx\n", (unsigned long long)word);
 *     else
 *       fprintf(stderr, "%s\n", error.message);
 *     kva_close(dump);
 *
 * Any number of threads may use one kva_dump. kva_close frees it: call it once, while no other call is running.
 * Absent memory is an error, never zeros. After a failed read the contents of the buffer are undefined.
 *
 * The dump is mapped unless "--no-mmap" is given. A mapped file that shrinks, or whose disk or network fails, ends
 * the process with SIGBUS, as it does with any program that maps files.
 */
#ifndef KVA_H
#define KVA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this interface. It changes when a declaration below changes; new functions and codes do not. */
#define KVA_ABI 1

/* KVA_ABI of the library that was loaded. */
uint32_t kva_abi(void);

/* Why a call failed. */
typedef enum kva_code {
  KVA_OK = 0,
  KVA_BAD_ARGUMENT = 1,      /* a NULL pointer, a malformed query, bytes beyond the end of the address space */
  KVA_BAD_OPTION = 2,        /* kva_open: no such option, or not a value for it */
  KVA_UNUSABLE_FILE = 3,     /* the dump, or a file given with it, cannot be used */
  KVA_NO_KERNEL = 4,         /* no kernel was found in the dump; physical memory can still be read */
  KVA_UNKNOWN_SYMBOL = 5,    /* no source of symbols knows the name */
  KVA_NO_TABLES = 6,         /* an address of user space without a root table, or no root table was found */
  KVA_UNMAPPED = 16,         /* the entry that would map the address is invalid */
  KVA_NOT_CANONICAL = 17,    /* the address is outside the range of the tables */
  KVA_TABLE_MISSING = 18,    /* a table cannot be read from the dump */
  KVA_CORRUPT = 19,          /* an entry is malformed */
  KVA_NOT_IN_DUMP = 32,      /* no memory of this physical address was dumped */
  KVA_FILTERED = 33,         /* the page was left out when the dump was written */
  KVA_CUT_OFF = 34,          /* the file ends before the page */
  KVA_LOST = 35,             /* the page was lost when the dump was written */
  KVA_DAMAGED = 36,          /* the contents of the page cannot be decoded */
  KVA_IN_MISSING_PART = 37,  /* the page is in a part of a split dump that was not given */
  KVA_UNREADABLE = 38        /* the disk or the network that the file is on failed */
} kva_code;

/* A failure, in the caller's memory. Each function accepts NULL if only the code is needed. */
typedef struct kva_error {
  int32_t code; /* a kva_code */
  uint32_t reserved;
  uint64_t address;  /* the first unreadable address, virtual or physical as in the call; else 0 */
  char message[1008]; /* what is wrong, in one line of UTF-8 */
} kva_error;

/* An open dump. */
typedef struct kva_dump kva_dump;

/*
 * Opens a dump: `path` is any form of dump that kva(1) accepts. The first call that needs the kernel searches for it.
 *
 * `options` are the options of kva(1) for opening a dump, one word each, with NULL at the end; NULL for none:
 *
 *     const char *options[] = {"--vmlinux=vmlinux", "--cache-size=256M", NULL};
 *
 * Returns NULL, and KVA_BAD_OPTION or another code in `error`, if the dump cannot be opened.
 */
kva_dump *kva_open(const char *path, const char *const *options, kva_error *error);

/* Closes a dump; does nothing for NULL. */
void kva_close(kva_dump *dump);

/* `tables` for the kernel only: user addresses then have no translation. */
#define KVA_KERNEL UINT64_MAX

/*
 * Copies `length` bytes from a virtual address into `buffer`: all of them, or an error. A tag in the top byte is
 * ignored. The kernel's tables translate the upper half; the tables with the root at the physical address
 * `tables`, from kva_find_tables, translate the lower half.
 */
kva_code kva_read(
    kva_dump *dump, uint64_t tables, uint64_t address, void *buffer, size_t length, kva_error *error);

/* Copies `length` bytes from a physical address into `buffer`: all of them, or an error. */
kva_code kva_read_physical(kva_dump *dump, uint64_t address, void *buffer, size_t length, kva_error *error);

/*
 * Translates a virtual address. `length` is the number of bytes from it to the end of the entry's mapping. The call
 * does not check that the dump contains the page. Either pointer may be NULL.
 */
kva_code kva_translate(
    kva_dump *dump, uint64_t tables, uint64_t address, uint64_t *physical, uint64_t *length, kva_error *error);

/* The address of a query of kva(1): "init_task+8", "fuse:fuse_init", "runqueues@cpu3", "0xffff...". */
kva_code kva_find(kva_dump *dump, const char *query, uint64_t *address, kva_error *error);

/* The root table of a user space, named as for `--ttbr0`: "1" for a PID, "cpu0", or TTBR0 as "0x4169c000". */
kva_code kva_find_tables(kva_dump *dump, const char *text, uint64_t *tables, kva_error *error);

/*
 * An ELF core of the dump without any memory: the registers of each CPU (NT_PRSTATUS), and VMCOREINFO with the lines
 * that readers need, even if the dump has none. Writes the first `capacity` bytes of the core to `buffer`, which may be
 * NULL if `capacity` is 0, and the length of the whole core to `length`.
 */
kva_code kva_core(kva_dump *dump, void *buffer, size_t capacity, size_t *length, kva_error *error);

/* A symbol of the kernel. */
typedef struct kva_symbol {
  uint64_t address;
  uint64_t size;     /* in bytes; 0 if unknown */
  uint32_t type;     /* the letter of nm(1), or 0 */
  uint32_t reserved;
} kva_symbol;

/* The kernel's symbol with this name, not a module's; KVA_UNKNOWN_SYMBOL if there is none. */
kva_code kva_find_symbol(kva_dump *dump, const char *name, kva_symbol *symbol, kva_error *error);

/*
 * The argument of kva_read_segment, for a program that reads memory through a callback, such as drgn with
 * drgn_program_add_memory_segment(). It must live as long as the program. `fault` makes the program's own error.
 */
typedef struct kva_reader {
  kva_dump *dump;
  uint64_t tables; /* as for kva_read */
  void *(*fault)(const char *message, uint64_t address);
} kva_reader;

/* Copies `count` bytes from `address` into `buffer`. Returns NULL, or the error of `fault`. Ignores `offset`. */
void *kva_read_segment(
    void *buffer, uint64_t address, size_t count, uint64_t offset, void *reader, bool physical);

#ifdef __cplusplus
}
#endif

#endif
