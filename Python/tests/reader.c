/* Answers lines of standard input by the functions of kva.h: what they give as hex behind "=", or why not behind "!". */
#include <inttypes.h>
#include <kva.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print(kva_code code, const kva_error *error, const void *bytes, size_t count) {
  const unsigned char *byte = bytes;
  if (code != KVA_OK) {
    printf("! %d %#" PRIx64 " %s\n", (int)error->code, error->address, error->message);
    if ((int)code != error->code) exit(3);
    return;
  }
  printf("= ");
  for (size_t i = 0; i < count; i++) printf("%02x", byte[i]);
  printf("\n");
}

int main(int argc, char **argv) {
  static unsigned char buffer[1 << 20];
  char line[4096], word[2048];
  uint64_t tables, address, found[2];
  size_t length;
  kva_error error;
  if (argc < 2 || kva_abi() != KVA_ABI) return 2;
  kva_dump *dump = kva_open(argv[1], (const char *const *)argv + 2, &error);
  if (!dump) {
    print((kva_code)error.code, &error, NULL, 0);
    return 1;
  }
  while (fgets(line, sizeof line, stdin)) {
    kva_code code;
    memset(&error, 0xff, sizeof error);
    if (sscanf(line, "read %" SCNx64 " %" SCNx64 " %zu", &tables, &address, &length) == 3) {
      if (length > sizeof buffer) return 2;
      code = kva_read(dump, tables, address, buffer, length, &error);
      print(code, &error, buffer, length);
    } else if (sscanf(line, "physical %" SCNx64 " %zu", &address, &length) == 2) {
      if (length > sizeof buffer) return 2;
      code = kva_read_physical(dump, address, buffer, length, &error);
      print(code, &error, buffer, length);
    } else if (sscanf(line, "translate %" SCNx64 " %" SCNx64, &tables, &address) == 2) {
      code = kva_translate(dump, tables, address, &found[0], &found[1], &error);
      print(code, &error, found, sizeof found);
    } else if (sscanf(line, "find %2047s", word) == 1) {
      code = kva_find(dump, word, found, &error);
      print(code, &error, found, sizeof found[0]);
    } else if (sscanf(line, "tables %2047s", word) == 1) {
      code = kva_find_tables(dump, word, found, &error);
      print(code, &error, found, sizeof found[0]);
    } else if (strcmp(line, "null\n") == 0) {
      /* What is NULL is refused or left out; a failure needs no kva_error. */
      if (kva_open(NULL, NULL, NULL) || kva_read(NULL, KVA_KERNEL, 0, buffer, 1, NULL) != KVA_BAD_ARGUMENT) return 3;
      if (kva_read(dump, KVA_KERNEL, 0, NULL, 1, &error) != KVA_BAD_ARGUMENT) return 3;
      if (kva_read(dump, KVA_KERNEL, 0, buffer, SIZE_MAX, &error) != KVA_BAD_ARGUMENT) return 3;
      if (kva_read_physical(dump, 0, NULL, 0, NULL) != KVA_OK) return 3;
      if (kva_find(dump, NULL, found, &error) != KVA_BAD_ARGUMENT) return 3;
      if (kva_find(dump, "0x1234", NULL, NULL) != KVA_OK) return 3;
      kva_close(NULL);
      printf("= \n");
    } else {
      return 2;
    }
  }
  kva_close(dump);
  return 0;
}
