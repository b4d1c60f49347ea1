import KernelVA

struct WritableExecutable: SweepObserver {
  var found: [SweptEntry] = []
  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    let allowed = Attributes(entry.descriptor, tables: entry.tables)
    if allowed.isWritable && allowed.isExecutableEL1 { found.append(entry) }
  }
}

let kernel = try Kernel(in: DumpFile(path: CommandLine.arguments[1]))
var seeker = WritableExecutable()
kernel.sweep(of: kernel.regime, &seeker)
for entry in seeker.found {
  let symbol = kernel.symbol(containing: entry.virtual.rawValue)?.name
  print(entry.virtual, entry.size, symbol ?? "")
}
