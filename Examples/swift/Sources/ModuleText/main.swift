// Module text that is writable: ModuleText DUMP
import KernelVA

let kernel = try Kernel(in: DumpFile(path: CommandLine.arguments[1]))
for module in kernel.modules.elements {
  for text in module.regions where text.kind.hasSuffix("text") {
    _ = kernel.mappedRanges(text.start...(text.end - 1)) { mapped in
      if Attributes(mapped.descriptor).isWritable {
        print("\(module.name) \(VirtualAddress(mapped.first))-\(VirtualAddress(mapped.last &+ 1))")
      }
    }
  }
}
