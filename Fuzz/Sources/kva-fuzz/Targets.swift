/// Something that reads bytes from outside, and what is called with fuzzed ones.
struct Target {
  let name: String
  let run: @Sendable ([UInt8]) -> Void
}

/// One for each thing that kva parses.
let targets: [Target] = [
  Target(name: "elf", run: fuzzDump),
  Target(name: "kdump", run: fuzzDump),
  Target(name: "flattened", run: fuzzDump),
  Target(name: "lime", run: fuzzDump),
  Target(name: "codec", run: fuzzCodec),
  Target(name: "vmcoreinfo", run: fuzzVMCoreInfo),
  Target(name: "tables", run: fuzzTables),
  Target(name: "audit", run: fuzzKernelTables),
  Target(name: "kallsyms", run: fuzzKallsyms),
  Target(name: "btf", run: fuzzBTF),
  Target(name: "lists", run: fuzzLists),
  Target(name: "slabs", run: fuzzSlabs),
  Target(name: "log", run: fuzzLog),
  Target(name: "stacks", run: fuzzStacks),
  Target(name: "query", run: fuzzQuery),
  Target(name: "expression", run: fuzzExpression),
  Target(name: "batch", run: fuzzBatch),
  Target(name: "vmlinux", run: fuzzVMLinux),
  Target(name: "map", run: fuzzSystemMap),
  Target(name: "splitbtf", run: fuzzSplitBTF),
  Target(name: "bare", run: fuzzBareMemory),
  Target(name: "searches", run: fuzzSearches),
  Target(name: "parts", run: fuzzParts),
  Target(name: "placed", run: fuzzPlacedMemory),
  Target(name: "remote", run: fuzzRemote),
]

/// What the process was started for.
nonisolated(unsafe) var chosenTarget: @Sendable ([UInt8]) -> Void = { _ in }
