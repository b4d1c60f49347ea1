/*
 * What Swift's archives, compiled with glibc 2.38 or later, ask for and older ones lack: the functions of C23, by
 * those of C11, and the two of OpenBSD. Weak, so that a C library that has them wins; hidden, so that nobody else sees
 * them. Declared by hand: the headers may rename them.
 */
typedef __builtin_va_list va_list;
typedef __SIZE_TYPE__ size_t;

long strtol(const char *, char **, int);
long long strtoll(const char *, char **, int);
unsigned long strtoul(const char *, char **, int);
unsigned long long strtoull(const char *, char **, int);
int vsscanf(const char *, const char *, va_list);

#define SHIM __attribute__((weak, visibility("hidden")))

SHIM long __isoc23_strtol(const char *text, char **end, int base) { return strtol(text, end, base); }
SHIM long long __isoc23_strtoll(const char *text, char **end, int base) { return strtoll(text, end, base); }
SHIM unsigned long __isoc23_strtoul(const char *text, char **end, int base) { return strtoul(text, end, base); }
SHIM unsigned long long __isoc23_strtoull(const char *text, char **end, int base) {
  return strtoull(text, end, base);
}

SHIM int __isoc23_sscanf(const char *text, const char *format, ...) {
  va_list arguments;
  __builtin_va_start(arguments, format);
  int count = vsscanf(text, format, arguments);
  __builtin_va_end(arguments);
  return count;
}

SHIM size_t strlcpy(char *to, const char *from, size_t size) {
  size_t length = 0;
  for (; from[length]; length++)
    if (length + 1 < size) to[length] = from[length];
  if (size) to[length < size ? length : size - 1] = 0;
  return length;
}

SHIM size_t strlcat(char *to, const char *from, size_t size) {
  size_t used = 0;
  while (used < size && to[used]) used++;
  return used + strlcpy(to + used, from, size - used);
}
