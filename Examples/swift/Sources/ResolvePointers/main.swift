// What the pointers on standard input, one a line, point to: ResolvePointers DUMP < POINTERS
import KernelVA

let kernel = try Kernel(in: DumpFile(path: CommandLine.arguments[1]))
while let pointer = readLine() {
  let answer = kernel.resolve(pointer)
  print(pointer, answer.physical?.description ?? answer.status.rawValue)
}
