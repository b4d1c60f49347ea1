import FuzzDriver
import Glibc

// kva-fuzz TARGET [libFuzzer's arguments ...]
let names = targets.map(\.name).joined(separator: " ")
guard CommandLine.arguments.count > 1,
  let chosen = targets.first(where: { $0.name == CommandLine.arguments[1] })
else {
  print(names)
  exit(CommandLine.arguments.count > 1 ? 64 : 0)
}
chosenTarget = chosen.run

var words = ([CommandLine.arguments[0]] + CommandLine.arguments.dropFirst(2)).map { strdup($0) } + [nil]
var count = Int32(words.count - 1)
let status = words.withUnsafeMutableBufferPointer { words in
  var start = words.baseAddress
  return LLVMFuzzerRunDriver(&count, &start) { data, size in
    chosenTarget(data.map { Array(UnsafeBufferPointer(start: $0, count: size)) } ?? [])
    return 0
  }
}
exit(status)
