#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* launch FILE PROGRAM [ARGUMENT ...]: runs a program and writes to FILE how many seconds it took, the most memory that
   it had at once in KiB, and its exit status. It is a program of its own since what the system counts as a process's
   memory begins with that of its parent. */
int main(int argc, char **argv)
{
  if (argc < 3)
    return 64;
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  pid_t pid = fork();
  if (pid < 0)
    return 71;
  if (pid == 0) {
    execvp(argv[2], argv + 2);
    _exit(127);
  }
  int status;
  struct rusage usage;
  if (wait4(pid, &status, 0, &usage) != pid)
    return 71;
  clock_gettime(CLOCK_MONOTONIC, &end);
  FILE *file = fopen(argv[1], "w");
  if (!file)
    return 73;
  double seconds = end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) * 1e-9;
  fprintf(file, "%.9f %ld %d\n", seconds, usage.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  return fclose(file) == 0 ? 0 : 73;
}
