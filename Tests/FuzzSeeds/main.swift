import Foundation
import TestSupport

// Writes the seeds of the fuzz targets to TestData/fuzz of this checkout.
let folder = Checkout.testData.appendingPathComponent("fuzz")
for (name, make) in FuzzSeeds.all.sorted(by: { $0.key < $1.key }) {
  let file = folder.appendingPathComponent(name)
  let bytes = Data(try make())
  guard (try? Data(contentsOf: file)) != bytes else { continue }
  try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
  try bytes.write(to: file)
  print("wrote \(name)")
}
