// Regions that only one of two dumps has, or that moved: CompareLayouts BEFORE AFTER
import KernelVA

func regions(_ path: String) throws -> [String] {
  let kernel = try Kernel(in: DumpFile(path: path))
  return (kernel.regions()?.regions ?? []).map { region in
    let span = region.row.span
    return "\(region.row.region.rawValue) \(VirtualAddress(span.start))-\(VirtualAddress(span.end))"
  }
}

let before = try regions(CommandLine.arguments[1])
let after = try regions(CommandLine.arguments[2])
for region in before where !after.contains(region) { print("-", region) }
for region in after where !before.contains(region) { print("+", region) }
